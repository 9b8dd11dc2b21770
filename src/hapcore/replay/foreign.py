"""Recordings of the format "hap-capture/1": one run of one controller library against one accessory library."""

from __future__ import annotations

from hapcore.crypto.secret import Secret
from hapcore.replay.fields import Fields, RecordingError
from hapcore.replay.messages import Message, Messages
from hapcore.replay.script import (
    Accessory,
    Closed,
    Controller,
    Expect,
    Feed,
    Hangup,
    Scene,
    Script,
    Secure,
    SetupRun,
    Step,
    Track,
    VerifyRun,
)
from hapcore.replay.wire import Frames

__all__ = ["FORMAT", "read"]

FORMAT = "hap-capture/1"


def read(recording: object) -> Script:
    """Read the decoded JSON of a recording. `RecordingError` says what is missing or of another kind."""
    top = Fields.of(recording)
    if top.text("format", "") != FORMAT:
        raise RecordingError(f"format: expected {FORMAT!r}, got {top.text('format', '')!r}")
    ltsk, ltpk = top.maybe_hex("accessory_ltsk"), top.maybe_hex("accessory_ltpk")
    connections = top.objects("connections")
    salts = [run.maybe_hex("salt") for each in connections for run in each.objects("pair_setup")]
    return Script(
        name=top.text("name"),
        format=FORMAT,
        accessory=Accessory(
            device_id=top.text("accessory_id"),
            ltsk=Secret(ltsk) if ltsk is not None else None,
            ltpk=ltpk,
            setup_code=top.text("setup_code"),
            salt=next((salt for salt in salts if salt is not None), None),
            app=top.child("accessory").text("name", ""),
        ),
        controllers=tuple(
            Controller(each.text("id"), Secret(each.hex("ltsk")), each.hex("ltpk"))
            for each in top.objects("controllers")
        ),
        scenes=(
            Scene(
                name=top.text("name"),
                note=" against ".join(top.child(side).text("name", "?") for side in ("controller", "accessory")),
                tracks=tuple(_track(f"c{index}", each) for index, each in enumerate(connections)),
            ),
        ),
    )


def _track(name: str, connection: Fields) -> Track:
    verifies = connection.objects("pair_verify")
    return Track(
        name=name,
        steps=_steps(connection, verifies[0] if verifies else None),
        setups=tuple(_setup(run) for run in connection.objects("pair_setup")),
        verifies=tuple(_verify(run) for run in verifies),
    )


def _steps(connection: Fields, verify: Fields | None) -> tuple[Step, ...]:
    steps: list[Step] = []
    requests, answers = Messages(), Messages()
    c2a: Frames | None = None
    a2c: Frames | None = None
    last = connection.number("opened", 0.0)
    verifying = False
    pending = b""
    for t, direction, data in _chunks(connection):
        last = t
        if direction == "c2a":
            found = requests.feed(c2a.open(data) if c2a is not None else data)
            verifying = any(each.path == "/pair-verify" and each.state == 3 for each in found) or (
                verifying and not found
            )
            steps.append(Feed(t, data, tuple(found)))
            continue
        pending += data
        for message in answers.feed(a2c.open(data) if a2c is not None else data):
            steps.append(Expect(t, message, pending))
            pending = b""
            if verifying and verify is not None and verify.has("a2c_key") and _accepted(message):
                keys = Secret(verify.hex("a2c_key")), Secret(verify.hex("c2a_key"))
                steps.append(Secure(t, *keys))
                a2c, c2a, verifying = Frames(keys[0]), Frames(keys[1]), False
    for t, what in _ends(connection):
        last = max(last, t)
        steps.append(Closed(last) if what.startswith("accessory") else Hangup(last))
        break
    else:
        steps.append(Hangup(last))
    return tuple(steps)


def _accepted(message: Message) -> bool:
    return message.state == 4 and all(kind != 7 for kind, _ in message.items)


def _chunks(connection: Fields) -> list[tuple[float, str, bytes]]:
    found: list[tuple[float, str, bytes]] = []
    for index in range(len(connection.sequence("chunks"))):
        row = connection.row("chunks", index)
        direction = row.text("1")
        if direction not in ("c2a", "a2c"):
            raise RecordingError(f"{row.place}: the direction is neither c2a nor a2c")
        found.append((row.number("0"), direction, row.hex("2")))
    return found


def _ends(connection: Fields) -> list[tuple[float, str]]:
    rows = [connection.row("ends", index) for index in range(len(connection.sequence("ends")))]
    return [(row.number("0"), row.text("1")) for row in rows]


def _setup(run: Fields) -> SetupRun:
    key = run.maybe_hex("accessory_K") or run.maybe_hex("controller_K")
    return SetupRun(
        controller="",
        code=run.text("controller_code") if run.has("controller_code") else None,
        a=run.maybe_integer("a"),
        b=run.maybe_integer("b"),
        salt=run.maybe_hex("salt"),
        a_public=run.maybe_integer("A"),
        b_public=run.maybe_integer("B"),
        session_key=Secret(key) if key is not None else None,
    )


def _verify(run: Fields) -> VerifyRun:
    def secret(key: str) -> Secret | None:
        data = run.maybe_hex(key)
        return Secret(data) if data is not None else None

    return VerifyRun(
        controller=run.text("controller_id", ""),
        controller_secret=secret("controller_x25519"),
        accessory_secret=secret("accessory_x25519"),
        verify_key=secret("verify_key"),
    )
