"""A controller's engine over Bluetooth LE that writes down what happens to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from hapcore.ble.advert import EncryptedAdvert, parse_manufacturer_data
from hapcore.ble.controller import Advertisement, GattResult, GattWrite, Peer
from hapcore.ble.controller.listening import Listener
from hapcore.ble.controller.peer import IDLE_TIMEOUT
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Ask
from hapcore.crypto.keys import TAG_SIZE
from hapcore.engine import Command, CommandId, Effect, Output
from hapcore.entropy import Entropy
from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.model.metadata import Format
from hapcore.pairing.records import Pairing
from hapcore.transcript.fragments import Assembly, NotingCipher, mask_body, pdu_line, split
from hapcore.transcript.machines import NotingResume, NotingSetup, NotingVerify
from hapcore.transcript.masks import Masks, NoMasks
from hapcore.transcript.notes import Notes, Sink

__all__ = ["NotingListener", "RecordedPeer"]

R = TypeVar("R")

#: Plain attributes that are read hold an instance id.
_PLAIN = 2


class NotingListener(Listener):
    """Notes what became of encrypted advertisements."""

    def __init__(self, session: Session, notes: Notes) -> None:
        super().__init__(session)
        self._notes = notes

    def open(self, advert: EncryptedAdvert) -> tuple[int, int, bytes] | None:
        opened = super().open(advert)
        shown = None if opened is None else [opened[0], opened[1], opened[2].hex()]
        self._notes.write(step="broadcast", opened=shown)
        return opened


class RecordedPeer(Peer):
    """A `Peer` that notes everything that goes in and comes out; see `RecordedServer`."""

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
        #: How writes that wait in the queue are shown, by their identity.
        self._shown: dict[int, dict[str, Any]] = {}
        self._request: Ask | None = None
        self._masked_rest = bytearray()
        self._answer_of: Ask | None = None
        self._answer_parts = Assembly(response=True)
        super().__init__(
            entropy=notes.entropy(entropy),
            pairing=pairing,
            device_id=device_id,
            cache=cache,
            name=name,
            idle_timeout=idle_timeout,
            stay=stay,
        )
        self._put_machines()
        kept = None if cache is None else masks.state(self.cache_key, cache)
        notes.begin(
            role="controller",
            transport="ble",
            library=library,
            config={"device_id": device_id, "name": name, "idle_timeout": idle_timeout, "stay": stay},
            pairing=notes.encode(pairing),
            state={} if kept is None else {self.cache_key: kept.hex()},
        )

    def _put_machines(self) -> None:
        self._session.make_setup = partial(NotingSetup, self._notes)
        self._session.make_verify = partial(NotingVerify, self._notes)
        self._session.make_resume = partial(NotingResume, self._notes)
        self._listener = NotingListener(self._session, self._notes)

    def _format_of(self, number: CharacteristicId) -> Format | None:
        meta = self._session.metadata(number[1])
        return None if meta is None else meta.format

    # Inputs

    def _noted(self, line: dict[str, Any], call: Callable[[], R]) -> R:
        """An input; what the engine calls itself is none."""
        if self._notes.inside:
            return call()
        with self._notes.call(line):
            return call()

    def submit(self, command: Command[Any], now: float) -> CommandId:
        line: dict[str, Any] = {"t": now, "in": "submit", "command": self._notes.encode(command)}
        with self._notes.call(line):
            try:
                number = super().submit(command, now)
            except LocalProtocolError as error:
                line["refused"] = type(error).__name__
                raise
            line["number"] = number
        return number

    def receive_advertisement(self, advertisement: Advertisement, now: float) -> None:
        data, masks = advertisement.manufacturer_data, self._notes.masks
        advert = parse_manufacturer_data(data)
        if isinstance(advert, EncryptedAdvert) and masks.redacts:
            data = data.replace(advert.payload, masks.data(advert.payload))
        line = {"t": now, "in": "advertisement", "address": advertisement.address, "data": data.hex()}
        line |= {"name": advertisement.name, "rssi": advertisement.rssi}
        self._noted(line, lambda: super(RecordedPeer, self).receive_advertisement(advertisement, now))

    def receive_gatt(self, result: GattResult, now: float) -> None:
        notes = self._notes
        if notes.inside:
            super().receive_gatt(result, now)
            return
        line: dict[str, Any] = {"t": now, "in": "gatt", "operation": result.operation}
        if result.error is not None:
            line["error"] = result.error
        if result.table is not None:
            line |= {"table": notes.encode(result.table), "max_write": result.max_write}
        asked = self._line.asked if result.operation == self._line.awaited else None
        form = None if asked is None else self._format_of(CharacteristicId(1, asked.iid))
        notes.take_opened()
        with notes.call(line):
            super().receive_gatt(result, now)
            if result.data is not None:
                self._note_data(line, result.data, asked, form)

    def _note_data(self, line: dict[str, Any], data: bytes, asked: Ask | None, form: Format | None) -> None:
        notes, opened = self._notes, self._notes.take_opened()
        if not notes.masks.redacts:
            line["data"] = data.hex()
        if asked is None:
            line["plain"] = (data if len(data) <= _PLAIN else notes.masks.data(data)).hex()
            return
        plain = data if opened is None else opened[0]
        if plain is None:
            line |= {"sealed": True, "fault": True, "size": max(0, len(data) - TAG_SIZE)}
            return
        head, body = split(plain, response=True)
        line |= {"head": head.hex(), "size": len(body)}
        if opened is not None:
            line["sealed"] = True
        if asked is not self._answer_of:
            self._answer_of, self._answer_parts = asked, Assembly(response=True)
        whole = self._answer_parts.feed(head, body)
        if whole is not None:
            masked = mask_body(notes.masks, asked.opcode, whole[1], asked.to.uuid, form)
            notes.write(**pdu_line("response", asked.to.handle, whole[0], masked))

    def receive_indication(self, handle: int, now: float) -> None:
        line = {"t": now, "in": "indication", "handle": handle}
        self._noted(line, lambda: super(RecordedPeer, self).receive_indication(handle, now))

    def link_lost(self, now: float) -> None:
        self._noted({"t": now, "in": "close"}, lambda: super(RecordedPeer, self).link_lost(now))

    def handle_timeout(self, now: float) -> None:
        self._noted({"t": now, "in": "timeout"}, lambda: super(RecordedPeer, self).handle_timeout(now))

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        line: dict[str, Any] = {"t": now, "in": "failed", "reason": reason, "effect": type(effect).__name__}
        if isinstance(operation := getattr(effect, "operation", None), int):
            line["operation"] = operation
        with self._notes.call(line):
            super().effect_failed(effect, reason, now, cause=cause)

    # Outputs

    def poll(self) -> Output | None:
        line: dict[str, Any] = {}
        with self._notes.call(line):
            output = super().poll()
            shown = None if output is None else self._shown.pop(id(output), None)
            line["out"] = self._notes.describe(output) if shown is None else shown
        return output

    def _emit_effect(self, effect: Effect) -> None:
        if isinstance(effect, GattWrite) and (asked := self._line.asked) is not None:
            self._shown[id(effect)] = self._write(effect, asked)
        super()._emit_effect(effect)

    def _write(self, effect: GattWrite, asked: Ask) -> dict[str, Any]:
        """A fragment of a request; the last record, where it is that."""
        notes = self._notes
        plain, sealed = notes.plain_of(effect.data)
        head, body = split(plain, response=False)
        if asked is not self._request:
            self._request = asked
            form = self._format_of(CharacteristicId(1, asked.iid))
            self._masked_rest[:] = mask_body(notes.masks, asked.opcode, asked.body or b"", asked.to.uuid, form)
        body, self._masked_rest[: len(body)] = bytes(self._masked_rest[: len(body)]), b""
        shown: dict[str, Any] = {
            "$": "controller.GattWrite",
            "operation": effect.operation,
            "handle": effect.handle,
            "response": effect.response,
            "plain": (head + body).hex(),
        }
        if sealed:
            shown["sealed"] = True
        return shown if notes.masks.redacts else {**shown, "data": {"$bytes": effect.data.hex()}}

    # Records

    def _verified(self) -> None:
        super()._verified()
        records = self._line.records
        if records is not None and not isinstance(records.read, NotingCipher):
            records.read, records.write = self._cipher(records.read), self._cipher(records.write)

    def _cipher(self, inner: Any) -> NotingCipher:
        return NotingCipher(inner, self._notes)
