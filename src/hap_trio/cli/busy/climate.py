"""Heat and damp."""

from __future__ import annotations

import trio

from hap_trio.cli.busy.device import Device, Dice, device
from hapcore.catalogue.characteristics import CURRENT_TEMPERATURE
from hapcore.catalogue.services import HumiditySensor, TemperatureSensor, Thermostat
from hapcore.catalogue.values import CurrentHeatingCoolingState, TargetHeatingCoolingState
from hapcore.model.characteristic import Characteristic

__all__ = ["humidity", "temperature", "thermostat"]

_HEATS = (TargetHeatingCoolingState.HEAT, TargetHeatingCoolingState.AUTO)
_COOLS = (TargetHeatingCoolingState.COOL, TargetHeatingCoolingState.AUTO)
#: Degrees: how much a room changes in a step, and how far it may be from what was asked before anything is done.
_DRIFT = 0.1
_SLACK = 0.3
#: Seconds between two steps.
_STEP = 5.0


def thermostat(dice: Dice) -> Device:
    """The room drifts to what it is to be; left alone, to what it is outside. Somebody changes his mind at times."""
    it = Thermostat(
        "Hall",
        current_temperature=19.0,
        target_temperature=21.0,
        target_heating_cooling_state=TargetHeatingCoolingState.AUTO,
    )
    outside = 17.0

    def step() -> None:
        now, wanted, mode = (
            it.current_temperature.value,
            it.target_temperature.value,
            it.target_heating_cooling_state.value,
        )
        doing = it.current_heating_cooling_state.value
        # It goes on until it is there, and begins again only when it is well away: no switching to and fro.
        slack = 0.0 if doing is not CurrentHeatingCoolingState.OFF else _SLACK
        if mode in _HEATS and wanted - now > slack:
            doing, towards = CurrentHeatingCoolingState.HEAT, wanted
        elif mode in _COOLS and now - wanted > slack:
            doing, towards = CurrentHeatingCoolingState.COOL, wanted
        else:
            doing, towards = CurrentHeatingCoolingState.OFF, outside
        it.current_heating_cooling_state.value = doing
        away = towards - now
        it.current_temperature.value = round(now + max(-_DRIFT, min(_DRIFT, away)), 1)

    async def live() -> None:
        while True:
            await trio.sleep(_STEP)
            step()
            if dice.random() < 0.02:
                it.target_temperature.value = dice.randrange(36, 47) / 2

    return device("thermostat", it, live)


def temperature(dice: Dice) -> Device:
    """The garden."""
    it = TemperatureSensor("Garden", current_temperature=Characteristic(CURRENT_TEMPERATURE, 8.0, min=-40))

    async def live() -> None:
        while True:
            await dice.pause(5, 20)
            now = it.current_temperature.value
            it.current_temperature.value = round(min(35.0, max(-15.0, now + dice.uniform(-0.3, 0.3))), 1)

    return device("temperature", it, live)


def humidity(dice: Dice) -> Device:
    """The bathroom: somebody has a shower, and then it dries."""
    it = HumiditySensor("Bathroom", current_relative_humidity=45.0)

    async def live() -> None:
        while True:
            await dice.pause(5, 15)
            now = it.current_relative_humidity.value
            shower = dice.random() < 0.05
            it.current_relative_humidity.value = float(
                min(95, now + dice.randint(20, 40)) if shower else max(45, now - 1)
            )

    return device("humidity", it, live)
