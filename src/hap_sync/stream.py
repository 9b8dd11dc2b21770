"""TCP: listen, accept, connect, without holding up what else the loop carries."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from hapcore.errors import Disconnected

from .listening import NO_ROOM, NO_ROOM_PAUSE
from .loop import Loop

__all__ = ["Dialling", "Listener", "Made"]

#: Told what came of connecting.
Made: TypeAlias = Callable[[socket.socket | Disconnected], object]

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


class Dialling:
    """An attempt to connect to `host` (an IP address or a name), at one address after the other.

    `made` is called, in a later round of the loop, with a socket that is connected; or with `Disconnected`, when nobody
    answers within 5 s. Raises that for a name that nobody knows.
    """

    def __init__(self, loop: Loop, made: Made, host: str, port: int) -> None:
        self._loop, self._made, self._what = loop, made, f"cannot connect to {host}, port {port}"
        self._cause, self._due = f"no answer within {CONNECT_LIMIT:g} s", time.monotonic() + CONNECT_LIMIT
        try:
            self._left = iter(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            raise Disconnected(f"{self._what}: {error.strerror}") from error
        loop.members.add(self)
        self._go_on()

    def next_due(self) -> float:
        """When it is given up."""
        return self._due

    def on_time(self, _now: float) -> None:
        """Nobody answers."""
        self.close()
        self._loop.later(partial(self._made, Disconnected(f"{self._what}: {self._cause}")))

    def close(self) -> None:
        """Give it up."""
        self._loop.members.discard(self)
        self._loop.watch(self._socket, 0)
        self._socket.close()

    def _go_on(self) -> None:
        for family, kind, protocol, _, address in self._left:
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            number = self._socket.connect_ex(address)
            if number in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                self._loop.watch(self._socket, selectors.EVENT_WRITE, self._answered)
                return
            if self._through(number):
                return
        self.on_time(self._due)

    def _answered(self, _events: int) -> None:
        self._loop.watch(self._socket, 0)
        if not self._through(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            self._go_on()

    def _through(self, number: int) -> bool:
        """Whether the error number of connecting is none."""
        if number:
            self._socket.close()
            self._cause = os.strerror(number)
            return False
        self._loop.members.discard(self)
        self._loop.later(partial(self._made, self._socket))
        return True
