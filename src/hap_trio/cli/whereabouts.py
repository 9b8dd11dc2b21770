"""How a user names an accessory that is not paired yet, and how it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import click
import trio
from attrs import frozen

import hap_trio
from hapcore.discovery import DiscoveredAccessory
from hapcore.errors import TimedOut
from hapcore.setup_code import SetupPayload

__all__ = ["Whereabouts", "located"]

F = TypeVar("F", bound=Callable[..., object])

_ADVICE = "is it switched on and near, or on this network? `hap discover` lists what is there"


@frozen
class Whereabouts:
    """Exactly one of these says which accessory is meant; `seconds` is the time to find it, `ble` where."""

    device_id: str | None
    address: str | None
    mac: str | None
    qr: SetupPayload | None
    seconds: float
    ble: bool

    @property
    def given(self) -> int:
        """How many of them there are."""
        return sum(one is not None for one in (self.device_id, self.address, self.mac, self.qr))

    @property
    def mdns(self) -> bool:
        """Whether it has to be looked for."""
        return self.address is None

    def __str__(self) -> str:
        found = self.device_id or self.address or self.mac
        return found or f"the accessory with the setup id {self.qr.setup_id if self.qr else '?'}"

    async def find(self, home: hap_trio.Controller) -> DiscoveredAccessory | str:
        """Where it is. Raises `TimedOut`."""
        if self.address is not None:
            return self.address
        try:
            if self.mac is not None:
                return await _heard_from(home, self.mac, self.seconds)
            wanted = self.qr if self.device_id is None else self.device_id
            assert wanted is not None  # noqa: S101 - checked where the options are read
            return await home.find(wanted, timeout=self.seconds)
        except TimedOut as error:
            error.add_note(_ADVICE)
            raise


async def _heard_from(home: hap_trio.Controller, mac: str, seconds: float) -> DiscoveredAccessory:
    with trio.move_on_after(seconds):
        async for found in home.discover():
            if mac.upper() in (one.upper() for one in found.addresses):
                return found
    raise TimedOut(f"nobody was heard at {mac} within {seconds:g} s")


def _payload(ctx: click.Context, parameter: click.Parameter, value: str | None) -> SetupPayload | None:
    if value is None:
        return None
    try:
        return SetupPayload.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error).partition(": ")[2], ctx, parameter) from None


def located(qr: bool) -> Callable[[F], F]:
    """Give a command the options that say where an accessory is; `where` is what they said.

    With `qr` also what its QR code says.
    """
    options = [
        click.option("-d", "--device-id", help="The device id that `hap discover` shows."),
        click.option("--address", metavar="HOST:PORT", help="Where it is; then mDNS is not needed."),
        click.option("-m", "--mac", metavar="ADDRESS", help="Its Bluetooth address; implies --ble."),
        click.option(
            "-t",
            "--time",
            "seconds",
            type=click.FloatRange(min=0.1),
            default=10.0,
            show_default=True,
            help="Seconds to find it.",
        ),
        click.option("--ble", is_flag=True, help="Over Bluetooth LE, not over the network."),
    ]
    if qr:
        options.insert(
            3,
            click.option(
                "--qr",
                metavar="X-HM://...",
                callback=_payload,
                help="What its QR code says, instead of id and code.",
            ),
        )

    def decorate(function: F) -> F:
        def command(
            *args: Any,
            device_id: str | None,
            address: str | None,
            mac: str | None,
            seconds: float,
            ble: bool,
            qr: SetupPayload | None = None,
            **more: Any,
        ) -> object:
            over_air = ble or mac is not None or (qr is not None and qr.ble and not qr.ip)
            if over_air and address is not None:
                raise click.UsageError("Over Bluetooth LE an accessory is found by its id: give -d DEVICE_ID.")
            where = Whereabouts(device_id, address, mac, qr, seconds, over_air)
            return function(*args, where=where, **more)

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__dict__.update(function.__dict__)
        decorated: Callable[..., object] = command
        for option in reversed(options):
            decorated = option(decorated)
        return cast("F", decorated)

    return decorate
