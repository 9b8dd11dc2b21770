"""What type checkers know of services and their characteristics. Never run; read by mypy and pyright."""

from __future__ import annotations

from typing import assert_type

from hapcore.accessory import Accessory, Caller, Characteristic, CharacteristicId, CharacteristicType
from hapcore.catalogue.characteristics import BRIGHTNESS, LOCK_TARGET_STATE
from hapcore.catalogue.services import Lightbulb, LockMechanism, TemperatureSensor
from hapcore.catalogue.values import LockCurrentState, LockTargetState

light = Lightbulb("Desk lamp", on=False, brightness=40, hue=12.5)
lock = LockMechanism(
    "Front door",
    lock_current_state=LockCurrentState.SECURED,
    lock_target_state=Characteristic(LOCK_TARGET_STATE, LockTargetState.SECURED, timed=True, authorized=True),
)

# --- what they hold ---------------------------------------------------------------------------------------------------

assert_type(light.on, Characteristic[bool])
assert_type(light.brightness, Characteristic[int])
assert_type(light.hue, Characteristic[float])
assert_type(light.name, Characteristic[str])
assert_type(lock.lock_target_state, Characteristic[LockTargetState])
assert_type(TemperatureSensor("Window").current_temperature, Characteristic[float])
assert_type(light.on.value, bool)
assert_type(light.brightness.value, int)
assert_type(lock.lock_current_state.value, LockCurrentState)
assert_type(light.on.id, CharacteristicId)
assert_type(BRIGHTNESS, CharacteristicType[int])
assert_type(Characteristic(BRIGHTNESS, 40), Characteristic[int])
assert_type(light.get(BRIGHTNESS), Characteristic[int] | None)

light.on.value = True
light.brightness.value = 55
lock.lock_target_state.value = LockTargetState.UNSECURED

light.on.value = "on"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
light.brightness.value = 0.5  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
light.brightness.value = None  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
lock.lock_target_state.value = 1  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
lock.lock_target_state.value = LockCurrentState.SECURED  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
light.brightnes.value = 5  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
Lightbulb("Desk lamp", on="yes")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Lightbulb("Desk lamp", brightnes=40)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
Characteristic(LOCK_TARGET_STATE, timed="tw")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Characteristic(LOCK_TARGET_STATE, LockCurrentState.SECURED)  # type: ignore[misc] # pyright: ignore[reportArgumentType]

strip = Accessory("Strip")
assert_type(strip.name, str)
strip.name = "Desk"
strip.name = 1  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]

# --- handlers ---------------------------------------------------------------------------------------------------------


@light.on.setter
async def switch(value: bool, caller: Caller) -> None: ...


@light.brightness.setter
def dim(value: int, caller: Caller) -> None: ...


@lock.lock_target_state.setter
async def turn(value: LockTargetState, caller: Caller) -> object: ...


@light.hue.getter
async def hue(caller: Caller) -> float:
    return 12.5


@light.on.getter
def lit(caller: Caller) -> bool:
    return True


@light.on.setter  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def takes_text(value: str, caller: Caller) -> None: ...


@lock.lock_target_state.setter  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def takes_another_enum(value: LockCurrentState, caller: Caller) -> None: ...


@light.on.setter  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def forgets_the_caller(value: bool) -> None: ...


@light.brightness.getter  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def gives_text(caller: Caller) -> str:
    return "40"
