"""TCP: listen, accept, connect, without holding up what else the loop carries."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from hapcore.errors import Disconnected

from .listening import NO_ROOM, NO_ROOM_PAUSE
from .loop import Loop

__all__ = ["Listener", "dial"]

#: Seconds one address may take to answer a connection attempt; the next one may be the right one.
CONNECT_LIMIT: Final = 5.0


class Listener:
    """A listening socket, and who takes its connections."""

    def __init__(self, loop: Loop, listening: socket.socket) -> None:
        self._loop = loop
        self._accepted: Callable[[socket.socket], object] = socket.socket.close
        self._pause_ends: float | None = None
        self._socket = listening
        self.where: tuple[str, int] = listening.getsockname()[:2]

    def start(self, accepted: Callable[[socket.socket], object]) -> None:
        """Have `accepted` called with every new connection, until `close()`."""
        self._accepted = accepted
        self._loop.watch(self._socket, selectors.EVENT_READ, self._ready)
        self._loop.members.add(self)

    def close(self) -> None:
        """Listen no more."""
        self._loop.members.discard(self)
        self._loop.watch(self._socket, 0)
        self._socket.close()

    def next_due(self) -> float | None:
        """When to look for room again."""
        return self._pause_ends

    def on_time(self, _now: float) -> None:
        """Go on accepting."""
        self._pause_ends = None
        self._loop.watch(self._socket, selectors.EVENT_READ, self._ready)

    def _ready(self, _events: int) -> None:
        try:
            connected, _ = self._socket.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._loop.watch(self._socket, 0)
                self._pause_ends = time.monotonic() + NO_ROOM_PAUSE
        else:
            self._accepted(connected)


def dial(loop: Loop, host: str, port: int) -> socket.socket:
    """Connect to `host` (an IP address or a name) and `port`. Raises `Disconnected` when nobody answers within 5 s."""
    deadline = time.monotonic() + CONNECT_LIMIT
    cause = f"no answer within {CONNECT_LIMIT:g} s"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Disconnected(f"cannot connect to {host}, port {port}: {error.strerror}") from error
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            number = _connect(loop, sock, address, deadline)
        except BaseException:
            sock.close()
            raise
        if not number:
            return sock
        sock.close()
        if number != errno.ETIMEDOUT:
            cause = os.strerror(number)
    raise Disconnected(f"cannot connect to {host}, port {port}: {cause}")


def _connect(loop: Loop, sock: socket.socket, address: object, deadline: float) -> int:
    """The error number of connecting, 0 for none."""
    answered: list[int] = []
    sock.setblocking(False)
    with loop:
        number = sock.connect_ex(address)  # type: ignore[arg-type]  # as getaddrinfo() gave it
        if number not in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            return number
        loop.watch(sock, selectors.EVENT_WRITE, answered.append)
        try:
            if not loop.wait(lambda: bool(answered), max(deadline - time.monotonic(), 0.0)):
                return errno.ETIMEDOUT
        finally:
            loop.watch(sock, 0)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
