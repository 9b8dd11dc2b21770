"""The engine of a controller's relation to one accessory over Bluetooth LE, over all its links (HAP-BLE A.8.1).

Commands are the same as over IP, and wait their turn. The engine connects when one of them, or a change, needs it,
resumes or verifies the session, reads the database when it is another one, and drops the link when nothing is left to
do. Reads that fail with a link are tried once more on the next; what may have been carried out is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from hapcore.ble.advert import RegularAdvert, parse_manufacturer_data
from hapcore.ble.controller.inputs import Advertisement, GattResult
from hapcore.ble.controller.jobs import PROCEDURES, Build, Job
from hapcore.ble.controller.states import ADVICE, TRANSITIONS, Kind, Level, Link
from hapcore.ble.controller.working import IDLE_TIMEOUT, Working
from hapcore.controller import commands
from hapcore.engine import Command, CommandId, Effect, Failed
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, LocalProtocolError
from hapcore.pairing.records import Pairing

__all__ = ["IDLE_TIMEOUT", "MAX_WAITING", "Peer"]

#: Commands that may wait behind the one in flight, as over IP.
MAX_WAITING: Final = 256


class Peer(Working):
    """One accessory, to be paired or paired, from now until `Close` or until our own pairing is removed.

    `pairing` is None before pair-setup, `device_id` needed then only; `cache` is the value of the last `Persist` under
    `cache_key`, so that the database need not be read again. Subscriptions outlive links: what changes meanwhile is
    heard of by state number or by broadcast. `idle_timeout` in seconds, below the accessory's 30; with `stay` a link
    with subscriptions is kept as long as the accessory keeps it.
    """

    #: What can be asked; who replays recordings adds to it.
    _procedures: ClassVar[Mapping[type[Command[Any]], tuple[Kind, Level, Build]]] = PROCEDURES

    def __init__(
        self,
        *,
        entropy: Entropy,
        pairing: Pairing | None = None,
        device_id: str = "",
        cache: bytes | None = None,
        name: str = "",
        idle_timeout: float = IDLE_TIMEOUT,
        stay: bool = False,
    ) -> None:
        super().__init__(
            entropy=entropy,
            pairing=pairing,
            device_id=device_id,
            cache=cache,
            name=name,
            idle_timeout=idle_timeout,
            stay=stay,
        )

    # --- inputs ---------------------------------------------------------------------------------------------------

    def submit(self, command: Command[Any], now: float) -> CommandId:
        """Accept a command; exactly one `Done` or `Failed` with the returned id will follow.

        Raises `LocalProtocolError` for what the state does not allow or the arguments make impossible, `ValueRefused`
        for a value that does not fit, and nothing is changed then. On a closed peer every command is accepted and
        fails at once as `Disconnected`, because the caller cannot have known.
        """
        self._advance(now)
        if type(command) is commands.Close:
            return self._close()
        row = self._procedures.get(type(command))
        if row is None:
            raise LocalProtocolError(f"{type(command).__name__} is not for this engine", argument="command")
        if self._closed():
            number = self._next_command()
            self._emit(Failed(number, Disconnected("the connection is closed")))
            return number
        kind, level, build = row
        transition = TRANSITIONS.get((self._planned, kind))
        if transition is None:
            raise LocalProtocolError(f"not possible in state {self._planned.value!r}: {ADVICE[kind]}")
        if len(self._waiting) >= MAX_WAITING:
            raise LocalProtocolError(f"{MAX_WAITING} commands are waiting already")
        session = self._session
        job = Job(command, lambda: build(session, command), level)
        if isinstance(command, commands.VerifyPairing):
            session.pairing = command.pairing
        job.number = number = self._next_command()
        job.kind, job.transition = kind, transition
        self._planned = transition.done
        self._waiting.append(job)
        self._work()
        return number

    def receive_advertisement(self, advertisement: Advertisement, now: float) -> None:
        """Something was heard; what is not of this accessory is ignored."""
        now = self._advance(now)
        if self._closed():
            return
        advert = parse_manufacturer_data(advertisement.manufacturer_data)
        if advert is None:
            return
        if isinstance(advert, RegularAdvert):
            if advert.device_id != self._session.device_id:
                return
            news = self._listener.regular(advert, linked=self._line.up or self._line.link is Link.CLOSING)
        else:
            if advert.identifier != self._listener.identifier:
                return
            news, iid, value = self._listener.encrypted(advert)
            if iid and iid in self._session.subscribed:
                self._tell(iid, value)
            if iid:
                self._look_later()
                if self._session.subscribed and self._session.knowledge.wants_key:
                    # At its end the accessory falls silent, and says nothing else instead (HAP-BLE A.1.5).
                    self._refresh_due = self._refresh_now = True
        if len(advertisement.name) > len(self.name):
            self.name = advertisement.name
        self.rssi = advertisement.rssi
        self._take_news(news)
        self._available(None)
        self._line.heard(advertisement.address, now)
        self._work()

    def receive_gatt(self, result: GattResult, now: float) -> None:
        """An operation has ended; one that is not awaited any more is ignored."""
        self._line.result(result, self._advance(now))
        self._work()

    def receive_indication(self, handle: int, now: float) -> None:
        """The accessory says that the characteristic with that handle has changed; it says no more than that."""
        self._advance(now)
        iid = self._session.numbers.get(handle)
        if iid is not None and iid in self._session.subscribed and self._line.up:
            self._indicated[iid] = None
            self._work()

    def link_lost(self, now: float) -> None:
        """The link is gone, whoever ended it."""
        self._advance(now)
        self._line.lost()
        self._down()
        self._work()

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        """The radio or the GATT client could not do it at all."""
        super().effect_failed(effect, reason, now, cause=cause)
        operation = getattr(effect, "operation", None)
        if isinstance(operation, int):
            self.receive_gatt(GattResult(operation, error=reason), now)
        elif getattr(effect, "on", None) is True:
            self._line.radio_failed(reason, self._now)
            self._work()

    def next_timeout(self) -> float | None:
        """The deadline of what is under way, or the end of an idle link."""
        times = [one for one in (self._line.due, self._idle_at, self._look_at) if one is not None]
        return min(times) if times else None

    def handle_timeout(self, now: float) -> None:
        """Give up what is overdue, drop an idle link."""
        now = self._advance(now)
        self._line.timeout(now)
        if self._idle_at is not None and now >= self._idle_at:
            self._idle_at = None
            self._leave()
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            self._refresh_due = self._refresh_now = True
        self._down()
        self._work()
