"""Opening a Bluetooth controller for an accessory: USB, serial line, HCI socket, whatever Bumble can drive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.transport import open_transport
from bumble.transport.common import TransportSink, TransportSource

from hap_asyncio.tasks import settle

from .bumble import BumbleServer
from .peripheral import RadioError

__all__ = ["open_device", "open_radio", "static_address", "switch_on"]

#: Seconds a controller may take to start.
_LIMIT: Final = 5.0
if logging.getLogger("bumble").level == logging.NOTSET:
    # It warns of packets that cross the end of a connection, which is no news to anybody, and shows tracebacks of what
    # it raises all the same.
    logging.getLogger("bumble").setLevel(logging.CRITICAL)


async def switch_on(source: TransportSource, sink: TransportSink, address: str, name: str) -> Device:
    """A Bumble device with a static random address, ready for use. Raises `RadioError`."""
    config = DeviceConfiguration(name=name, address=hci.Address(address))
    device = Device.from_config_with_hci(config, source, sink)
    starting = asyncio.ensure_future(device.power_on())
    await settle(asyncio.wait([starting], timeout=_LIMIT))
    if not starting.done() or starting.exception() is not None:
        starting.cancel()
        raise RadioError("the Bluetooth controller does not answer: is it in use, or not a controller?")
    return device


@asynccontextmanager
async def open_device(transport: str, *, address: str, name: str) -> AsyncGenerator[Device, None]:
    """A Bluetooth controller for the length of a block, as a Bumble device that is switched on.

    `transport` and `address` as in `open_radio()`. Raises `RadioError`.
    """
    try:
        opened = await open_transport(transport)
    except Exception as error:
        why = str(error) or f"the name is not complete ({type(error).__name__})"
        raise RadioError(f"cannot open the Bluetooth controller {transport!r}: {why}") from error
    try:
        device = await switch_on(opened.source, opened.sink, address, name)
        try:
            yield device
        finally:
            device.host.emit("flush")
    finally:
        await settle(opened.close())


@asynccontextmanager
async def open_radio(
    transport: str, *, address: str, name: str = "HAP", max_mtu: int = 517
) -> AsyncGenerator[BumbleServer, None]:
    """Use a Bluetooth controller for the length of a block.

    `transport` names it as Bumble does: "usb:0", "hci-socket:0", "serial:/dev/ttyUSB0,1000000",
    "tcp-client:localhost:6402" ...; `address` is a static random address, see `static_address()`. Raises `RadioError`.
    """
    async with open_device(transport, address=address, name=name) as device:
        server = BumbleServer(device, max_mtu)
        try:
            yield server
        finally:
            await settle(server.aclose())


def static_address(seed: bytes) -> str:
    """A static random address made of 6 bytes, always the same one: "F0:..." (both upper bits are set)."""
    return bytes((seed[0] | 0xC0, *seed[1:6])).hex(":").upper()
