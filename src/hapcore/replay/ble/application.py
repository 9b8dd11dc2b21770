"""The application behind a recorded accessory: concluded from what was read, indicated and advertised.

A value that is read and that no recorded write explains was set from inside, and so was one that is indicated or
broadcast. Whether a write is good is concluded only where its handler is known: what the engine alone decides is never
concluded, so that a wrong answer of the engine stays visible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from hapcore.accessory.commands import AnswerRead, AnswerWrite, UpdateValues
from hapcore.accessory.events import CharacteristicsWritten, ReadRequested, WriteRequested
from hapcore.ble.values import WIDTHS, read_value
from hapcore.catalogue import characteristics as c
from hapcore.catalogue import service_types as s
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Parameter, PduStatus, Request
from hapcore.codec.tlv8 import TlvError
from hapcore.engine import Command, Event
from hapcore.errors import HapError
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic, HapStatusError
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.model.uuid import PAIRING, PROTOCOL_INFORMATION, SERVICE_SIGNATURE
from hapcore.replay.bench import authorised
from hapcore.replay.ble.script import Answer

__all__ = ["Application"]

_GUARDED = CharacteristicId(1, 0x68)


class Application:
    """Answers for the characteristics of a database as the recorded application did."""

    def __init__(self, database: Database, submit: Callable[[Command[object]], object], app: str) -> None:
        self._database = database
        self._app = app
        self._submit = submit
        self._written: dict[int, Value] = {}
        self._failing: int | None = None
        self._getters: dict[int, bool] = {}
        self.by_iid: dict[int, AnyCharacteristic] = {}
        for service in database.accessories[0].services:
            for one in service.characteristics:
                if service.type.uuid not in (PAIRING, PROTOCOL_INFORMATION) and one.type.uuid != SERVICE_SIGNATURE:
                    self.by_iid[one.iid] = one
                    self._getters[one.iid] = one.read_handled
                    if one.metadata.format is Format.TLV8 or one.authorized:
                        one.write_handled = True

    # What happened inside.

    def set(self, iid: int, value: Value) -> None:
        """Without telling anybody: whether that raises an event is for the recording to show."""
        characteristic = self.by_iid.get(iid)
        if characteristic is not None:
            try:
                characteristic.store(characteristic.coerce(value))
            except HapError:
                return  # the recorded value is not legal: what is read then is the difference

    def value(self, iid: int, data: bytes) -> Value:
        """A value as it was on the air."""
        characteristic = self.by_iid.get(iid)
        if characteristic is None:
            return None
        form = characteristic.metadata.format
        try:
            return read_value(data[: WIDTHS.get(form, len(data))], form)
        except ValueError:
            return None

    def before(self, iid: int, request: Request, answer: Answer | None) -> None:
        """A request is about to be carried out that was answered so."""
        self._failing = None
        characteristic = self.by_iid.get(iid)
        if characteristic is None or answer is None:
            return
        characteristic.read_handled = self._getters[iid]
        given = _value(answer.body)
        if request.opcode == Opcode.CHARACTERISTIC_READ and characteristic.readable and request.iid == iid:
            if answer.status == PduStatus.INVALID_REQUEST:
                self._failing = iid
                characteristic.read_handled = True
            elif answer.status == PduStatus.SUCCESS and given is not None and not self._getters[iid]:
                value = self.value(iid, given)
                if iid not in self._written or self._written[iid] != value:
                    self.set(iid, value)
                    self._written.pop(iid, None)

    # What the engine tells.

    def handle(self, event: Event) -> None:
        """Answer a question, and do what a write leads to."""
        if isinstance(event, ReadRequested) and self._failing is not None:
            self._submit(AnswerRead(event.request, dict.fromkeys(event.ids, HapStatus.UNABLE_TO_COMMUNICATE)))
        elif isinstance(event, WriteRequested) and (status := self._judge(event)) is not None:
            if not status:
                self._note({event.writes[0].id.iid: event.writes[0].value})
            self._submit(AnswerWrite(event.request, {event.writes[0].id: status}))
        elif isinstance(event, CharacteristicsWritten):
            self._note({one.id.iid: one.value for one in event.writes})
            self._follow(event)
        elif isinstance(event, ReadRequested):
            self._submit(AnswerRead(event.request, {number: self._ask(number, event.caller) for number in event.ids}))
        elif isinstance(event, WriteRequested):
            answer = self._tell(event)
            self._submit(answer)
            if not answer.statuses:
                self._follow(event)

    def _ask(self, number: CharacteristicId, caller: Caller) -> Value | HapStatus:
        """What the getter says; those of the known databases answer at once."""
        characteristic = self.by_iid.get(number.iid)
        if characteristic is None or characteristic.getter_fn is None:
            return HapStatus.UNABLE_TO_COMMUNICATE
        try:
            return cast("Value", characteristic.getter_fn(caller))
        except HapStatusError as error:
            return error.status

    def _tell(self, event: WriteRequested) -> AnswerWrite:
        """What the setter says."""
        write = event.writes[0]
        characteristic = self.by_iid.get(write.id.iid)
        try:
            if characteristic is not None and characteristic.setter_fn is not None:
                given = characteristic.setter_fn(write.value, event.caller)
                if given is not None and write.response:
                    return AnswerWrite(event.request, {}, {write.id: cast("Value", given)})
        except HapStatusError as error:
            return AnswerWrite(event.request, {write.id: error.status})
        self._note({write.id.iid: write.value})
        return AnswerWrite(event.request)

    def _note(self, values: Mapping[int, Value]) -> None:
        self._written.update(values)

    def _judge(self, event: WriteRequested) -> HapStatus | None:
        """What is known of the handlers that the database does not have itself."""
        write = event.writes[0]
        if write.id == _GUARDED:
            return authorised(write.auth_data)
        characteristic = self.by_iid.get(write.id.iid)
        if isinstance(write.value, bytes) and characteristic is not None:
            try:
                tlv8.decode(write.value)
            except TlvError:
                return HapStatus.INVALID_VALUE
            return None if characteristic.setter_fn is not None else HapStatus.SUCCESS
        return None

    def _follow(self, event: CharacteristicsWritten | WriteRequested) -> None:
        """The lock of the test database moves to where it shall be; that of the example never does."""
        if self._app != "bench":
            return
        for service in self._database.accessories[0].services:
            if service.type.uuid != s.LOCK_MECHANISM.uuid:
                continue
            current, target = service.get(c.LOCK_CURRENT_STATE), service.get(c.LOCK_TARGET_STATE)
            for one in event.writes:
                if current is not None and target is not None and one.id == target.id:
                    self._submit(UpdateValues({current.id: one.value}))


def _value(body: bytes) -> bytes | None:
    try:
        return tlv8.first(tlv8.decode_tolerant(body), Parameter.VALUE)
    except TlvError:
        return None
