"""Readers and writers that are broken on purpose."""

from __future__ import annotations

import asyncio

from hap_asyncio.pipe import Reader, Writer
from hapcore.testing import Damage, Spoiler

from .suite import LOST

__all__ = ["DamagedReader", "DamagedWriter", "damaged"]


class _Fault:
    """What the two sides of a damaged end share."""

    def __init__(self, reader: Reader, writer: Writer, damage: Damage) -> None:
        self.reader = reader
        self.writer = writer
        self.damage = damage
        self.spoiler = Spoiler(damage)
        self.one_way = asyncio.Lock()


class DamagedReader:
    """A reader that is broken on purpose, from `damaged()`."""

    def __init__(self, fault: _Fault) -> None:
        self._fault = fault

    async def read(self, n: int, /) -> bytes:
        """Read, with damage."""
        fault = self._fault
        if late := fault.spoiler.before_read():
            fault.writer.write(late)
        wanted = fault.spoiler.ask(n)
        try:
            if fault.damage is Damage.HALF_DUPLEX:
                async with fault.one_way:
                    data = await fault.reader.read(wanted)
            else:
                data = await fault.reader.read(wanted) if wanted else b""
        except LOST as error:
            raise fault.spoiler.lost(error) from error
        if not data and fault.damage is Damage.SWALLOWS_END:
            await asyncio.get_running_loop().create_future()
        return fault.spoiler.read(data)


class DamagedWriter:
    """A writer that is broken on purpose, from `damaged()`."""

    def __init__(self, fault: _Fault) -> None:
        self._fault = fault
        self._waiting: list[bytes] = []
        self._closed = False

    def write(self, data: bytes, /) -> None:
        """Write, with damage."""
        if self._fault.damage is Damage.HALF_DUPLEX:
            self._waiting.append(data)
        else:
            self._fault.writer.write(self._fault.spoiler.write(data))

    async def drain(self) -> None:
        """Wait, with damage."""
        fault = self._fault
        async with fault.one_way:
            while self._waiting:
                fault.writer.write(self._waiting.pop(0))
        try:
            await fault.writer.drain()
        except LOST as error:
            raise fault.spoiler.lost(error) from error

    def close(self) -> None:
        """Close, with damage."""
        if self._closed or self._fault.damage is Damage.NEVER_CLOSES:
            return
        self._closed = True
        self._fault.writer.write(self._fault.spoiler.close())
        self._fault.writer.close()

    async def wait_closed(self) -> None:
        """Wait until what is closed is closed."""
        if self._closed:
            await self._fault.writer.wait_closed()


def damaged(reader: Reader, writer: Writer, damage: Damage) -> tuple[DamagedReader, DamagedWriter]:
    """Break a reader and a writer on purpose, see `Damage`."""
    fault = _Fault(reader, writer, damage)
    return DamagedReader(fault), DamagedWriter(fault)
