"""Who makes the engines of a home's connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from hapcore.ip.controller.connection import Connection

if TYPE_CHECKING:
    from hapcore.ble.controller.peer import Peer

__all__ = ["Connection", "Engines", "MakeEngine"]


class Engines(Protocol):
    """One maker for each transport; a recording is one."""

    @property
    def connection(self) -> Callable[..., Connection]:
        """Called like `hapcore.ip.controller.Connection`."""
        ...

    @property
    def peer(self) -> Callable[..., Peer]:
        """Called like `hapcore.ble.controller.Peer`."""
        ...


#: For both transports, or for IP alone.
MakeEngine: TypeAlias = Callable[..., Connection] | Engines
