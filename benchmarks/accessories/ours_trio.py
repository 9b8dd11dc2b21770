"""hap_trio under test: a light with a button, or a bridge of 121, on 127.0.0.1, without mDNS.

First line: `{"port": ..., "imported": ..., "versions": ...}`. Command: `{"do": "press", "count": N}` changes the button
N times, letting the loop run after each, and answers `{"done": N}`. Ends with its stdin.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--set", choices=["light", "bridge"], default="light")
parser.add_argument("--plain", action="store_true", help="without orjson and gmpy2, as if they were not installed")
parser.add_argument("--profile", type=Path, help="write a cProfile of the whole run to this file")
options = parser.parse_args()
if options.plain:
    sys.modules["orjson"] = sys.modules["gmpy2"] = None

_started = time.perf_counter()
import trio  # noqa: E402 - the import is part of what is measured

import hap_trio  # noqa: E402
from hapcore.catalogue import services  # noqa: E402
from hapcore.model.accessory import Accessory  # noqa: E402

IMPORT = time.perf_counter() - _started


def say(**line: object) -> None:
    """Print one JSON line."""
    print(json.dumps(line), flush=True)


def versions() -> dict[str, str]:
    """What this process runs on."""
    found = {}
    for name in ("hapcore", "trio", "cryptography", "orjson", "gmpy2"):
        if options.plain and name in ("orjson", "gmpy2"):
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def light(name: str, *, button: services.StatelessProgrammableSwitch | None = None) -> Accessory:
    """A lightbulb with brightness, whose setters are asked."""
    bulb = services.Lightbulb(on=False, brightness=40)
    bulb.on.setter(lambda _value, _caller: None)
    bulb.brightness.setter(lambda _value, _caller: None)
    return Accessory(name, services=[bulb] if button is None else [bulb, button])


def sensor(name: str) -> Accessory:
    """A temperature sensor."""
    return Accessory(name, services=[services.TemperatureSensor(current_temperature=21.5)])


async def commands(button: services.StatelessProgrammableSwitch | None) -> None:
    """Obey stdin until it ends."""
    stream = trio.lowlevel.FdStream(sys.stdin.fileno())
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            command = json.loads(line)
            event = button.programmable_switch_event
            for number in range(command["count"]):
                event.value = number & 1
                await trio.lowlevel.checkpoint()
            say(done=command["count"])


async def main(state: Path) -> None:
    """Serve until stdin ends."""
    button = None
    if options.set == "light":
        button = services.StatelessProgrammableSwitch()
        served = light("Light", button=button)
    else:
        served = [sensor(f"Sensor {number}") for number in range(100)]
        served += [light(f"Light {number}") for number in range(20)]
    async with hap_trio.open_server(
        served, state=state / "state.json", name="Bench", setup_code="031-45-154", address="127.0.0.1", mdns=False
    ) as server:
        say(
            port=server.port,
            device_id=server.device_id,
            imported=IMPORT,
            python=sys.version.split()[0],
            versions=versions(),
        )
        await commands(button)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        if options.profile:
            profiler = cProfile.Profile(time.process_time)
            profiler.runcall(trio.run, main, Path(directory))
            profiler.dump_stats(options.profile)
        else:
            trio.run(main, Path(directory))
