"""The application behind a recorded accessory: what it did is not recorded, so it is concluded from the answers.

A value that is read, or comes as an event, and that no recorded write explains, was set from inside. A status that only
an application gives was given by a handler. What the engine alone decides (privileges, permissions, ranges, existence)
is never concluded, so that a wrong answer of the engine stays visible.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from hapcore.accessory.events import CharacteristicWrite
from hapcore.codec.json import JsonError, JsonValue, read_tolerant
from hapcore.ids import CharacteristicId, HapStatus, Value
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.replay.meaning import same_value, values_of
from hapcore.replay.messages import Message

__all__ = ["Application", "identifier_of"]

#: What only an application says (HAP 9.1).
_OWN_FAILURES = frozenset(
    {HapStatus.UNABLE_TO_COMMUNICATE, HapStatus.BUSY, HapStatus.OUT_OF_RESOURCES, HapStatus.TIMED_OUT}
)
_BINARY = (Format.DATA, Format.TLV8)


def identifier_of(entry: Mapping[str, JsonValue]) -> CharacteristicId | None:
    """The ids of an entry, None where they are none."""
    aid, iid = entry.get("aid"), entry.get("iid")
    if type(aid) is int and type(iid) is int:
        return CharacteristicId(aid, iid)
    return None


class Application:
    """Concludes and plays what the recorded application did. Subclass it to play one that is known better.

    `handled` are the characteristics whose writes it decides about.
    """

    handled: frozenset[CharacteristicId] = frozenset()

    def __init__(self, database: Database) -> None:
        self.database = database
        self._asked_by_design = {
            characteristic.id: (characteristic.read_handled, characteristic.write_handled)
            for accessory in database.accessories
            for service in accessory.services
            for characteristic in service.characteristics
        }
        self._known: dict[CharacteristicId, JsonValue] = {}
        self._written: dict[CharacteristicId, JsonValue] = {}
        self._statuses: dict[CharacteristicId, HapStatus] = {}
        #: What control points answer, which only an application knows.
        self._responses: dict[CharacteristicId, Value] = {}
        self._reset()

    def write(self, write: CharacteristicWrite) -> HapStatus:
        """What the write handler says; by default what the recorded answer says."""
        return self._statuses.get(write.id, HapStatus.SUCCESS)

    def respond(self, write: CharacteristicWrite) -> Value:
        """What a control point answers to the write, by default what was recorded; None for the value written."""
        return self._responses.get(write.id)

    def read(self, number: CharacteristicId) -> Value | HapStatus:
        """What the read handler says."""
        if number in self._statuses:
            return self._statuses[number]
        if number in self._responses:
            return self._responses[number]
        characteristic = self.database.find(*number)
        return HapStatus.DOES_NOT_EXIST if characteristic is None else characteristic.value

    def before(self, request: Message, answer: Message | None) -> dict[CharacteristicId, Value]:
        """Get ready for a request that was answered so; the result is what must be set from inside before."""
        self._reset()
        if answer is None:
            return {}
        if request.method == "PUT" and request.path == "/characteristics":
            self._note_writes(request, answer)
            return {}
        return self._conclude(values_of(answer)) if request.method == "GET" else {}

    def _reset(self) -> None:
        """Only what is known beforehand: the recorded answer may add to it."""
        self._statuses.clear()
        self._responses.clear()
        for number, (read_handled, write_handled) in self._asked_by_design.items():
            characteristic = self.database.find(*number)
            if characteristic is not None:
                characteristic.read_handled = read_handled or characteristic.control_point
                # Only an application can judge additional authorization data.
                characteristic.write_handled = write_handled or number in self.handled or characteristic.authorized
                characteristic.write_handled |= characteristic.control_point

    def before_event(self, event: Message) -> dict[CharacteristicId, Value]:
        """What must have been set from inside so that this event came."""
        return self._conclude(values_of(event))

    def presses(self, event: Message) -> dict[CharacteristicId, Value]:
        """The buttons that were pressed so that this event came, though their values may not have changed."""
        found: dict[CharacteristicId, Value] = {}
        for entry in values_of(event):
            number = identifier_of(entry)
            characteristic = self.database.find(*number) if number is not None else None
            if number is not None and characteristic is not None and characteristic.immediate and "value" in entry:
                found[number] = _value(characteristic, entry["value"])
        return found

    def _note_writes(self, request: Message, answer: Message) -> None:
        statuses: dict[CharacteristicId, int] = {}
        for entry in values_of(answer):
            number, status = identifier_of(entry), entry.get("status")
            if number is not None and type(status) is int:
                statuses[number] = status
            found = self.database.find(*number) if number is not None else None
            if found is not None and found.control_point and "value" in entry:
                self._responses[found.id] = _value(found, entry["value"])
        if answer.status not in (200, 204, 207):
            return
        for entry in _entries(request):
            number = identifier_of(entry)
            characteristic = self.database.find(*number) if number is not None else None
            if number is None or characteristic is None or "value" not in entry:
                continue
            status = statuses.get(number, 0)
            if status == 0:
                self._written[number] = entry["value"]
                self._known.pop(number, None)
            elif status in _OWN_FAILURES or (
                status == HapStatus.INSUFFICIENT_AUTHORIZATION and characteristic.authorized
            ):
                self._statuses[number] = HapStatus(status)
                characteristic.write_handled = True

    def _conclude(self, entries: Iterable[Mapping[str, JsonValue]]) -> dict[CharacteristicId, Value]:
        changes: dict[CharacteristicId, Value] = {}
        for entry in entries:
            number = identifier_of(entry)
            characteristic = self.database.find(*number) if number is not None else None
            if number is None or characteristic is None or not characteristic.readable:
                continue
            status = entry.get("status", 0)
            if status in _OWN_FAILURES and type(status) is int:
                self._statuses[number] = HapStatus(status)
                characteristic.read_handled = True
            elif "value" in entry and entry["value"] is None:
                if not (characteristic.reads_null or characteristic.admin_only_read):
                    self._statuses[number] = HapStatus.UNABLE_TO_COMMUNICATE
                    characteristic.read_handled = True
            elif "value" in entry and characteristic.control_point:
                self._responses[number] = _value(characteristic, entry["value"])
            elif "value" in entry:
                value = entry["value"]
                if not self._explained(characteristic, value):
                    changes[number] = _value(characteristic, value)
                self._known[number] = value
                self._written.pop(number, None)
        return changes

    def _explained(self, characteristic: AnyCharacteristic, value: JsonValue) -> bool:
        """Whether the engine holds this value already, or should do so by what was recorded before."""
        if same_value(value, _json(characteristic.value)):
            return True
        number = characteristic.id
        if number in self._written:
            return _caused(characteristic, self._written[number], value)
        return number in self._known and same_value(self._known[number], value)


def _entries(request: Message) -> list[dict[str, JsonValue]]:
    try:
        body = read_tolerant(request.body)
    except JsonError:
        return []
    entries = body.get("characteristics") if isinstance(body, dict) else None
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _caused(characteristic: AnyCharacteristic, written: JsonValue, read: JsonValue) -> bool:
    """Whether writing the one may have led to reading the other: rounding to the step, or a text cut at a NUL."""
    if same_value(written, read):
        return True
    if isinstance(written, bool | int | float) and isinstance(read, bool | int | float):
        return abs(float(written) - float(read)) <= (characteristic.metadata.step or 0) / 2 + 1e-6 * abs(float(written))
    return isinstance(written, str) and isinstance(read, str) and "\0" in written and written.startswith(read)


def _json(value: Value) -> JsonValue:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _value(characteristic: AnyCharacteristic, value: JsonValue) -> Value:
    form = characteristic.metadata.format
    if isinstance(value, str) and form in _BINARY:
        return base64.b64decode(value)
    if isinstance(value, bool | int | float):
        return bool(value) if form is Format.BOOL else float(value) if form is Format.FLOAT else int(value)
    return value if isinstance(value, str) else None
