"""A thermostat that heats, and keeps a history: `python thermostat.py`, until Ctrl-C.

The heating is a task of its own beside the server. The last day is kept in thermostat.history, and every paired
controller can read it: a characteristic of our own holds it as it is in the file.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct

import trio

import hap_trio
from hapcore.accessory import Caller, Characteristic, CharacteristicType, Format, Metadata
from hapcore.catalogue.characteristics import TARGET_HEATING_COOLING_STATE
from hapcore.catalogue.services import Thermostat
from hapcore.catalogue.values import CurrentHeatingCoolingState as Doing
from hapcore.catalogue.values import TargetHeatingCoolingState as Mode

#: Seconds since 1970, degrees Celsius measured and wanted, whether it heated. A day has 1440 minutes.
ENTRY, KEPT = Struct("<Iff?"), 1440
HISTORY = CharacteristicType(
    "History", "6B8A0001-3C55-4B0C-9D5E-2F7A41C8E590", Metadata(Format.DATA, ["pr"], description="The last day"), bytes
)
FILE = Path("thermostat.history")

mode = Characteristic(TARGET_HEATING_COOLING_STATE, Mode.HEAT, valid_values=[Mode.OFF, Mode.HEAT])
hall = Thermostat("Hall", current_temperature=19.0, target_temperature=20.0, target_heating_cooling_state=mode)
history = hall.add(Characteristic(HISTORY, FILE.read_bytes() if FILE.exists() else b""))
wake, asked = trio.open_memory_channel[None](1)


@mode.setter
@hall.target_temperature.setter
def somebody_wants_something_else(_value: object, _caller: Caller) -> None:
    with suppress(trio.WouldBlock):
        wake.send_nowait(None)


def measure() -> float:
    """Here your sensor is asked. This room gets warmer while it is heated, and else colder."""
    warmer = 0.2 if hall.current_heating_cooling_state.value is Doing.HEAT else -0.1
    return round(hall.current_temperature.value + warmer, 1)


def decide(degrees: float) -> Doing:
    """Heating begins half a degree below what is wanted and goes on until it is reached: no switching to and fro."""
    slack = 0.0 if hall.current_heating_cooling_state.value is Doing.HEAT else 0.5
    return Doing.HEAT if mode.value is Mode.HEAT and degrees < hall.target_temperature.value - slack else Doing.OFF


def keep(entries: bytes) -> None:
    """Write the new file beside the old one: whenever the power fails, one of the two is whole."""
    new = FILE.with_suffix(".new")
    with new.open("wb") as file:
        file.write(entries)
        os.fsync(file.fileno())
    new.replace(FILE)


async def heat(every: float = 60.0) -> None:
    while True:
        degrees = measure()
        doing = decide(degrees)
        hall.current_temperature.value, hall.current_heating_cooling_state.value = degrees, doing
        entry = ENTRY.pack(int(time.time()), degrees, hall.target_temperature.value, doing is Doing.HEAT)
        history.value = (history.value + entry)[-KEPT * ENTRY.size :]
        try:
            await trio.to_thread.run_sync(keep, history.value)
        except OSError as error:  # a full disk is no reason to let a house freeze
            print("history:", error)
        with trio.move_on_after(every):
            await asked.receive()


async def main(every: float = 60.0) -> None:
    async with hap_trio.open_server(hall, state="thermostat.json"):
        await heat(every)


if __name__ == "__main__":
    trio.run(main)
