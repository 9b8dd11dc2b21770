"""TCP: connecting."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Final

from hapcore.errors import Disconnected

from .wire import Link

__all__ = ["dial"]

#: Seconds a host may take to answer a connection attempt, all its addresses together; the next may be the right one.
CONNECT_LIMIT: Final = 5.0


async def dial(made: Callable[[Link], None], host: str, port: int) -> None:
    """Connect to `host` (an IP address or a name) and `port`; `made` gets the connection before its first byte.

    The addresses of a name are tried in turn. Raises `Disconnected` when nobody answers within 5 s.
    """
    loop = asyncio.get_running_loop()
    failure = OSError("no address")
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            addresses = await _resolve(host, port)
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_LIMIT / len(addresses)):
                    await loop.create_connection(lambda: Link(made), address, port)
                return
            except OSError as error:
                failure = error
    except OSError as error:  # about the name
        failure = error
    known = os.strerror(failure.errno) if failure.errno is not None and failure.errno > 0 else str(failure)
    said = known or f"no answer within {CONNECT_LIMIT:g} s"  # the error of a limit says nothing
    raise Disconnected(f"cannot connect to {host}, port {port}: {said}") from failure


async def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, best first. Not left to the loop: uvloop has no race of addresses."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [host]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    scoped = (f"{where[0]}%{where[3]}" if len(where) == 4 and where[3] else str(where[0]) for *_, where in found)
    return list(dict.fromkeys(scoped))
