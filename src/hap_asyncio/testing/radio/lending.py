"""Controllers of a virtual air for the hosts of other processes, over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from bumble.transport.common import StreamPacketSink, StreamPacketSource

from .controller import VirtualController

__all__ = ["Guest"]


class Guest(StreamPacketSource):
    """One host that has connected: it drives a controller of its own, which is gone when the connection is."""

    def __init__(
        self, make: Callable[[], VirtualController], gone: Callable[[Guest, VirtualController], object]
    ) -> None:
        super().__init__()
        self._make = make
        self._gone = gone
        self._controller: VirtualController | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call."""
        self._transport = cast("asyncio.Transport", transport)
        self._controller = self._make()
        self._controller.host = StreamPacketSink(self._transport)
        self.set_packet_sink(self._controller)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - the contract
        """asyncio's call."""
        if self._controller is not None:
            self._gone(self, self._controller)

    def close(self) -> None:
        """The host loses its controller."""
        if self._transport is not None:
            self._transport.close()
