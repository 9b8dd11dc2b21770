"""Streams that are broken on purpose."""

from __future__ import annotations

import trio

from hapcore.testing import Damage, Spoiler

from .memory import READ_SIZE
from .suite import LOST

__all__ = ["DamagedStream"]


class DamagedStream(trio.abc.Stream):
    """A stream that is broken on purpose, see `Damage`."""

    def __init__(self, stream: trio.abc.Stream, damage: Damage) -> None:
        self._stream = stream
        self._damage = damage
        self._spoiler = Spoiler(damage)
        self._one_way = trio.Lock()
        self._closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, with damage."""
        if self._damage is Damage.HALF_DUPLEX:
            async with self._one_way:
                return await self._send(data)
        return await self._send(data)

    async def _send(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(self._spoiler.write(bytes(data)))
        except LOST as error:
            raise self._spoiler.lost(error) from error

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream does it."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read, with damage."""
        if self._damage is Damage.HALF_DUPLEX:
            async with self._one_way:
                return await self._receive(max_bytes)
        return await self._receive(max_bytes)

    async def _receive(self, max_bytes: int | None) -> bytes:
        if late := self._spoiler.before_read():
            await self._stream.send_all(late)
        wanted = self._spoiler.ask(max_bytes or READ_SIZE)
        try:
            data = bytes(await self._stream.receive_some(wanted)) if wanted else b""
        except trio.ClosedResourceError:
            if self._damage is Damage.LEAVES_READER_WAITING:
                await trio.sleep_forever()
            raise
        except LOST as error:
            raise self._spoiler.lost(error) from error
        if not data and self._damage is Damage.SWALLOWS_END:
            await trio.sleep_forever()
        return self._spoiler.read(data)

    async def aclose(self) -> None:
        """Close, with damage."""
        if self._closed or self._damage is Damage.NEVER_CLOSES:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        if late := self._spoiler.close():
            await self._stream.send_all(late)
        await self._stream.aclose()
