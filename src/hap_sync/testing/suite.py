"""The conformance suite for blocking transports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

from hap_sync.wire import READ_LIMIT, READ_SIZE, Transport
from hapcore.testing import CHECKS, Action, Close, Examiner, Line, Receive, Send, VirtualClock

__all__ = ["LOST", "MakePair", "check_transport", "set_timeout", "shut"]

#: Makes the two connected ends of a new connection.
MakePair: TypeAlias = Callable[[], tuple[Transport, Transport]]
#: What a lost connection may raise; the adapter logs any other exception as a fault of the transport.
LOST: Final = (OSError, EOFError)
#: Seconds until a transport that had nothing is asked again.
PAUSE: Final = 0.001
#: The same for a virtual clock; no finer delays are told apart.
TICK: Final = 0.01


def check_transport(make_pair: MakePair, *, limit: float = 5.0, clock: VirtualClock | None = None) -> None:
    """Check that HAP can be spoken over a transport of yours.

    `make_pair()` is called for a new connection, again for each check, and gives its two ends. Each end is used by a
    thread of its own; with a `clock`, for transports in memory that go by it, all is done in this thread and in virtual
    time. `limit` is how many seconds a step of a check may take.

    Raises `TransportFault`, an `AssertionError`, that says which check failed, what was seen and what the rule is.
    """
    for check in CHECKS:
        for here, there in ((0, 1), (1, 0)):
            ends = make_pair()
            try:
                for lines in Examiner(check, here, there, LOST):
                    if clock is None:
                        _in_threads(ends, lines, limit)
                    else:
                        _in_turn(ends, lines, limit, clock)
            finally:
                for end in ends:
                    with suppress(Exception):
                        shut(end)


def _in_threads(ends: tuple[Transport, Transport], lines: tuple[Line, ...], limit: float) -> None:
    stop = threading.Event()

    def work(sides: list[_Side]) -> None:
        while not stop.is_set() and (busy := [side for side in sides if side.move(limit)]):
            if not any(side.moved for side in busy):
                stop.wait(PAUSE)

    threads = [threading.Thread(target=work, args=(sides,), daemon=True) for sides in _sides(ends, lines) if sides]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limit
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    stop.set()
    for thread in threads:
        thread.join(READ_LIMIT * 10)


def _in_turn(ends: tuple[Transport, Transport], lines: tuple[Line, ...], limit: float, clock: VirtualClock) -> None:
    sides = [side for own in _sides(ends, lines) for side in own]
    deadline = clock() + limit
    while clock() < deadline and (busy := [side for side in sides if side.move(limit)]):
        if not any(side.moved for side in busy):
            clock.pass_time(TICK)


def _sides(ends: tuple[Transport, Transport], lines: tuple[Line, ...]) -> list[list[_Side]]:
    """The lines of each end; those that begin with sending first, for transports that just wait in `recv`."""
    found: list[list[_Side]] = [[], []]
    for line in sorted(lines, key=lambda one: isinstance(one[0], Receive)):
        found[line[0].end].append(_Side(ends[line[0].end], line))
    return found


class _Side:
    """One line of actions at one end, done bit by bit."""

    def __init__(self, transport: Transport, line: Line) -> None:
        self.moved = False
        self._transport = transport
        self._actions = list(line)
        self._sent = 0

    def move(self, limit: float) -> bool:
        """Do a bit; whether there is more to do."""
        self.moved = False
        if self._actions:
            action = self._actions[0]
            try:
                self._act(action, limit)
            except (BlockingIOError, TimeoutError) as error:
                if not isinstance(action, Receive):
                    action.failed(error)
            except Exception as error:  # noqa: BLE001 - whatever the transport raises is judged by the check
                action.failed(error)
            else:
                self.moved = True
            if action.error is not None:
                self._actions.clear()
            elif action.over:
                del self._actions[0]
        return bool(self._actions)

    def _act(self, action: Action, limit: float) -> None:
        transport = self._transport
        if isinstance(action, Send):
            if self._sent < len(action.pieces):
                set_timeout(transport, limit)
                transport.sendall(action.pieces[self._sent])
                self._sent += 1
            if self._sent == len(action.pieces):
                self._sent, action.over = 0, True
        elif isinstance(action, Receive):
            set_timeout(transport, READ_LIMIT)
            data: object = transport.recv(action.wanted or READ_SIZE)
            action.take(None if isinstance(data, bytearray) else data)  # the adapter wants bytes, nothing like it
        elif isinstance(action, Close):
            shut(transport)
            action.over = True


def set_timeout(transport: Transport, seconds: float) -> None:
    settimeout: Callable[[float], object] | None = getattr(transport, "settimeout", None)
    if settimeout is not None:
        settimeout(seconds)


def shut(transport: Transport) -> None:
    close: Callable[[], object] | None = getattr(transport, "close", None)
    if close is not None:
        close()
