"""The conformance suite for readers and writers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

from hap_asyncio.pipe import Reader, Writer
from hap_asyncio.wire import READ_SIZE
from hapcore.testing import CHECKS, Action, Close, Examiner, Line, Receive, Send

__all__ = ["LOST", "MakePair", "check_transport"]

#: A reader and a writer.
Streams: TypeAlias = tuple[Reader, Writer]
#: Makes the two connected ends of a new connection, each a reader and a writer.
MakePair: TypeAlias = Callable[[], Awaitable[tuple[Streams, Streams]]]
#: What the adapter takes for a lost connection; it logs any other exception as a fault of the transport.
LOST: Final = (OSError, EOFError)


async def check_transport(make_pair: MakePair, *, limit: float = 5.0) -> None:
    """Check that HAP can be spoken over a transport of yours.

    `make_pair()` is awaited for a new connection, again for each check, and gives its two ends, each a reader and a
    writer. `limit` is how many seconds a step of a check may take, by the loop's clock: on a `VirtualLoop` nobody waits
    for it.

    Raises `TransportFault`, an `AssertionError`, that says which check failed, what was seen and what the rule is.
    """
    for check in CHECKS:
        for here, there in ((0, 1), (1, 0)):
            ends = await make_pair()
            try:
                for lines in Examiner(check, here, there, LOST):
                    await _carry_out(ends, lines, limit)
            finally:
                for _, writer in ends:
                    await _close(writer, limit)


async def _carry_out(ends: tuple[Streams, Streams], lines: tuple[Line, ...], limit: float) -> None:
    tasks = [asyncio.create_task(_follow(ends, line)) for line in lines]
    if tasks:
        await asyncio.wait(tasks, timeout=limit)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _follow(ends: tuple[Streams, Streams], line: Line) -> None:
    for action in line:
        try:
            await _act(*ends[action.end], action)
        except Exception as error:  # noqa: BLE001 - whatever the transport raises is judged by the check
            action.failed(error)
            return


async def _act(reader: Reader, writer: Writer, action: Action) -> None:
    if isinstance(action, Send):
        for piece in action.pieces:
            writer.write(piece)
            await writer.drain()
        action.over = True
    elif isinstance(action, Receive):
        while not action.over:
            action.take(await reader.read(action.wanted or READ_SIZE))
    elif isinstance(action, Close):
        writer.close()
        with suppress(*LOST):  # closed or not, it is over
            await writer.wait_closed()
        action.over = True


async def _close(writer: Writer, limit: float) -> None:
    with suppress(Exception):
        writer.close()
        async with asyncio.timeout(limit):
            await writer.wait_closed()
