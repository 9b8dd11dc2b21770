"""HAP-python as the accessory: a light, a button, a lock and an echo, on 127.0.0.1, without mDNS; with it on `--host`.

Prints JSON lines: first `listening` with port, setup code and the numbers of the characteristics, then `paired`,
`unpaired`, `written` and `done`. Reads commands on stdin, one a line, and answers each with `done`:

    set NAME JSON-VALUE     change a value, which is an event for the subscribers
    press N                 press the button (0 single, 1 double, 2 long): an event that goes out at once
    quit
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from pathlib import Path
from uuid import UUID

from pyhap.accessory import Accessory
from pyhap.accessory_driver import AccessoryDriver
from pyhap.characteristic import Characteristic
from pyhap.const import CATEGORY_LIGHTBULB
from zeroconf.asyncio import AsyncZeroconf

ECHO = UUID("C0FFEE00-0000-4000-8000-0000000000E0")


def say(event, **rest):
    """Print one JSON line for the test."""
    print(json.dumps({"event": event, **rest}), flush=True)


class SilentAdvertiser:
    """Stands in for AsyncZeroconf: takes every call and sends nothing."""

    async def async_register_service(self, *_args, **_kwargs):
        """Would announce."""

    async def async_update_service(self, *_args, **_kwargs):
        """Would announce a change."""

    async def async_unregister_service(self, *_args, **_kwargs):
        """Would say goodbye."""

    async def async_close(self):
        """Would close the sockets."""


class Bench(Accessory):
    """One accessory with everything the tests want to touch."""

    category = CATEGORY_LIGHTBULB

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        light = self.add_preload_service("Lightbulb", chars=["Brightness"])
        button = self.add_preload_service("StatelessProgrammableSwitch")
        lock = self.add_preload_service("LockMechanism")
        self.names = {
            "on": light.configure_char("On", setter_callback=self.written("on")),
            "brightness": light.configure_char("Brightness", value=40, setter_callback=self.written("brightness")),
            "button": button.get_characteristic("ProgrammableSwitchEvent"),
            "lock_target": lock.configure_char(
                "LockTargetState",
                properties={"Permissions": ["pr", "pw", "ev", "tw"]},
                setter_callback=self.written("lock_target"),
            ),
        }
        echo = Characteristic("Echo", ECHO, {"Format": "string", "Permissions": ["pr", "pw", "wr"]})
        echo.broker = self
        light.add_characteristic(echo)
        self.iid_manager.assign(echo)
        echo.setter_callback = self.echo
        self.names["echo"] = echo

    def written(self, name):
        """Make the setter of `name`: it reports."""
        return lambda value: say("written", name=name, value=value)

    def echo(self, value):
        """Answer a write with the text turned round."""
        say("written", name="echo", value=value)
        return value[::-1]

    def get_snapshot(self, wanted):
        """Take a picture, as HAP-python asks whatever has this method."""
        return b"\xff\xd8%d by %d" % (wanted["image-width"], wanted["image-height"])

    def setup_message(self):
        """HAP-python would print a QR code between our lines."""

    def numbers(self):
        """The characteristics by our names, as "aid.iid"."""
        return {name: f"{self.aid}.{self.iid_manager.get_iid(found)}" for name, found in self.names.items()}


class Driver(AccessoryDriver):
    """The driver as it is, reporting pairing and unpairing."""

    def pair(self, *args):
        """Tell the test after the fact."""
        result = super().pair(*args)
        say("paired", ok=bool(result))
        return result

    def unpair(self, *args):
        """Tell the test after the fact."""
        super().unpair(*args)
        say("unpaired")


def obey(accessory, words):
    """Carry out one command."""
    if words[0] == "set":
        accessory.names[words[1]].set_value(json.loads(words[2]))
    elif words[0] == "press":
        button = accessory.names["button"]
        button.set_value(int(words[1]))
    else:
        raise ValueError(f"no such command: {words[0]}")


def free_port(host):
    """A port that nobody has: what it announces is what it was told."""
    with socket.socket() as trial:
        trial.bind((host, 0))
        return trial.getsockname()[1]


async def main(arguments):
    """Serve until stdin ends or says quit."""
    loop = asyncio.get_running_loop()
    host, port = (arguments.host, free_port(arguments.host)) if arguments.host else ("127.0.0.1", 0)
    driver = Driver(
        loop=loop,
        address=host,
        port=port,
        pincode=arguments.setup_code.encode(),
        persist_file=str(arguments.state / "happython.json"),
        async_zeroconf_instance=AsyncZeroconf(interfaces=[host]) if arguments.host else SilentAdvertiser(),
    )
    driver.http_server._addr_port = (host, port)  # port=0 would mean its default port, not any free one
    accessory = Bench(driver, "Bench")
    driver.add_accessory(accessory)
    await driver.async_start()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(
        "listening",
        host=host,
        port=driver.http_server.server.sockets[0].getsockname()[1],
        device_id=driver.state.mac,
        setup_code=arguments.setup_code,
        setup_uri=accessory.xhm_uri(),
        ids=accessory.numbers(),
    )
    while line := await reader.readline():
        words = line.decode().split(maxsplit=2)
        if words[0] == "quit":
            break
        try:
            obey(accessory, words)
            say("done", command=words[0])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
            say("failed", command=words[0], error=f"{type(error).__name__}: {error}")
    await driver.async_stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="directory for the accessory's files")
    parser.add_argument("--setup-code", default="031-45-154")
    parser.add_argument("--host", help="the address to be at, and to be announced at")
    asyncio.run(main(parser.parse_args()))
