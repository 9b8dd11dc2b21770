"""What `hap serve` tells: how to reach the accessory, and what happens to it."""

from __future__ import annotations

import io

import click
import segno

import hap_trio
from hap_trio.ble import PeripheralServer
from hap_trio.cli.common import emit, plain, say, shown
from hap_trio.cli.label import draw
from hap_trio.cli.terminal import clean, tidy
from hapcore.engine import Event
from hapcore.ids import Caller
from hapcore.ip.accessory import (
    CharacteristicsWritten,
    HideSetupCode,
    IdentifyRequested,
    PairingAdded,
    PairingRemoved,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    ShowSetupCode,
    WriteRequested,
)
from hapcore.setup_code import SetupPayload

__all__ = ["introduce", "label", "qr_code", "report"]


#: What can be done when 100 wrong codes have locked it.
LOCKED = (
    "Pairing is locked: 100 wrong setup codes were tried. Somebody may be guessing; if it was you, stop this, "
    "run `hap reset --attempts --state FILE` and start again."
)


def qr_code(uri: str) -> str:
    """The setup payload as a QR code for a terminal."""
    drawing = io.StringIO()
    segno.make_qr(uri).terminal(drawing, compact=True)
    return drawing.getvalue()


def _who(caller: Caller) -> str:
    return caller.pairing_id.decode(errors="replace")


def records(event: Event) -> list[dict[str, object]]:
    """An event of the server as JSON objects."""
    if isinstance(event, CharacteristicsWritten | WriteRequested):
        return [
            {
                "event": "write",
                "aid": write.id.aid,
                "iid": write.id.iid,
                "value": plain(write.value),
                "controller": _who(event.caller),
            }
            for write in event.writes
        ]
    if isinstance(event, PairingAdded):
        return [{"event": "paired", "controller": event.identifier.decode(errors="replace"), "admin": event.admin}]
    if isinstance(event, PairingRemoved):
        return [{"event": "unpaired", "controller": event.identifier.decode(errors="replace")}]
    if isinstance(event, SessionOpened):
        return [{"event": "connect", "controller": _who(event.caller)}]
    if isinstance(event, SessionClosed):
        return [{"event": "disconnect", "controller": _who(event.caller)}]
    if isinstance(event, SetupAttemptFailed):
        return [{"event": "attempt-failed", "failures": event.failures, "limit": event.limit}]
    if isinstance(event, ShowSetupCode):
        return [{"event": "show-code", "setup_code": event.code.text, "setup_uri": event.payload.uri()}]
    if isinstance(event, HideSetupCode):
        return [{"event": "hide-code"}]
    if isinstance(event, IdentifyRequested):
        return [{"event": "identify"}]
    return []


def sentence(record: dict[str, object]) -> str:
    """The same for people."""
    kind, who = record["event"], clean(str(record.get("controller")))
    if kind == "write":
        value = record["value"]
        text = shown(value) if isinstance(value, bool | int | float | str) else str(value)
        return f"{record['aid']}.{record['iid']} = {text}, written by {who}"
    if kind == "paired":
        return f"paired with {who}{' (admin)' if record['admin'] else ''}"
    if kind == "attempt-failed":
        said = f"a controller tried a wrong setup code ({record['failures']} of {record['limit']})"
        return f"{said}\n{LOCKED}" if record["failures"] == record["limit"] else said
    if kind == "show-code":
        return f"somebody wants to pair. Setup code: {record['setup_code']}\n{qr_code(str(record['setup_uri']))}"
    if kind == "hide-code":
        return "that setup code is good no longer."
    if kind == "identify":
        return "somebody asks: which accessory is this?"
    words = {"unpaired": "no longer paired with", "connect": "connected:", "disconnect": "disconnected:"}
    return f"{words[str(kind)]} {who}"


def introduce(
    server: hap_trio.AccessoryServer | PeripheralServer, name: str, as_json: bool, hci: str | None = None
) -> None:
    """How to find it, and how to pair it. `hci` is the Bluetooth controller of one that advertises there."""
    where: dict[str, object]
    if isinstance(server, PeripheralServer):
        where = {"transport": "ble", "hci": hci}
        place = f"over Bluetooth LE ({hci})"
    else:
        where = {"host": server.host, "port": server.port}
        place = f"on {server.host} port {server.port}"
    if as_json:
        emit(
            {
                "event": "listening",
                **where,
                "device_id": server.device_id,
                **_secrets(server),
                "paired": server.paired,
                "locked": server.locked,
            }
        )
        return
    say(f"[bold]{tidy(name)}[/bold] is served {place}, device id {server.device_id}.")
    if server.paired:
        say("It is paired. To pair it anew, remove its pairings first.")
    elif server.locked:
        click.echo(LOCKED)
    elif server.displays:
        say("Its setup code is shown here as soon as a controller begins to pair.")
    else:
        say(f"Setup code: [bold]{server.setup_code}[/bold]   {server.setup_uri}")
        click.echo(qr_code(server.setup_uri))
    say("Ctrl-C ends it.")


def _secrets(server: hap_trio.AccessoryServer | PeripheralServer) -> dict[str, object]:
    """What is needed to pair it, as long as that can be done."""
    if server.paired or server.displays:
        return {"setup_code": None, "setup_uri": None}
    return {"setup_code": server.setup_code, "setup_uri": server.setup_uri}


def label(server: hap_trio.AccessoryServer | PeripheralServer, file: str) -> None:
    """Write the label of one that can be paired; the code of another is nobody's business."""
    if server.paired:
        click.echo(f"hap: it is paired, so there is nothing to write into {file}", err=True)
        return
    draw(SetupPayload.parse(server.setup_uri), file)


async def report(server: hap_trio.AccessoryServer | PeripheralServer, as_json: bool) -> None:
    """Tell of everything that happens."""
    async for event in server.events():
        for record in records(event):
            if as_json:
                emit(record)
            else:
                click.echo(sentence(record))
