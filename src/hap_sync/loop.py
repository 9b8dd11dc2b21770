"""What waits: one loop for everything that a thread has opened, turned by whichever call waits."""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Final, Protocol, TypeAlias, cast

from hapcore.errors import LocalProtocolError

__all__ = ["Loop", "Member", "Polled", "thread_loop"]

_log = logging.getLogger("hap_sync")
#: Seconds between two looks at a transport that cannot be waited for.
POLL_PAUSE: Final = 0.005

#: Told what a file is ready for: `selectors.EVENT_READ`, `EVENT_WRITE` or both.
Ready: TypeAlias = Callable[[int], object]


class Member(Protocol):
    """Somebody who wants to be called when it is time."""

    def next_due(self) -> float | None:
        """When, in seconds of `time.monotonic()`."""

    def on_time(self, now: float, /) -> None:
        """It is time."""


class Polled(Protocol):
    """A transport that no selector can watch."""

    patient: bool

    def poll(self) -> None:
        """Read what there is; a `patient` one waits for it a little."""


class Loop:
    """Sockets, deadlines and calls from other threads. Nothing of it moves unless somebody waits.

    `with loop:` is a stretch in which only this thread may use it, and in which Ctrl-C is put off to the end of the
    stretch or to the next round of waiting, where nothing is half done. A second Ctrl-C is not put off. For that the
    loop of the main thread handles SIGINT as long as it is open, unless the program does so itself.
    """

    def __init__(self) -> None:
        self.users = 0
        self.closed = False
        self.members: set[Member] = set()
        self.polled: set[Polled] = set()
        self._selector = selectors.DefaultSelector()
        self._soon: deque[Callable[[], object]] = deque()
        self._lock = threading.RLock()
        self._depth = self._shields = self._owner = 0
        self._interrupted = False
        self._bell, self._ear = socket.socketpair()
        for end in (self._bell, self._ear):
            end.setblocking(False)
        self.watch(self._ear, selectors.EVENT_READ, self._woken)
        if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)

    def watch(self, file: Any, events: int, ready: Ready | None = None) -> None:
        """Have `ready` called when `file` (a socket, or what has a fileno) is ready for `events`; 0 ends it.

        Raises `OSError` or `ValueError` for what cannot be watched.
        """
        try:
            known = self._selector.get_key(file)
        except (KeyError, ValueError, RuntimeError):
            if events:
                self._selector.register(file, events, ready)
            return
        if not events:
            self._selector.unregister(file)
        elif events != known.events:
            self._selector.modify(file, events, ready or known.data)

    def wait(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Carry on with everything until `done()`; False when `timeout` seconds were over first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self:
            rest = timeout
            while not done():
                self._turn(None if rest is None else max(rest, 0.0))
                if self._interrupted and not self._shields:
                    self._interrupted = False
                    raise KeyboardInterrupt
                if deadline is not None:
                    rest = deadline - time.monotonic()
                    if rest <= 0:
                        return done()
        return True

    def step(self, timeout: float | None) -> None:
        """One round: wait for something, at most `timeout` seconds, and see to all there is."""
        with self:
            self._turn(timeout)

    def later(self, call: Callable[[], object]) -> None:
        """Call it in the next round; from the thread of the loop."""
        self._soon.append(call)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Have the thread that waits call it. From any thread; raises `LocalProtocolError` once the loop is closed."""
        if self.closed:
            raise LocalProtocolError("what should call this is closed")
        self._soon.append(call)
        self.wake()

    def wake(self) -> None:
        """Have whoever waits look again. From any thread."""
        with suppress(OSError):  # full of bells already, or closed
            self._bell.send(b"!")

    @contextmanager
    def shielded(self) -> Generator[None, None, None]:
        """A block that Ctrl-C waits for to the end."""
        with self:
            self._shields += 1
            try:
                yield
            finally:
                self._shields -= 1

    def close(self) -> None:
        """Let go of everything."""
        self.closed = True
        if _in_main_thread() and signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def __enter__(self) -> None:
        if self.closed:
            raise LocalProtocolError("the block that this was opened by is over")
        if not self._lock.acquire(blocking=False):
            raise LocalProtocolError("another thread is using this; hand it a function with call_soon()")
        self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        self._lock.release()
        if self._interrupted and self._depth == 0:
            self._interrupted = False
            raise KeyboardInterrupt

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self._interrupted or not (self._depth and self._owner == threading.get_ident()):
            self._interrupted = False
            raise KeyboardInterrupt
        self._interrupted = True
        self.wake()

    def _woken(self, _events: int) -> None:
        with suppress(BlockingIOError):
            self._ear.recv(4096)

    def _turn(self, timeout: float | None) -> None:
        """One round: wait for something, at most `timeout` seconds, and see to all there is."""
        for member in self.members:
            due = member.next_due()
            if due is not None:
                rest = max(due - time.monotonic(), 0.0)
                timeout = rest if timeout is None else min(timeout, rest)
        if self._soon:
            timeout = 0.0
        elif self.polled:
            pause = 0.0 if any(one.patient for one in self.polled) else POLL_PAUSE
            timeout = pause if timeout is None else min(timeout, pause)
        for key, events in self._selector.select(timeout):
            cast("Ready", key.data)(events)
        for one in tuple(self.polled):
            one.poll()
        now = time.monotonic()
        for member in tuple(self.members):
            due = member.next_due()
            if due is not None and due <= now:
                member.on_time(now)
        for _ in range(len(self._soon)):
            if not self._soon:
                break  # one that waited has seen to the others
            try:
                self._soon.popleft()()
            except Exception:  # noqa: BLE001 - whatever the application does, the others are served
                _log.exception("a function given to call_soon() failed")


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


_threads = threading.local()


@contextmanager
def thread_loop() -> Generator[Loop, None, None]:
    """The loop of this thread; it is closed with the last block that uses it."""
    loop: Loop | None = getattr(_threads, "loop", None)
    if loop is None or loop.closed:
        loop = _threads.loop = Loop()
    loop.users += 1
    try:
        yield loop
    finally:
        loop.users -= 1
        if not loop.users:
            loop.close()
