"""Recordings of the format "hap-ble-capture-1": one accessory, cases that build on each other, its random draws."""

from __future__ import annotations

from hapcore.crypto.secret import Secret
from hapcore.replay.ble.script import (
    Advert,
    Answer,
    Attribute,
    Case,
    Confirm,
    Connect,
    Disconnected,
    Indication,
    Kind,
    Read,
    Script,
    Secured,
    Step,
    Write,
)
from hapcore.replay.fields import Fields, RecordingError
from hapcore.replay.script import Accessory, Controller

__all__ = ["FORMAT", "read"]

FORMAT = "hap-ble-capture-1"


def read(recording: object) -> Script:
    """Read the decoded JSON of a recording. `RecordingError` says what is missing or of another kind."""
    top = Fields.of(recording)
    if top.text("format", "") != FORMAT:
        raise RecordingError(f"format: expected {FORMAT!r}, got {top.text('format', '')!r}")
    accessory = top.child("accessory")
    cases = top.objects("cases")
    return Script(
        name=top.text("name"),
        format=FORMAT,
        accessory=Accessory(
            device_id=accessory.text("device_id"),
            ltsk=Secret(accessory.hex("ltsk_seed")),
            ltpk=accessory.hex("ltpk"),
            setup_code=accessory.text("setup_code"),
            setup_id=accessory.text("setup_id") if accessory.has("setup_id") else None,
            salt=accessory.maybe_hex("srp_salt"),
            app=accessory.text("app", ""),
        ),
        controllers=tuple(
            Controller(each.text("id"), Secret(each.hex("ltsk_seed")), each.hex("ltpk"))
            for each in top.objects("controllers")
        ),
        cases=tuple(_case(case) for case in cases),
        attributes=_attributes(top.objects("gatt")),
        draws=tuple(
            Secret(data)
            for case in cases
            for run in (*case.objects("pair_setup"), *case.objects("pair_verify"))
            for data in run.hexes("accessory_random")
        ),
    )


def _handle(fields: Fields, key: str) -> int:
    return int(fields.number(key))


def _attributes(services: list[Fields]) -> dict[int, Attribute]:
    found: dict[int, Attribute] = {}
    for service in services:
        if service.has("iid_handle"):
            found[_handle(service, "iid_handle")] = Attribute(Kind.SERVICE_IID, _handle(service, "iid"))
        for characteristic in service.objects("characteristics"):
            iid, last = _handle(characteristic, "iid"), _handle(characteristic, "handle")
            found[last] = Attribute(Kind.VALUE, iid)
            if characteristic.has("ccc"):
                last = _handle(characteristic, "ccc")
                found[last] = Attribute(Kind.CONFIGURATION, iid)
            # The instance-id descriptor stands last and has no handle of its own in the recording.
            found.setdefault(last + 1, Attribute(Kind.CHARACTERISTIC_IID, iid))
    return found


def _case(case: Fields) -> Case:
    steps: list[Step] = []
    answers: dict[int, Answer] = {}
    # Backwards: the read that completes a response has it, the reads of its other fragments come before.
    for record in reversed(case.objects("log")):
        step = _step(record, answers)
        if step is not None:
            steps.append(step)
    return Case(
        name=case.text("name"),
        note=case.text("note", ""),
        steps=tuple(reversed(steps)),
        keys=tuple(Secret(session.hex("a2c")) if session.has("a2c") else None for session in case.objects("sessions")),
    )


def _step(record: Fields, answers: dict[int, Answer]) -> Step | None:
    t, op = record.number("t"), record.text("op", "")
    if op == "connect":
        answers.clear()
        return Connect(t, int(record.number("max_read")), int(record.number("max_write")))
    if op == "disconnected":
        return Disconnected(t, record.text("by", "") == "accessory")
    if op == "write":
        handle = _handle(record, "handle")
        answers.pop(handle, None)
        refused, lost = record.has("att_error"), _lost(record)
        return Write(t, handle, record.maybe_hex("raw") or b"", record.maybe_hex("plain"), refused, lost)
    if op == "read":
        return _read(record, t, answers)
    if op == "indication":
        return Indication(t, _handle(record, "handle"))
    if op == "confirm":
        return Confirm(t)
    if op == "secured":
        return Secured(t, int(record.number("session", 0)))
    if op == "advertising":
        return _advert(record)
    return None


def _lost(record: Fields) -> bool:
    """The link broke before it was answered."""
    return record.has("error") and not record.has("att_error")


def _read(record: Fields, t: float, answers: dict[int, Answer]) -> Read:
    handle = _handle(record, "handle")
    if record.has("result"):
        result = record.child("result")
        answers[handle] = Answer(int(result.number("status", 0)), result.maybe_hex("body") or b"")
    return Read(
        t,
        handle,
        record.maybe_hex("raw") or b"",
        record.maybe_hex("plain"),
        int(record.number("counter")) if record.has("counter") else None,
        record.has("att_error"),
        _lost(record),
        answers.get(handle),
    )


def _advert(record: Fields) -> Advert:
    at = record.number("at") if record.has("at") else record.number("t")
    if not record.flag("on"):
        return Advert(at, None)
    event: tuple[int, int, bytes] | None = None
    if record.has("encrypted"):
        encrypted = record.child("encrypted")
        if encrypted.has("plain"):
            plain = encrypted.hex("plain")
            event = (int.from_bytes(plain[:2], "little"), int.from_bytes(plain[2:4], "little"), plain[4:])
    return Advert(
        at,
        record.hex("ad"),
        record.maybe_hex("scan_response") or b"",
        record.number("interval_ms") / 1000,
        int(record.child("regular").number("gsn")) if record.has("regular") else None,
        event,
    )
