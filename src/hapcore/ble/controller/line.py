"""The link to one accessory: its advertisement, connecting, one GATT operation at a time (HAP-BLE A.8.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from hapcore.ble.controller.effects import (
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattSubscribe,
    GattWrite,
    Scan,
)
from hapcore.ble.controller.exchange import Exchange, Records
from hapcore.ble.controller.inputs import GattResult
from hapcore.ble.controller.states import LINK, Link, Moment
from hapcore.ble.controller.steps import Answer, Ask, ReadAttribute, ReadInstanceId, Step, Switch
from hapcore.ble.gatt import GattService
from hapcore.ble.uuids import CHARACTERISTIC_INSTANCE_ID
from hapcore.codec.pdu import Request
from hapcore.engine import Effect
from hapcore.errors import Disconnected, EffectFailed, HapError, LocalProtocolError, RemoteProtocolError, TimedOut

__all__ = [
    "CONNECT_ATTEMPTS",
    "CONNECT_TIMEOUT",
    "PAIRING_TIMEOUT",
    "PROCEDURE_TIMEOUT",
    "RADIO_PAUSE",
    "SEEK_TIMEOUT",
    "Line",
    "Reports",
]

#: Seconds to wait for an advertisement: idle accessories advertise every 2.5 s at the slowest (HAP-BLE A.7), and where
#: somebody scans already BlueZ tells of one that has not changed only every 11 s.
SEEK_TIMEOUT: Final = 15.0
#: Seconds for a connection with all its services: hosts retry inside, and small MTUs make discovery long.
CONNECT_TIMEOUT: Final = 30.0
#: Times a link may fail in a row. Hosts lose a fresh connection now and then (HAP-BLE A.7).
CONNECT_ATTEMPTS: Final = 5
#: Seconds for one procedure. The accessory gives up after 10; a little more lets it be the first to say so.
PROCEDURE_TIMEOUT: Final = 12.0
#: Seconds for one step of a pairing: small devices compute long.
PAIRING_TIMEOUT: Final = 30.0
#: Seconds after which a link that was dropped counts as gone, whatever the host says; BlueZ takes 2.5.
CLOSE_TIMEOUT: Final = 6.0
#: Seconds until a radio that refused to listen is asked again, where no command needs it sooner.
RADIO_PAUSE: Final = 30.0
#: Seconds an advertisement says where the accessory is; until BlueZ tells of it again.
_FRESH: Final = 12.0
#: Seconds before the next attempt.
_PAUSES: Final = (0.25, 0.5, 1.0, 2.0)
#: A plain attribute that cannot be read is read once more: a host may have hiccups.
_PLAIN_READS: Final = 2


@frozen
class Reports:
    """What a line tells its owner: the link is up; a step is answered; the link is gone; nothing more is tried."""

    opened: Callable[[Sequence[GattService]], None]
    answered: Callable[[Answer], None]
    failed: Callable[[HapError], None]
    given_up: Callable[[HapError], None]


class Line:
    """One at a time: a link, an operation on it, a deadline for it."""

    def __init__(
        self, reports: Reports, name: str, emit: Callable[[Effect], None], next_tid: Callable[[], int]
    ) -> None:
        self._reports = reports
        self._name = name
        self._emit = emit
        self._next_tid = next_tid
        self.link = Link.IDLE
        self.deadline: float | None = None
        self.records: Records | None = None
        self.max_write = 0
        #: Whether advertisements are wanted while there is no link.
        self.listening = False
        #: The host must not use what it remembers of the accessory's services.
        self.fresh = False
        self.address: str | None = None
        self._heard_at: float | None = None
        self._scanning = False
        #: Until when a radio that refused is left alone.
        self._deaf_until: float | None = None
        self._attempts = 0
        self._operations = 0
        self._awaited: int | None = None
        self._step: Step | None = None
        self._exchange: Exchange | None = None
        self._reads_left = 0
        #: Whether the exchange awaits what was read, not that something was written.
        self._reading = False

    @property
    def up(self) -> bool:
        """Whether procedures can be run."""
        return self.link in (Link.CLEAR, Link.SECURED)

    @property
    def asked(self) -> Ask | None:
        """The request that is under way."""
        return self._step if isinstance(self._step, Ask) else None

    @property
    def awaited(self) -> int | None:
        """The operation whose end is awaited."""
        return self._awaited

    def _move(self, moment: Moment) -> None:
        self.link = LINK[self.link, moment]
        self.scan()

    @property
    def due(self) -> float | None:
        """When `timeout` is to be called."""
        times = [one for one in (self.deadline, self._deaf_until) if one is not None]
        return min(times) if times else None

    def end(self, now: float) -> None:
        """Nothing is wanted any more, ever."""
        self.listening = False
        self.drop(now)
        self.scan()
        self.deadline = self._deaf_until = None

    def scan(self) -> None:
        """Ask for advertisements, or for no more."""
        if not self.listening:
            self._deaf_until = None
        idle = self.link in (Link.IDLE, Link.WAITING) and self._deaf_until is None
        on = self.link is Link.SEEKING or (self.listening and idle)
        if on is not self._scanning:
            self._scanning = on
            self._emit(Scan(on))

    # --- getting there --------------------------------------------------------------------------------------------

    def want(self, now: float) -> None:
        """Somebody needs a link; harmless when one is under way."""
        if self.link is not Link.IDLE:
            return
        if self._attempts:
            self._move(Moment.FAILED)
            self.deadline = now + _PAUSES[min(self._attempts, len(_PAUSES)) - 1]
        else:
            self._move(Moment.WANTED)
            self._seek(now)

    def _seek(self, now: float) -> None:
        if self.address is not None and self._heard_at is not None and now - self._heard_at <= _FRESH:
            self._connect(now)
        else:
            self.deadline = now + SEEK_TIMEOUT

    def heard(self, address: str, now: float) -> None:
        """It advertises from there."""
        self.address, self._heard_at = address, now
        self._deaf_until = None
        if self.link is Link.SEEKING:
            self._connect(now)

    def _connect(self, now: float) -> None:
        self._move(Moment.HEARD)
        self.deadline = now + CONNECT_TIMEOUT
        self._emit(GattConnect(self._operation(), self.address or "", self.fresh))

    def _operation(self) -> int:
        self._operations += 1
        self._awaited = self._operations
        return self._operations

    def succeeded(self) -> None:
        """Something was got done over this link: failures are counted anew."""
        self._attempts = 0
        self.fresh = False

    def secure(self, records: Records) -> None:
        """Everything from here on is encrypted."""
        self.records = records
        self._move(Moment.VERIFIED)

    # --- going ----------------------------------------------------------------------------------------------------

    def drop(self, now: float) -> None:
        """End the link, or the attempt; never used again after anything went wrong."""
        if self.link in (Link.SEEKING, Link.WAITING):
            self._move(Moment.GIVEN_UP)
            self._forget()
        elif self.link in (Link.CONNECTING, Link.CLEAR, Link.SECURED):
            self._move(Moment.DROPPED)
            self._forget()
            self._emit(GattDisconnect())
            self.deadline = now + CLOSE_TIMEOUT

    def fail(self, error: HapError, now: float) -> None:
        """The link is of no use any more."""
        self.drop(now)
        self._failed(error)

    def lost(self) -> None:
        """The link is gone."""
        link = self.link
        if (link, Moment.LOST) not in LINK:
            return
        self._move(Moment.LOST)
        what = "" if self._exchange is None else f" before it answered {self._exchange.what}"
        self._forget()
        if link is not Link.CLOSING:
            self._failed(Disconnected(f"the link to {self._name} was lost{what}"))

    def _failed(self, error: HapError) -> None:
        self._attempts += 1
        self._reports.failed(error)
        if self._attempts >= CONNECT_ATTEMPTS:
            self._attempts = 0
            self._reports.given_up(error)

    def _forget(self) -> None:
        self.deadline = None
        self.records = None
        self._awaited = None
        self._step = None
        self._exchange = None

    # --- one operation --------------------------------------------------------------------------------------------

    def start(self, step: Step, now: float) -> None:
        """Carry out one step of a procedure; the owner hears the answer."""
        self._step = step
        if isinstance(step, Ask):
            try:
                request = Request(step.opcode, self._next_tid(), step.iid, step.body)
                self._exchange = Exchange(request, self.max_write, self.records, step.what)
            except LocalProtocolError as error:
                self.fail(error, now)
                return
            self.deadline = now + (PAIRING_TIMEOUT if step.slow else PROCEDURE_TIMEOUT)
            self._go_on()
            return
        self.deadline = now + PROCEDURE_TIMEOUT
        self._reads_left = _PLAIN_READS
        self._plain(step)

    def _plain(self, step: Step) -> None:
        self._reads_left -= 1
        if isinstance(step, ReadAttribute):
            self._emit(GattRead(self._operation(), step.handle))
        elif isinstance(step, ReadInstanceId):
            self._emit(GattReadDescriptor(self._operation(), step.handle, CHARACTERISTIC_INSTANCE_ID))
        elif isinstance(step, Switch):
            self._reads_left = 0
            self._emit(GattSubscribe(self._operation(), step.handle, step.enabled))

    def _go_on(self) -> None:
        if self._exchange is None or not isinstance(self._step, Ask):
            return
        to = self._step.to
        value = self._exchange.next_write()
        self._reading = value is None
        if value is None:
            self._emit(GattRead(self._operation(), to.handle))
        else:
            # Some accessories take writes without a response only, and say so (HAP-BLE A.7).
            self._emit(GattWrite(self._operation(), to.handle, value, response=to.writable))

    def result(self, result: GattResult, now: float) -> None:
        """An operation has ended."""
        if result.operation != self._awaited:
            return
        self._awaited = None
        if self.link is Link.CONNECTING:
            self._connected(result)
        elif isinstance(self._step, Ask):
            self._exchanged(result, now)
        elif self._step is not None:
            if result.error is not None and self._reads_left > 0:
                self._plain(self._step)
                return
            switched = isinstance(self._step, Switch)
            self._answer(result.error is None if switched else None if result.error is not None else result.data or b"")

    def _connected(self, result: GattResult) -> None:
        if result.error is None and result.table is not None:
            self._move(Moment.OPENED)
            self.deadline = None
            self.max_write = result.max_write
            self._reports.opened(result.table)
            return
        self._move(Moment.LOST)
        self._forget()
        why = result.error or "the host found no services"
        self._failed(Disconnected(f"{self._name} could not be connected: {why}"))

    def _exchanged(self, result: GattResult, now: float) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if result.error is not None:
            self.fail(Disconnected(f"{exchange.what} failed: {result.error}"), now)
        elif not self._reading:
            self._go_on()
        else:
            try:
                response = exchange.feed(result.data or b"")
            except RemoteProtocolError as error:
                self.fail(error, now)
                return
            if response is None:
                self._go_on()
            else:
                self._answer(response)

    def _answer(self, answer: Answer) -> None:
        self._step = None
        self._exchange = None
        self.deadline = None
        self._reports.answered(answer)

    def timeout(self, now: float) -> None:
        """The deadline has passed."""
        if self._deaf_until is not None and now >= self._deaf_until:
            self._deaf_until = None
            self.scan()
        if self.deadline is None or now < self.deadline:
            return
        self.deadline = None
        match self.link:
            case Link.SEEKING:
                self._move(Moment.GIVEN_UP)
                text = f"{self._name} was not heard for {SEEK_TIMEOUT:g} s; is it on, near, and not in use by another?"
                self._reports.given_up(TimedOut(text))
            case Link.WAITING:
                self._move(Moment.PAUSED)
                self._seek(now)
            case Link.CLOSING:
                self.lost()
            case Link.CONNECTING:
                self.fail(TimedOut(f"{self._name} could not be connected within {CONNECT_TIMEOUT:g} s"), now)
            case _:
                what = "the accessory" if self._exchange is None else self._exchange.what
                self.fail(TimedOut(f"no answer to {what} in time; the link was dropped"), now)

    def radio_failed(self, reason: str, now: float) -> None:
        """There is no scanning. It is not asked for again at once, also where somebody listens."""
        self._scanning = False
        if self.listening:
            self._deaf_until = now + RADIO_PAUSE
        if self.link is Link.SEEKING:
            self.link = LINK[self.link, Moment.GIVEN_UP]
            self.deadline = None
            self._reports.given_up(EffectFailed(f"the radio does not scan: {reason}"))
