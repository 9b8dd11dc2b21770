"""HAP-python under test: one of the sets that ours serve, on 127.0.0.1, without mDNS.

First line: `{"port": ..., "imported": ..., "versions": ...}`. Command: `{"do": "press", "count": N}` makes N changes,
letting the loop run after each, and answers `{"done": N}`. Ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_started = time.perf_counter()
from pyhap.accessory import Accessory, Bridge  # noqa: E402 - the import is part of what is measured
from pyhap.accessory_driver import AccessoryDriver  # noqa: E402
from pyhap.const import CATEGORY_LIGHTBULB, CATEGORY_SENSOR  # noqa: E402

IMPORTED = time.perf_counter()


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


def counter(driver, number):
    """A sensor of carbon dioxide, whose level only ever goes up."""
    accessory = Quiet(driver, f"Counter {number}")
    accessory.category = CATEGORY_SENSOR
    return accessory, accessory.add_preload_service("CarbonDioxideSensor", chars=["CarbonDioxideLevel"])


async def main(arguments):
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    driver = AccessoryDriver(
        loop=loop,
        address="127.0.0.1",
        port=arguments.port,
        pincode=b"031-45-154",
        persist_file=str(Path(arguments.state) / "happython.json"),
        async_zeroconf_instance=SilentAdvertiser(),
    )
    driver.http_server._addr_port = ("127.0.0.1", arguments.port)
    dice, levels = random.Random(1), []
    if arguments.set == "light":
        top = light(driver, "Light", button=True)
        button = top.get_service("StatelessProgrammableSwitch").get_characteristic("ProgrammableSwitchEvent")
    elif arguments.set == "counters":
        top = QuietBridge(driver, "Bridge")
        for number in range(20):
            accessory, service = counter(driver, number)
            top.add_accessory(accessory)
            levels.append(service.get_characteristic("CarbonDioxideLevel"))
    elif arguments.set == "full":
        top = QuietBridge(driver, "Bridge")
        for number in range(149):
            top.add_accessory(light(driver, f"Light {number}", button=False))
    else:
        top = QuietBridge(driver, "Bridge")
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
        imported=IMPORTED - _started,
        built=time.perf_counter() - IMPORTED,
        python=sys.version.split()[0],
        versions={name: version(name) for name in ("HAP-python", "cryptography", "orjson", "h11")},
    )
    while line := await reader.readline():
        command = json.loads(line)
        for number in range(command["count"]):
            if levels:
                level = dice.choice(levels)
                level.set_value(level.value + 1)
            else:
                button.set_value(number & 1)
            await asyncio.sleep(0)
        say(done=command["count"])


def say(**line):
    """Print one JSON line."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", choices=["light", "bridge", "counters", "full"], default="light")
    parser.add_argument("--state", help="the folder for the state, which stays; else one of its own")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        options.state = options.state or directory
        asyncio.run(main(options))
