"""A listening TCP socket, for all adapters."""

from __future__ import annotations

import errno
import socket
from typing import Final

__all__ = ["BACKLOG", "NO_ROOM", "NO_ROOM_PAUSE", "listen"]

#: How many connections may wait to be accepted.
BACKLOG: Final = 128
#: Errors of `accept` that say "no room now" (files, memory), not "this connection broke off before".
NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: Seconds to wait for room; the connections that wait are kept by the kernel meanwhile.
NO_ROOM_PAUSE: Final = 0.1


def listen(address: str | None, port: int) -> socket.socket:
    """A listening socket on `address` (an IP address; None for all, both families where possible) and `port` (0: any).

    It does not block. Raises `OSError` when the address is not ours or the port is taken.
    """
    if address is None:
        if socket.has_dualstack_ipv6():
            try:
                return _bound(socket.AF_INET6, "::", port, dual=True)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
        address = "0.0.0.0"  # noqa: S104 - all interfaces is what was asked for
    return _bound(socket.AF_INET6 if ":" in address else socket.AF_INET, address, port)


def _bound(family: int, address: str, port: int, *, dual: bool = False) -> socket.socket:
    sock = socket.create_server((address, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    sock.setblocking(False)
    return sock
