"""The ready-made accessories of `hap serve`, and how to name one's own."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import cast

import click

from hap_trio.cli.built import Built, Thing
from hap_trio.cli.problem import Problem
from hapcore.catalogue.services import (
    Fan,
    Lightbulb,
    LockMechanism,
    Outlet,
    Switch,
    TemperatureSensor,
    Thermostat,
)
from hapcore.catalogue.values import (
    CurrentHeatingCoolingState,
    LockCurrentState,
    LockTargetState,
    TargetHeatingCoolingState,
)
from hapcore.ids import Caller
from hapcore.model.accessory import Accessory
from hapcore.model.service import Service

__all__ = ["KINDS", "Built", "Thing", "blaming", "build"]


def _lightbulb(name: str) -> Thing:
    return Lightbulb(name, on=False, brightness=100)


def _switch(name: str) -> Thing:
    return Switch(name, on=False)


def _outlet(name: str) -> Thing:
    return Outlet(name, on=False, outlet_in_use=True)


def _fan(name: str) -> Thing:
    return Fan(name, on=False, rotation_speed=50)


def _temperature_sensor(name: str) -> Thing:
    return TemperatureSensor(name, current_temperature=21.5)


def _thermostat(name: str) -> Thing:
    """Heats or cools at once: what it is told to be, it is."""
    thermostat = Thermostat(name, current_temperature=21.0, target_temperature=21.0)

    @thermostat.target_heating_cooling_state.setter
    def follow(value: TargetHeatingCoolingState, caller: Caller) -> None:
        del caller
        follows = {
            TargetHeatingCoolingState.HEAT: CurrentHeatingCoolingState.HEAT,
            TargetHeatingCoolingState.COOL: CurrentHeatingCoolingState.COOL,
        }
        thermostat.current_heating_cooling_state.value = follows.get(value, CurrentHeatingCoolingState.OFF)

    return thermostat


def _lock(name: str) -> Thing:
    """The bolt follows what it is told."""
    lock = LockMechanism(name, lock_current_state=LockCurrentState.SECURED, lock_target_state=LockTargetState.SECURED)

    @lock.lock_target_state.setter
    def follow(value: LockTargetState, caller: Caller) -> None:
        del caller
        lock.lock_current_state.value = LockCurrentState(int(value))

    return lock


KINDS: dict[str, Callable[[str], Thing]] = {
    "lightbulb": _lightbulb,
    "switch": _switch,
    "outlet": _outlet,
    "thermostat": _thermostat,
    "temperature-sensor": _temperature_sensor,
    "lock": _lock,
    "fan": _fan,
}

#: What is served behind a bridge.
_HOMES = ("bridge", "busy-home")


def _lamps(count: int) -> list[Thing]:
    """What stands behind the bridge that several accessories get by themselves."""
    return [_lightbulb(f"Lamp {number}") for number in range(1, count + 1)]


@contextmanager
def blaming(what: str) -> Generator[None]:
    """Errors of the user's own module are the user's: said in one line, and not as ours."""
    try:
        yield
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is not ours
        text = f"{what}: {type(error).__name__}: {' '.join(str(error).split())}"
        frames = [one for one in traceback.extract_tb(error.__traceback__)[1:] if not one.filename.startswith("<")]
        raise Problem(f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text) from None


def _from_module(path: str) -> Thing | list[Thing]:
    module, _, attribute = path.partition(":")
    if not module or not attribute:
        raise click.BadParameter(
            f"{path!r} is neither one of {', '.join([*KINDS, *_HOMES])}, nor HOUSE.toml, nor MODULE:ATTRIBUTE"
        )
    sys.path.insert(0, str(Path.cwd()))
    with blaming(f"cannot import {module!r}"):
        loaded = import_module(module)
    if not hasattr(loaded, attribute):
        raise Problem(f"{module!r} has no {attribute!r}")
    found: object = getattr(loaded, attribute)
    if callable(found):
        with blaming(f"{path} failed"):
            found = found()
    if isinstance(found, Accessory | Service):
        return found
    things = list(cast("Iterable[object]", found)) if isinstance(found, Iterable) else []
    good = [one for one in things if isinstance(one, Accessory | Service)]
    if not good or len(good) < len(things):
        raise Problem(f"{path} is no accessory, service, list of them, or function that makes one")
    return good


def build(kind: str, name: str | None, count: int, seed: int | None) -> Built:
    """What `hap serve KIND` serves."""
    if kind == "busy-home":
        from hap_trio.cli.busy import home

        return home(name, seed)
    if kind.endswith(".toml"):
        from hap_trio.cli.house import load  # it loads what speaks HTTP

        return load(kind)
    if kind == "bridge":
        return Built([Accessory.bridge(name or "Bridge"), *_lamps(count)] if count == 1 else _lamps(count))
    if kind in KINDS:
        return Built(KINDS[kind](name or kind.replace("-", " ").capitalize()))
    return Built(_from_module(kind))
