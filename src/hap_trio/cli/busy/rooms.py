"""What is in the rooms: light, fan, outlet, button, motion, and water where none should be."""

from __future__ import annotations

import trio

from hap_trio.cli.busy.device import Device, Dice, device
from hapcore.catalogue.characteristics import EVE_ENERGY_WATT
from hapcore.catalogue.services import (
    Fan,
    LeakSensor,
    Lightbulb,
    MotionSensor,
    Outlet,
    StatelessProgrammableSwitch,
)
from hapcore.catalogue.values import LeakDetected, ProgrammableSwitchEvent
from hapcore.model.characteristic import Characteristic

__all__ = ["button", "fan", "lamp", "leak", "motion", "outlet"]


def lamp(dice: Dice) -> Device:
    """Somebody plays with its switch, its brightness and its colour."""
    it = Lightbulb("Colour lamp", on=True, brightness=60, hue=30.0, saturation=70.0)

    async def live() -> None:
        while True:
            await dice.pause(4, 15)
            what = dice.choice(["on", "brightness", "colour", "colour"])
            if what == "on":
                it.on.value = not it.on.value
            elif what == "brightness":
                it.brightness.value = dice.randint(5, 100)
            else:
                it.hue.value = float(dice.randint(0, 360))
                it.saturation.value = float(dice.randint(20, 100))

    return device("lamp", it, live)


def fan(dice: Dice) -> Device:
    """Its speed follows the draught."""
    it = Fan("Ceiling fan", on=True, rotation_speed=40.0)

    async def live() -> None:
        while True:
            await dice.pause(10, 30)
            it.on.value = dice.random() < 0.8
            if it.on.value:
                it.rotation_speed.value = float(dice.randrange(20, 101, 10))

    return device("fan", it, live)


def outlet(dice: Dice) -> Device:
    """A washing machine: what it draws goes up and down, and to nothing when it is switched off."""
    it = Outlet("Washing machine", on=True, outlet_in_use=True)
    watt = it.add(Characteristic(EVE_ENERGY_WATT, 0.0))

    async def live() -> None:
        while True:
            running = it.on.value
            drawn = round(dice.choice([2.5, 60.0, 400.0, 2000.0]) * dice.uniform(0.9, 1.1), 1) if running else 0.0
            watt.value = drawn
            it.outlet_in_use.value = drawn > 0
            await dice.pause(3, 10)

    return device("outlet", it, live)


def motion(dice: Dice) -> Device:
    """Somebody comes, and goes on."""
    it = MotionSensor("Corridor", motion_detected=False)

    async def live() -> None:
        while True:
            await dice.pause(8, 40)
            it.motion_detected.value = True
            await dice.pause(3, 8)
            it.motion_detected.value = False

    return device("motion", it, live)


def leak(dice: Dice) -> Device:
    """Dry nearly always."""
    it = LeakSensor("Cellar floor")

    async def live() -> None:
        while True:
            await dice.pause(120, 400)
            it.leak_detected.value = LeakDetected.DETECTED
            await dice.pause(15, 40)
            it.leak_detected.value = LeakDetected.NOT_DETECTED

    return device("leak", it, live)


def button(dice: Dice) -> Device:
    """Pressed once, twice or long; equal presses are events, too."""
    it = StatelessProgrammableSwitch("Button")

    async def live() -> None:
        while True:
            await trio.sleep(dice.expovariate(1 / 20) + 1)
            it.programmable_switch_event.value = dice.choice(list(ProgrammableSwitchEvent))

    return device("button", it, live)
