"""Objects of the asyncio side, with the bridge that leads to them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Generic, TypeVar

from attrs import frozen

from hap_sync.bridge import Bridge
from hap_sync.loop import Loop

__all__ = ["Across", "bridge_to"]

T_co = TypeVar("T_co", covariant=True)


@frozen
class Across(Generic[T_co]):
    """Something that lives across a bridge: a radio of `hap_sync.testing.open_air()`."""

    bridge: Bridge
    it: T_co


@contextmanager
def bridge_to(what: object, loop: Loop) -> Generator[Bridge, None, None]:
    """The bridge to what lives across one, or one of its own for the length of the block."""
    if isinstance(what, Across):
        yield what.bridge
        return
    with closing(Bridge(loop, "Bluetooth")) as bridge:
        yield bridge
