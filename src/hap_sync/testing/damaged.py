"""Transports that are broken on purpose."""

from __future__ import annotations

from hap_sync.wire import Transport
from hapcore.testing import Damage, Spoiler

from .suite import LOST, set_timeout, shut

__all__ = ["DamagedTransport"]


class DamagedTransport:
    """A transport that is broken on purpose, see `Damage`."""

    def __init__(self, transport: Transport, damage: Damage) -> None:
        self._transport = transport
        self._damage = damage
        self._spoiler = Spoiler(damage)
        self._ended = False
        self._closed = False

    def recv(self, size: int, /) -> bytes:
        """Receive, with damage."""
        if late := self._spoiler.before_read():
            self._transport.sendall(late)
        wanted = self._spoiler.ask(size)
        try:
            data = self._transport.recv(wanted) if wanted else b""
        except (BlockingIOError, TimeoutError):
            raise
        except LOST as error:
            raise self._spoiler.lost(error) from error
        if not data and self._damage is Damage.SWALLOWS_END:
            raise BlockingIOError("nothing has arrived yet")
        return self._spoiler.read(data)

    def sendall(self, data: bytes, /) -> None:
        """Send, with damage."""
        try:
            self._transport.sendall(self._spoiler.write(data))
        except LOST as error:
            raise self._spoiler.lost(error) from error

    def settimeout(self, seconds: float) -> None:
        """As the transport does it."""
        set_timeout(self._transport, seconds)

    def close(self) -> None:
        """Close, with damage."""
        if self._closed or self._damage is Damage.NEVER_CLOSES:
            return
        self._closed = True
        if late := self._spoiler.close():
            self._transport.sendall(late)
        shut(self._transport)
