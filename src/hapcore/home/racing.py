"""Several addresses, one accessory: who proves first to be the one is taken (RFC 8305, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from hapcore.errors import HapError, LocalProtocolError, PairingRefused, PeerError
from hapcore.home.link import Link, Stopped
from hapcore.home.procedure import Agenda, Procedure, Promise, Task
from hapcore.home.target import Address
from hapcore.home.timers import Timers

__all__ = ["HEAD_START", "MAX_ATTEMPTS", "PATIENCE", "Race"]

#: Seconds that an attempt may take before the next address is tried beside it.
HEAD_START: Final = 0.25
#: Seconds after which an attempt is begun anew beside the old one, if the accessory announces that address meanwhile:
#: it has just started, and what was sent to it before is lost.
PATIENCE: Final = 1.0
#: Attempts of one race. Sixteen addresses are stored, sixteen announced; who announces ever more is no accessory.
MAX_ATTEMPTS: Final = 40
#: Up to this step of Pair Verify anybody can answer; after it the accessory has proved who it is (HAP 5.1).
_ANYBODY: Final = 2


class _Turn(HapError):
    """The head start is over."""


class Race:
    """Attempts at one accessory. `prove` connects to an address and verifies; `close` ends a link that came second."""

    def __init__(
        self,
        agenda: Agenda,
        timers: Timers,
        prove: Callable[[Address], Procedure[Link]],
        close: Callable[[Link], None],
    ) -> None:
        self._agenda = agenda
        self._timers = timers
        self._prove = prove
        self._close = close
        #: Each with the time before which it is not tried.
        self._waiting: dict[Address, float] = {}
        #: By number: the attempt, its address, and when it began.
        self._running: dict[int, tuple[Task[None], Address, float]] = {}
        self._attempts = 0
        self._bell = Promise[None](agenda)
        self._winner: Link | None = None
        #: What makes all other attempts pointless.
        self._end: HapError | None = None
        self._over = False
        #: What came of the addresses where it is not.
        self.failures: dict[Address, PeerError] = {}

    def add(self, addresses: Iterable[Address], *, again: bool = False) -> None:
        """More places to try. With `again` also those that were tried in vain, or are being tried without an answer."""
        latest: dict[Address, float] = {}
        for _, address, begun in self._running.values():
            latest[address] = begun
        for address in addresses:
            if len(self._waiting) >= MAX_ATTEMPTS:
                break
            if address not in self._waiting and (again or not (address in latest or address in self.failures)):
                self._waiting[address] = latest.get(address, -PATIENCE) + PATIENCE
        self._bell.keep(None)

    def run(self) -> Procedure[Link | None]:
        """Within a procedure: the link that leads to the accessory, None if none does. To be called again after `add`.

        Raises `PairingRefused` where the accessory itself does not want us.
        """
        try:
            while self._winner is None and self._end is None:
                waiting = self._waiting if self._attempts < MAX_ATTEMPTS else {}
                ready = next(
                    (one for one, due in waiting.items() if due <= self._timers.now or not self._running), None
                )
                if ready is not None:
                    del self._waiting[ready]
                    self._start(ready)
                elif not self._running:
                    return None
                yield from self._wait(waiting)
            if self._winner is None and self._end is not None:
                raise self._end
            return self._winner
        finally:
            self._over = self._winner is not None or bool(self._running)
            for task, _, _ in list(self._running.values()):
                task.stop(Stopped())

    def _wait(self, waiting: Mapping[Address, float]) -> Procedure[None]:
        """Until it is time for the next attempt, or something has come of one."""
        if self._bell.settled:
            self._bell = Promise[None](self._agenda)
        if not waiting:
            yield from self._bell.wait()
            return
        limit = max(HEAD_START, min(waiting.values()) - self._timers.now)
        try:
            yield from self._timers.within(limit, self._bell, _Turn())
        except _Turn:
            self._bell = Promise[None](self._agenda)

    def _start(self, address: Address) -> None:
        self._attempts += 1
        task = self._agenda.start(self._attempt(self._attempts, address))
        self._running[self._attempts] = task, address, self._timers.now

    def _attempt(self, number: int, address: Address) -> Procedure[None]:
        try:
            if not self._over:
                self._take((yield from self._prove(address)))
        except Stopped:
            pass  # the race is over
        except PairingRefused as error:
            self.failures[address] = error
            if error.step > _ANYBODY:
                self._end = error
        except PeerError as error:
            self.failures[address] = error
        except LocalProtocolError as error:
            self._end = error
        finally:
            del self._running[number]
            self._bell.keep(None)

    def _take(self, link: Link) -> None:
        if self._over or self._winner is not None:
            self._close(link)
        else:
            self._winner = link
