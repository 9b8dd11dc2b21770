"""Recordings of the format "hap-ip-capture-1": one accessory, cases that build on each other, random draws included."""

from __future__ import annotations

from hapcore.crypto.secret import Secret
from hapcore.replay.fields import Fields, RecordingError
from hapcore.replay.messages import Message, parse_message
from hapcore.replay.script import (
    Accessory,
    Closed,
    Controller,
    Expect,
    Feed,
    Hangup,
    Reopen,
    Scene,
    Script,
    Secure,
    SetupRun,
    Silence,
    Step,
    Track,
    VerifyRun,
)

__all__ = ["FORMAT", "read"]

FORMAT = "hap-ip-capture-1"


def read(recording: object) -> Script:
    """Read the decoded JSON of a recording. `RecordingError` says what is missing or of another kind."""
    top = Fields.of(recording)
    if top.text("format", "") != FORMAT:
        raise RecordingError(f"format: expected {FORMAT!r}, got {top.text('format', '')!r}")
    accessory = top.child("accessory")
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
        scenes=tuple(
            Scene(
                name=case.text("name"),
                note=case.text("note", ""),
                tracks=tuple(_track(connection) for connection in case.objects("connections")),
            )
            for case in top.objects("cases")
        ),
        announced=tuple(
            {key: str(value) for key, value in record.data.items()}
            for key in ("txt_before", "txt", "txt_after")
            for record in top.objects(key)
        ),
    )


def _track(connection: Fields) -> Track:
    sessions = connection.objects("sessions")
    steps: list[Step] = []
    secured = False
    for record in connection.objects("log"):
        t = record.number("t")
        if record.has("secured"):
            keys = sessions[int(record.number("secured"))]
            steps.append(Secure(t, Secret(keys.hex("a2c")), Secret(keys.hex("c2a"))))
            secured = True
        elif record.has("reconnected"):
            steps.append(Reopen(t))
            secured = False
        elif record.has("closed"):
            steps.append(Hangup(t) if record.text("dir") == ">" else Closed(t))
        elif record.has("nothing_for"):
            steps.append(Silence(t, record.number("nothing_for")))
        elif record.text("dir", "") == ">":
            forged = secured and not record.flag("encrypted")
            message = _message(record)
            steps.append(
                Feed(
                    t,
                    record.hex("raw"),
                    (message,) if message is not None and not forged else (),
                    record.text("what", ""),
                    forged,
                )
            )
        elif record.text("dir", "") == "<":
            steps.append(Expect(t, _message(record) or Message("", {}, b""), record.maybe_hex("raw") or b""))
    return Track(
        name=connection.text("id", connection.place),
        steps=tuple(steps),
        setups=tuple(_setup(run) for run in connection.objects("pair_setup")),
        verifies=tuple(_verify(run) for run in connection.objects("pair_verify")),
        draws=tuple(
            Secret(data)
            for source in (connection, *connection.objects("pair_setup"), *connection.objects("pair_verify"))
            for data in source.hexes("accessory_random")
            if len(data) == 32
        ),
    )


def _message(record: Fields) -> Message | None:
    if record.has("text"):
        return parse_message(record.text("text").encode("utf-8", "surrogateescape"))
    if record.has("head"):
        return parse_message(record.text("head").encode("utf-8", "surrogateescape") + record.hex("body"))
    if record.has("plain"):
        return parse_message(record.hex("plain"))
    return None


def _setup(run: Fields) -> SetupRun:
    controller = run.text("controller", "")
    if not run.has("srp"):
        return SetupRun(controller)
    srp = run.child("srp")
    key = srp.maybe_hex("K")
    return SetupRun(
        controller,
        code=srp.text("code") if srp.has("code") else None,
        a=srp.maybe_integer("a"),
        b=srp.maybe_integer("b"),
        salt=srp.maybe_hex("salt"),
        a_public=srp.maybe_integer("A"),
        b_public=srp.maybe_integer("B"),
        session_key=Secret(key) if key is not None else None,
    )


def _verify(run: Fields) -> VerifyRun:
    def secret(key: str) -> Secret | None:
        data = run.maybe_hex(key)
        return Secret(data) if data is not None else None

    return VerifyRun(
        controller=run.text("controller", ""),
        controller_secret=secret("controller_ephemeral_secret"),
        verify_key=secret("verify_key"),
    )
