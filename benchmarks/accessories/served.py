"""What the accessories of ours under test have in common: options, the things that are served, the first line.

The time that `import` takes is counted from here on, with orjson and gmpy2 hidden if so wanted.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--set", choices=["light", "bridge", "counters", "full"], default="light")
parser.add_argument("--state", type=Path, help="the folder for the state, which stays; else one of its own")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--plain", action="store_true", help="without orjson and gmpy2, as if they were not installed")
parser.add_argument("--profile", type=Path, help="write a cProfile of the whole run to this file")
options = parser.parse_args()
if options.plain:
    sys.modules["orjson"] = sys.modules["gmpy2"] = None

STARTED = time.perf_counter()
from hapcore.catalogue import services  # noqa: E402 - the import is part of what is measured
from hapcore.model.accessory import Accessory  # noqa: E402

#: How to serve, for `open_server()` of each adapter; the state goes to a file.
SETTINGS = {"name": "Bench", "setup_code": "031-45-154", "address": "127.0.0.1", "port": options.port, "mdns": False}


def say(**line: object) -> None:
    """Print one JSON line."""
    print(json.dumps(line), flush=True)


def hello(port: int, imported: float) -> None:
    """Print the first line: `imported` is when the last import was done."""
    found = {}
    for name in ("hapcore", "trio", "cryptography", "orjson", "gmpy2"):
        if options.plain and name in ("orjson", "gmpy2"):
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    built = time.perf_counter() - imported
    say(port=port, imported=imported - STARTED, built=built, python=sys.version.split()[0], versions=found)


def _light(name: str, *more: services.StatelessProgrammableSwitch) -> Accessory:
    """A lightbulb with brightness, whose setters are asked."""
    bulb = services.Lightbulb(on=False, brightness=40)
    bulb.on.setter(lambda _value, _caller: None)
    bulb.brightness.setter(lambda _value, _caller: None)
    return Accessory(name, services=[bulb, *more])


def _sensor(name: str) -> Accessory:
    """A temperature sensor."""
    return Accessory(name, services=[services.TemperatureSensor(current_temperature=21.5)])


_button = services.StatelessProgrammableSwitch()
_counters = [services.CarbonDioxideSensor(carbon_dioxide_level=0.0) for _ in range(20)]
_dice = random.Random(1)


def step(number: int) -> None:
    """One change: a press of the button, or one of the counters goes up."""
    if options.set == "light":
        _button.programmable_switch_event.value = number & 1
    else:
        counter = _dice.choice(_counters).carbon_dioxide_level
        counter.value += 1


def served() -> Accessory | list[Accessory]:
    """The light with a button, the bridge of 121, the one of 21 with counters, or the one of 150."""
    if options.set == "light":
        return _light("Light", _button)
    if options.set == "counters":
        return [Accessory(f"Counter {number}", services=[one]) for number, one in enumerate(_counters)]
    if options.set == "full":
        return [_light(f"Light {number}") for number in range(149)]
    sensors = [_sensor(f"Sensor {number}") for number in range(100)]
    return sensors + [_light(f"Light {number}") for number in range(20)]


def run(main: Callable[[Path], object]) -> None:
    """Call `main` with a file for the state, under the profiler if so wanted."""
    with tempfile.TemporaryDirectory() as directory:
        file = (options.state or Path(directory)) / "state.json"
        if options.profile:
            profiler = cProfile.Profile(time.process_time)
            profiler.runcall(main, file)
            profiler.dump_stats(options.profile)
        else:
            main(file)
