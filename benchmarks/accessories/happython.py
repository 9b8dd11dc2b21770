"""HAP-python under test: a light with a button, or a bridge of 121, on 127.0.0.1, without mDNS.

First line: `{"port": ..., "imported": ..., "versions": ...}`. Command: `{"do": "press", "count": N}` changes the button
N times, letting the loop run after each, and answers `{"done": N}`. Ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_started = time.perf_counter()
from pyhap.accessory import Accessory, Bridge  # noqa: E402 - the import is part of what is measured
from pyhap.accessory_driver import AccessoryDriver  # noqa: E402
from pyhap.const import CATEGORY_LIGHTBULB, CATEGORY_SENSOR  # noqa: E402

IMPORT = time.perf_counter() - _started


class SilentAdvertiser:
    """Stands in for AsyncZeroconf."""

    async def async_register_service(self, *_args, **_kwargs):
        """Would announce."""

    async def async_update_service(self, *_args, **_kwargs):
        """Would announce a change."""

    async def async_unregister_service(self, *_args, **_kwargs):
        """Would say goodbye."""

    async def async_close(self):
        """Would close the sockets."""


class Quiet(Accessory):
    """An accessory that prints no QR code."""

    def setup_message(self):
        """HAP-python would print one here."""


class QuietBridge(Bridge):
    """A bridge that prints no QR code."""

    def setup_message(self):
        """HAP-python would print one here."""


def light(driver, name, *, button):
    """A lightbulb with brightness."""
    accessory = Quiet(driver, name)
    accessory.category = CATEGORY_LIGHTBULB
    service = accessory.add_preload_service("Lightbulb", chars=["Brightness"])
    service.configure_char("On", setter_callback=lambda _value: None)
    service.configure_char("Brightness", value=40, setter_callback=lambda _value: None)
    if button:
        accessory.add_preload_service("StatelessProgrammableSwitch")
    return accessory


def sensor(driver, name):
    """A temperature sensor."""
    accessory = Quiet(driver, name)
    accessory.category = CATEGORY_SENSOR
    accessory.add_preload_service("TemperatureSensor").configure_char("CurrentTemperature", value=21.5)
    return accessory


async def main(arguments):
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    driver = AccessoryDriver(
        loop=loop,
        address="127.0.0.1",
        port=0,
        pincode=b"031-45-154",
        persist_file=str(Path(arguments.state) / "happython.json"),
        async_zeroconf_instance=SilentAdvertiser(),
    )
    driver.http_server._addr_port = ("127.0.0.1", 0)
    if arguments.set == "light":
        top = light(driver, "Light", button=True)
        button = top.get_service("StatelessProgrammableSwitch").get_characteristic("ProgrammableSwitchEvent")
    else:
        top, button = QuietBridge(driver, "Bridge"), None
        for number in range(100):
            top.add_accessory(sensor(driver, f"Sensor {number}"))
        for number in range(20):
            top.add_accessory(light(driver, f"Light {number}", button=False))
    driver.add_accessory(top)
    await driver.async_start()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(
        port=driver.http_server.server.sockets[0].getsockname()[1],
        imported=IMPORT,
        python=sys.version.split()[0],
        versions={name: version(name) for name in ("HAP-python", "cryptography", "orjson", "h11")},
    )
    while line := await reader.readline():
        command = json.loads(line)
        for number in range(command["count"]):
            button.set_value(number & 1)
            await asyncio.sleep(0)
        say(done=command["count"])


def say(**line):
    """Print one JSON line."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", choices=["light", "bridge"], default="light")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as options.state:
        asyncio.run(main(options))
