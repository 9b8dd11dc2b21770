"""Bluetooth LE on the command line: which radio, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import click
from click.core import ParameterSource

from hap_trio.cli.problem import Problem
from hapcore.errors import HapError

__all__ = ["adapter_option", "advising", "ble_option", "need", "radio"]

_KEY: Final = "hap.adapter"
#: How the name of an adapter begins that Bumble is to drive.
_BUMBLE: Final = "bumble:"
#: What the parts of Bluetooth LE need beside us: module, and the extra that brings it.
_EXTRAS: Final = {"bleak": "ble", "bumble": "ble-accessory"}

#: How errors read that are about a controller that Bumble drives, and about the system's Bluetooth.
_CONTROLLER: Final = "the Bluetooth controller"
_SYSTEM: Final = ("cannot listen for accessories", "the radio does not scan")

ble_option = click.option("--ble", is_flag=True, help="Over Bluetooth LE, not over the network.")


def _note(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    ctx.meta[_KEY] = value


adapter_option = click.option(
    "--adapter",
    metavar="NAME",
    envvar="HAP_BLE_ADAPTER",
    expose_value=False,
    callback=_note,
    help="The radio for Bluetooth LE: hci1, or bumble:usb:0.",
)


def radio(ble: bool = True) -> str | bool | None:
    """The radio to use, as `open_controller(ble=...)` takes it; None where that is not wanted.

    Raises `Problem` where nothing could drive it, `UsageError` for an adapter that nobody will use.
    """
    context = click.get_current_context()
    if not ble:
        if context.get_parameter_source("adapter") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--adapter goes with --ble.")
        return None
    adapter: str | None = context.meta.get(_KEY)
    need("bleak")
    import_module("bleak")  # now: what takes a second must not be taken from the time to listen
    if adapter is not None and adapter.startswith(_BUMBLE):
        need("bumble")
        import_module("bumble.device")
    return adapter or True


def need(*modules: str) -> None:
    """Raise `Problem`, with what to do about it, unless these are installed."""
    for module in modules:
        if find_spec(module) is None:
            extra = _EXTRAS[module]
            raise Problem(f"Bluetooth LE needs {module}, which is not installed: pip install 'hapcore[{extra}]'")


@contextmanager
def advising() -> Generator[None]:
    """Where the radio cannot be used, say what there is to try."""
    try:
        yield
    except HapError as error:
        text = str(error)
        if _CONTROLLER in text:
            error.add_note("is it plugged in, free of the system's Bluetooth, and may this user open it?")
        elif any(one in text for one in _SYSTEM):
            error.add_note("is Bluetooth there and switched on? --adapter bumble:usb:0 drives a dongle without it")
        raise
