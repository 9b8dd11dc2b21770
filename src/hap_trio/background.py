"""A nursery for the tasks behind a context manager."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

__all__ = ["background"]


@asynccontextmanager
async def background() -> AsyncGenerator[trio.Nursery, None]:
    """A nursery that ends with the block it surrounds, and lets the block's own exception through as it is.

    That there are tasks is our affair: `except PairingRefused` around the block must work, so an exception group of
    one is opened. When a background task fails too, the group stays.
    """
    alone: BaseException
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
            nursery.cancel_scope.cancel()
        return
    except BaseExceptionGroup as group:
        if len(group.exceptions) != 1:
            raise
        alone = group.exceptions[0]
    context = alone.__context__
    try:
        raise alone
    finally:
        alone.__context__ = context  # not "during handling of" a group that nobody has seen
