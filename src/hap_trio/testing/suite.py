"""The conformance suite for streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from hapcore.testing import CHECKS, OWN_CLOSE, Action, Close, Examiner, Line, Receive, Send

__all__ = ["LOST", "MakePair", "check_transport"]

#: Makes the two connected ends of a new connection.
MakePair: TypeAlias = Callable[[], Awaitable[tuple[trio.abc.Stream, trio.abc.Stream]]]
#: What a trio stream raises for a lost connection; any other exception is an error of the transport.
LOST: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


async def check_transport(make_pair: MakePair, *, limit: float = 5.0) -> None:
    """Check that HAP can be spoken over a transport of yours.

    `make_pair()` is awaited for a new connection, again for each check, and gives its two ends. `limit` is how many
    seconds a step of a check may take, by trio's clock: under `virtual_clock()` nobody waits for it.

    Raises `TransportFault`, an `AssertionError`, that says which check failed, what was seen and what the rule is.
    """
    for check in (*CHECKS, OWN_CLOSE):
        for here, there in ((0, 1), (1, 0)):
            ends = await make_pair()
            try:
                for lines in Examiner(check, here, there, LOST):
                    await _carry_out(ends, lines, limit)
            finally:
                for end in ends:
                    with suppress(Exception):  # what is wrong with closing is for a check to say
                        await trio.aclose_forcefully(end)


async def _carry_out(ends: tuple[trio.abc.Stream, trio.abc.Stream], lines: tuple[Line, ...], limit: float) -> None:
    with trio.move_on_after(limit):
        async with trio.open_nursery() as nursery:
            for line in lines:
                nursery.start_soon(_follow, ends, line)
                await trio.lowlevel.checkpoint()  # for a reader to begin to wait before others act


async def _follow(ends: tuple[trio.abc.Stream, trio.abc.Stream], line: Line) -> None:
    for action in line:
        try:
            await _act(ends[action.end], action)
        except Exception as error:  # noqa: BLE001 - whatever the transport raises is judged by the check
            action.failed(error)
            return


async def _act(stream: trio.abc.Stream, action: Action) -> None:
    if isinstance(action, Send):
        for piece in action.pieces:
            await stream.send_all(piece)
        action.over = True
    elif isinstance(action, Receive):
        while not action.over:
            action.take(await (stream.receive_some(action.wanted) if action.wanted else stream.receive_some()))
    elif isinstance(action, Close):
        await stream.aclose()
        action.over = True
