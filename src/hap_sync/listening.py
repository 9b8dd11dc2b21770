"""Listening TCP sockets, for all adapters."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack, suppress
from typing import Final

from hapcore.ip.accessory.listening import places
from hapcore.ip.accessory.settings import Settings

__all__ = ["BACKLOG", "NO_ROOM", "NO_ROOM_PAUSE", "listen"]

#: How many connections may wait to be accepted.
BACKLOG: Final = 128
#: Errors of `accept` that say "no room now" (files, memory), not "this connection broke off before".
NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: Seconds to wait for room; the connections that wait are kept by the kernel meanwhile.
NO_ROOM_PAUSE: Final = 0.1
#: Elsewhere it would let others share the port.
_REUSE: Final = (("SOL_SOCKET", "SO_REUSEADDR", 1),) if os.name == "posix" else ()


def listen(settings: Settings) -> list[socket.socket]:
    """Listening sockets as the settings `address`, `port` and `keepalive` want them, all on one port.

    They do not block. Raises `OSError` when an address is not ours or the port is taken.
    """
    port, devices = settings.get("port", 0), hasattr(socket, "SO_BINDTODEVICE")
    opened: list[socket.socket] = []
    with ExitStack() as stack:
        for place in places(settings.get("address"), settings.get("keepalive"), dual=_is_dual(), devices=devices):
            *_, (family, kind, protocol, _, where) = socket.getaddrinfo(place.host, port, type=socket.SOCK_STREAM)
            opened.append(sock := stack.enter_context(socket.socket(family, kind, protocol)))
            for level, name, value in (*_REUSE, *place.options):
                if hasattr(socket, name):
                    sock.setsockopt(getattr(socket, level), getattr(socket, name), value)
            with place.naming(port):
                sock.bind(where)
            sock.listen(BACKLOG)
            sock.setblocking(False)
            port = sock.getsockname()[1]
        stack.pop_all()
    return opened


def _is_dual() -> bool:
    """Whether a socket can listen on both families: Python may know how, and there be no IPv6 all the same."""
    with suppress(OSError, ValueError), socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True):
        return True
    return False
