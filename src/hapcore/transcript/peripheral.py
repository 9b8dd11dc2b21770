"""An accessory's engine over Bluetooth LE that writes down what happens to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from hapcore.accessory.commands import ChangeDatabase, ReplaceDatabase
from hapcore.accessory.config import Config
from hapcore.accessory.events import ReadRequested, WriteRequested
from hapcore.ble.accessory import GattReply, Peripheral, SetAdvertisement
from hapcore.ble.accessory.peripheral import IDLE_INTERVAL
from hapcore.ble.accessory.table import Cell
from hapcore.ble.advert import EncryptedAdvert, open_broadcast, parse_manufacturer_data
from hapcore.codec.pdu import MAX_BODY, PduStatus
from hapcore.crypto.frames import SessionKeys
from hapcore.crypto.keys import TAG_SIZE
from hapcore.engine import Command, CommandId, Effect, Output
from hapcore.entropy import Entropy
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.pairing.resume import ResumeDesk
from hapcore.pairing.verify import VerifiedSession, VerifyDesk
from hapcore.transcript.fragments import Assembly, NotingCipher, mask_body, pdu_line, split
from hapcore.transcript.machines import NotingResumeDesk, NotingSetupDesk, NotingVerifyDesk
from hapcore.transcript.masks import Masks, NoMasks
from hapcore.transcript.notes import CONFIG, Notes, Sink

__all__ = ["RecordedPeripheral"]

R = TypeVar("R")

#: Where the data behind Apple's company id begin in an advertisement.
_MANUFACTURER = 7


class RecordedPeripheral(Peripheral):
    """A `Peripheral` that notes everything that goes in and comes out; see `RecordedServer`.

    It does not share its `stored` with another engine: what that one does would be missing.
    """

    def __init__(
        self,
        accessory: Accessory | Database | Sequence[Accessory],
        *,
        config: Config,
        state: Mapping[str, bytes],
        entropy: Entropy,
        interval: float = IDLE_INTERVAL,
        max_body: int = MAX_BODY,
        sink: Sink,
        engine: int = 1,
        with_secrets: bool = False,
        library: str = "",
        masks: Masks | None = None,
    ) -> None:
        if masks is None:
            masks = NoMasks() if with_secrets else Masks()
        notes = self._notes = Notes(sink, masks, engine)
        notes.format_of = self._format_of
        #: How outputs that wait in the queue are shown, by their identity.
        self._shown: dict[int, dict[str, Any]] = {}
        self._requests: dict[int, Assembly] = {}
        #: What is left of the answer under way, as it may be shown.
        self._masked_rest = bytearray()
        self._spare = False
        self._handled: set[tuple[str, CharacteristicId]] = set()
        table = dict(state)
        super().__init__(
            accessory, config=config, state=table, entropy=notes.entropy(entropy), interval=interval, max_body=max_body
        )
        self.setup_desk = NotingSetupDesk(self.stored.identity, self.stored.verifiers, self.entropy, notes)
        kept = {key: masks.state(key, value) for key, value in table.items()}
        settings: dict[str, Any] = {name: getattr(config, name) for name in CONFIG}
        settings["setup_code"] = None if config.setup_code is None else masks.code(config.setup_code.text)
        if config.display:
            settings["display"] = True
        notes.begin(
            role="accessory",
            transport="ble",
            library=library,
            config={**settings, "interval": interval, "max_body": max_body},
            state={key: value.hex() for key, value in kept.items() if value is not None},
            database=notes.encode(self.database),
        )
        self._know_handled()

    def _know_handled(self) -> None:
        for one in self.database.characteristics:
            self._handled |= {(kind, one.id) for kind in ("read", "write") if getattr(one, f"{kind}_handled")}

    def _format_of(self, number: CharacteristicId) -> Format | None:
        found = self.database.find(*number)
        return None if found is None else found.metadata.format

    # Inputs

    def _noted(self, line: dict[str, Any], call: Callable[[], R]) -> R:
        """An input; what the engine calls itself is none."""
        if self._notes.inside:
            return call()
        with self._notes.call(line):
            return call()

    def start(self, now: float) -> None:
        self._noted({"t": now, "in": "start"}, lambda: super(RecordedPeripheral, self).start(now))

    def link_opened(self, now: float, *, max_read: int, max_write: int) -> None:
        self._requests.clear()
        self._noted(
            {"t": now, "in": "open", "max_read": max_read, "max_write": max_write},
            lambda: super(RecordedPeripheral, self).link_opened(now, max_read=max_read, max_write=max_write),
        )

    def link_closed(self, now: float) -> None:
        self._requests.clear()
        self._noted({"t": now, "in": "close"}, lambda: super(RecordedPeripheral, self).link_closed(now))

    def mtu_changed(self, max_read: int, max_write: int, now: float) -> None:
        self._noted(
            {"t": now, "in": "mtu", "max_read": max_read, "max_write": max_write},
            lambda: super(RecordedPeripheral, self).mtu_changed(max_read, max_write, now),
        )

    def receive_read(self, handle: int, now: float) -> None:
        cell = self.table.cells.get(handle)
        self._spare = (
            self._link is not None and handle in self._link.spares and cell is not None and not cell.role.clears
        )
        try:
            self._noted(
                {"t": now, "in": "read", "handle": handle},
                lambda: super(RecordedPeripheral, self).receive_read(handle, now),
            )
        finally:
            self._spare = False

    def receive_write(self, handle: int, data: bytes, now: float) -> None:
        notes, cell = self._notes, self.table.cells.get(handle)
        line: dict[str, Any] = {"t": now, "in": "write", "handle": handle}
        notes.take_opened()
        with notes.call(line):
            if not notes.masks.redacts:
                line["data"] = bytes(data).hex()
            super().receive_write(handle, data, now)
            opened = notes.take_opened()
            plain = data if opened is None else opened[0]
            if plain is None:
                line |= {"sealed": True, "fault": True, "size": len(data) - TAG_SIZE}
                return
            head, body = split(plain, response=False)
            line |= {"head": head.hex(), "size": len(body)}
            if opened is not None:
                line["sealed"] = True
            whole = self._requests.setdefault(handle, Assembly(response=False)).feed(head, body)
            if whole is not None and cell is not None:
                notes.write(**pdu_line("request", handle, whole[0], self._mask(cell, whole[0][1], whole[1])))

    def _mask(self, cell: Cell, opcode: int, body: bytes) -> bytes:
        kind = cell.characteristic
        return mask_body(self._notes.masks, opcode, body, kind.type.uuid, kind.metadata.format)

    def receive_subscribe(self, handle: int, enabled: bool, now: float) -> None:
        self._noted(
            {"t": now, "in": "subscribe", "handle": handle, "enabled": enabled},
            lambda: super(RecordedPeripheral, self).receive_subscribe(handle, enabled, now),
        )

    def receive_descriptor(self, handle: int, data: bytes, now: float) -> None:
        self._noted(
            {"t": now, "in": "descriptor", "handle": handle, "data": bytes(data).hex()},
            lambda: super(RecordedPeripheral, self).receive_descriptor(handle, data, now),
        )

    def indication_confirmed(self, now: float) -> None:
        self._noted({"t": now, "in": "confirmed"}, lambda: super(RecordedPeripheral, self).indication_confirmed(now))

    def handle_timeout(self, now: float) -> None:
        self._noted({"t": now, "in": "timeout"}, lambda: super(RecordedPeripheral, self).handle_timeout(now))

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        with self._notes.call({"t": now, "in": "failed", "reason": reason, "effect": type(effect).__name__}):
            super().effect_failed(effect, reason, now, cause=cause)

    def submit(self, command: Command[object], now: float) -> CommandId:
        if isinstance(command, ChangeDatabase):  # numbered here, so that the same stands in the transcript
            command = ReplaceDatabase(self._number(command.applied(self.database)))
        line: dict[str, Any] = {"t": now, "in": "submit", "command": self._notes.encode(command)}
        with self._notes.call(line):
            try:
                number = super().submit(command, now)
            except LocalProtocolError as error:
                line["refused"] = type(error).__name__
                raise
            line["number"] = number
        if isinstance(command, ReplaceDatabase):
            self._know_handled()
        return number

    # Outputs

    def poll(self) -> Output | None:
        line: dict[str, Any] = {}
        with self._notes.call(line):
            output = super().poll()
            line["out"] = self._describe(output)
        return output

    def answer(self, status: PduStatus, body: bytes = b"") -> None:
        procedure = None if self._link is None else self._link.procedure
        if procedure is not None and procedure.request is not None:
            self._masked_rest[:] = self._mask(procedure.cell, procedure.request.opcode, body)
        super().answer(status, body)

    def emit(self, output: Output) -> None:
        if isinstance(output, GattReply):
            self._shown[id(output)] = self._reply(output.data)
        elif isinstance(output, ReadRequested):
            self._know("read", output.ids)
        elif isinstance(output, WriteRequested):
            self._know("write", [one.id for one in output.writes])
        super().emit(output)

    def _emit(self, output: Output) -> None:
        if isinstance(output, SetAdvertisement):
            self._shown[id(output)] = self._on_air(output)
        super()._emit(output)

    def _know(self, kind: str, ids: Sequence[CharacteristicId]) -> None:
        if new := [one for one in ids if (kind, one) not in self._handled]:
            self._handled |= {(kind, one) for one in new}
            self._notes.add("handled", kind, [list(one) for one in new])

    def _reply(self, data: bytes) -> dict[str, Any]:
        """A fragment of an answer; the last record, where it is that."""
        notes = self._notes
        plain, sealed = notes.plain_of(data)
        head, body = split(plain, response=True)
        if body and not self._spare:
            body, self._masked_rest[: len(body)] = bytes(self._masked_rest[: len(body)]), b""
        shown: dict[str, Any] = {"$": "GattReply", "plain": (head + body).hex()}
        if sealed:
            shown["sealed"] = True
        return shown if notes.masks.redacts else {**shown, "data": {"$bytes": data.hex()}}

    def _describe(self, output: Output | None) -> Any:
        if output is None:
            return None
        if (shown := self._shown.pop(id(output), None)) is not None:
            return shown
        if isinstance(output, GattReply):
            return {"$": "GattReply", "plain": output.data.hex()}
        return self._notes.describe(output)

    def _on_air(self, output: SetAdvertisement) -> dict[str, Any]:
        """An advertisement; an encrypted one is shown by what it says where its key must not be guessed."""
        found: dict[str, Any] = {
            "$": "SetAdvertisement",
            "data": {"$bytes": output.data.hex()},
            "scan_response": {"$bytes": output.scan_response.hex()},
            "interval": output.interval,
        }
        advert = parse_manufacturer_data(output.data[_MANUFACTURER:])
        key = self.broadcasts.key
        if isinstance(advert, EncryptedAdvert) and key is not None:
            number = self.state_number.value
            opened = open_broadcast(key, advert.identifier, advert.payload, number)
            found["says"] = None if opened is None else [number, opened[0], opened[1].hex()]
            if self._notes.masks.redacts:
                hidden = output.data.replace(advert.payload, bytes(len(advert.payload)))
                found["data"] = {"$bytes": hidden.hex()}
        return found

    # Machines and records

    def make_verify_desk(self) -> VerifyDesk:
        return NotingVerifyDesk(self.stored.identity, self.entropy, self._notes)

    def make_resume_desk(self) -> ResumeDesk:
        return NotingResumeDesk(self.resumable, self.entropy, self._notes)

    def secure(self, keys: SessionKeys, verified: VerifiedSession | None, *, resumed: bool = False) -> None:
        super().secure(keys, verified, resumed=resumed)
        session = None if self._link is None else self._link.session
        if session is not None:
            session.sealer = self._cipher(session.sealer)
            session.opener = self._cipher(session.opener)

    def _cipher(self, inner: Any) -> NotingCipher:
        return NotingCipher(inner, self._notes)
