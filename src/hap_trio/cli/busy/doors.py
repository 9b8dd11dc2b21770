"""What opens and closes, and takes its time for it."""

from __future__ import annotations

import trio

from hap_trio.cli.busy.device import Device, Dice, Wake, device
from hapcore.catalogue.services import ContactSensor, GarageDoorOpener, LockMechanism, WindowCovering
from hapcore.catalogue.values import (
    ContactSensorState,
    CurrentDoorState,
    LockCurrentState,
    LockTargetState,
    PositionState,
    TargetDoorState,
)

__all__ = ["blinds", "contact", "garage", "lock"]

#: Seconds.
_BOLT = 1.5
_GATE = 12.0
#: Per cent of a blind's way in a second.
_PACE = 5


def lock(dice: Dice) -> Device:
    """The bolt needs a moment. Somebody comes home and locks the door behind him."""
    it = LockMechanism(
        "Front door", lock_current_state=LockCurrentState.SECURED, lock_target_state=LockTargetState.SECURED
    )
    wake = Wake()
    it.lock_target_state.setter(wake.up)

    async def live() -> None:
        while True:
            if not await wake.within(dice.uniform(30, 90)):
                it.lock_target_state.value = LockTargetState(1 - it.lock_target_state.value)
            await trio.sleep(_BOLT)
            it.lock_current_state.value = LockCurrentState(int(it.lock_target_state.value))

    return device("lock", it, live)


def garage(dice: Dice) -> Device:
    """Opening, open, closing, closed; who changes his mind on the way has it turn round."""
    it = GarageDoorOpener(
        "Garage", current_door_state=CurrentDoorState.CLOSED, target_door_state=TargetDoorState.CLOSED
    )
    wake = Wake()
    it.target_door_state.setter(wake.up)

    async def live() -> None:
        while True:
            if not await wake.within(dice.uniform(40, 120)):
                it.target_door_state.value = TargetDoorState(1 - it.target_door_state.value)
            turned = True
            while turned:
                opening = it.target_door_state.value is TargetDoorState.OPEN
                it.current_door_state.value = CurrentDoorState.OPENING if opening else CurrentDoorState.CLOSING
                turned = await wake.within(_GATE)
            it.current_door_state.value = CurrentDoorState(int(it.target_door_state.value))

    return device("garage", it, live)


def blinds(dice: Dice) -> Device:
    """They move step by step; the sun or somebody moves them."""
    it = WindowCovering("Blinds", current_position=100, target_position=100, position_state=PositionState.STOPPED)
    wake = Wake()
    it.target_position.setter(wake.up)

    async def live() -> None:
        while True:
            if not await wake.within(dice.uniform(25, 80)):
                it.target_position.value = dice.randrange(0, 101, 10)
            while (away := it.target_position.value - it.current_position.value) != 0:
                it.position_state.value = PositionState.GOING_TO_MAXIMUM if away > 0 else PositionState.GOING_TO_MINIMUM
                await trio.sleep(1)
                away = it.target_position.value - it.current_position.value
                it.current_position.value += max(-_PACE, min(_PACE, away))
            it.position_state.value = PositionState.STOPPED

    return device("blinds", it, live)


def contact(dice: Dice) -> Device:
    """A window that is opened for some air. "Detected" is the contact: it is closed then."""
    it = ContactSensor("Kitchen window")

    async def live() -> None:
        while True:
            await dice.pause(20, 60)
            it.contact_sensor_state.value = ContactSensorState.NOT_DETECTED
            await dice.pause(5, 20)
            it.contact_sensor_state.value = ContactSensorState.DETECTED

    return device("contact", it, live)
