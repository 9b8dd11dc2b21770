"""Objects of the asyncio side, with the bridge that leads to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from hap_trio.bridge import Bridge

__all__ = ["Across", "bridge_to"]

T_co = TypeVar("T_co", covariant=True)


@frozen
class Across(Generic[T_co]):
    """Something that lives across a bridge: a radio of `hap_trio.testing.open_air()`."""

    bridge: Bridge
    it: T_co


@asynccontextmanager
async def bridge_to(what: object) -> AsyncGenerator[Bridge, None]:
    """The bridge to what lives across one, or one of its own for the length of the block."""
    if isinstance(what, Across):
        yield what.bridge
        return
    from hap_trio.bridge import open_bridge  # costs the import of asyncio

    async with open_bridge() as bridge:
        yield bridge
