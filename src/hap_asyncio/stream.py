"""TCP: listening and connecting."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Final

from hapcore.errors import Disconnected

from .wire import Link

__all__ = ["dial", "listen"]

#: How many connections may wait to be accepted.
BACKLOG: Final = 128
#: Seconds one address may take to answer a connection attempt; the next one may be the right one.
CONNECT_LIMIT: Final = 5.0
#: Seconds until the next address of a name is tried beside the one that has not answered yet (RFC 8305 5).
NEXT_ADDRESS: Final = 0.25


def listen(address: str | None, port: int) -> socket.socket:
    """A listening socket on `address` (an IP address; None for all, both families where possible) and `port` (0: any).

    Raises `OSError` when the address is not ours or the port is taken.
    """
    if address is None:
        if socket.has_dualstack_ipv6():
            try:
                return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
        address = "0.0.0.0"  # noqa: S104 - all interfaces is what was asked for
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)


async def dial(made: Callable[[Link], None], host: str, port: int) -> None:
    """Connect to `host` (an IP address or a name) and `port`; `made` gets the connection before its first byte.

    Raises `Disconnected` when nobody answers within 5 s.
    """
    limit = asyncio.timeout(CONNECT_LIMIT)
    try:
        async with limit:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: Link(made), host, port, happy_eyeballs_delay=_delay(host))
    except OSError as error:
        said = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
        why = f"no answer within {CONNECT_LIMIT:g} s" if limit.expired() else said
        raise Disconnected(f"cannot connect to {host}, port {port}: {why}") from error


def _delay(host: str) -> float | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return NEXT_ADDRESS
    return None  # one address: no race, in which Python 3.11 loses a connection that is cancelled just then
