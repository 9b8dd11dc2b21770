"""What `hap serve` serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio
from attrs import frozen

from hapcore.model.accessory import Accessory
from hapcore.model.service import Service

__all__ = ["Built", "Thing"]

Thing: TypeAlias = Accessory | Service


async def _still() -> None:
    await trio.lowlevel.checkpoint()


@frozen
class Built:
    """The things, what runs beside them (`live`), and what holds where the command line does not say otherwise."""

    things: Thing | list[Thing]
    live: Callable[[], Awaitable[object]] = _still
    name: str | None = None
    state: str | None = None
    code: str | None = None
