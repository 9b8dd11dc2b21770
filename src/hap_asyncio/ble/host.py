"""bleak on a Bluetooth controller that Bumble drives: a dongle of one's own, beside BlueZ or without it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hap_asyncio.entropy import system_entropy
from hap_asyncio.tasks import settle
from hap_asyncio.testing.radio.adapter import Adapter
from hap_asyncio.testing.radio.air import Bleak
from hap_asyncio.testing.radio.table import Habits

from .radio import open_device, static_address

__all__ = ["open_host"]


@asynccontextmanager
async def open_host(transport: str) -> AsyncGenerator[Bleak, None]:
    """A backend for `open_central()` over the controller that Bumble knows as `transport`, for the length of a block.

    Each time under another address. Raises `RadioError`.
    """
    address = static_address(system_entropy("bluetooth address", 6))
    async with open_device(transport, address=address, name="HAP controller") as device:
        adapter = Adapter(device)
        try:
            yield Bleak.on(adapter, Habits())
        finally:
            await settle(adapter.aclose())
