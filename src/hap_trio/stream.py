"""TCP as the pump likes it: a trio stream that can also write at once, without a task."""

from __future__ import annotations

import operator
import os
import socket
from typing import cast

import trio
from trio.abc import Stream

from hap_sync.listening import NO_ROOM, NO_ROOM_PAUSE
from hapcore.errors import Disconnected

__all__ = ["SocketStream", "accept", "dial"]

#: Most requests and events fit; a longer message takes another turn. Small enough that malloc keeps the block.
READ_SIZE = 16 * 1024
#: Seconds one address may take to answer a connection attempt; the next one may be the right one.
CONNECT_LIMIT = 5.0


class SocketStream(Stream):
    """A connected, non-blocking standard library socket as a trio stream.

    Unlike trio's own `SocketStream` it has `send_nowait()`: most answers fit into the kernel's buffer, a system call
    is all they need. Small segments leave at once (TCP_NODELAY).
    """

    __slots__ = ("_fd", "_sending", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._fd = sock.fileno()
        self._sending = False

    def send_nowait(self, data: bytes | bytearray | memoryview) -> int:
        """Hand as much of `data` to the kernel as it takes now. Returns the number of bytes taken, 0 when it is full.

        Raises `trio.BrokenResourceError` when the connection is gone, `trio.ClosedResourceError` after `aclose()`.
        """
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._error(error) from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this stream")
        self._sending = True
        try:
            await trio.lowlevel.checkpoint()
            rest = memoryview(data)
            self._check_open()
            while rest:
                rest = rest[self.send_nowait(rest) :]
                if rest:
                    await trio.lowlevel.wait_writable(self._fd)
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this stream")
        self._sending = True
        try:
            self._check_open()
            await trio.lowlevel.wait_writable(self._fd)
        finally:
            self._sending = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if max_bytes is None:
            max_bytes = READ_SIZE
        elif operator.index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        while True:
            self._check_open()
            await trio.lowlevel.wait_readable(self._fd)
            try:
                return self._socket.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._error(error) from error

    def close(self) -> None:
        """Close at once. A task that is reading or writing gets `trio.ClosedResourceError`."""
        if self._fd >= 0:
            trio.lowlevel.notify_closing(self._fd)
            self._fd = -1
            self._socket.close()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._fd < 0:
            raise trio.ClosedResourceError("this stream was closed")

    def _error(self, error: OSError) -> Exception:
        if self._fd < 0:
            return trio.ClosedResourceError("this stream was closed")
        return trio.BrokenResourceError(f"connection lost: {error.strerror or error}")


async def accept(listener: socket.socket) -> SocketStream:
    """Wait for the next connection. Raises `trio.ClosedResourceError` when the listener is closed meanwhile."""
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            pass
        except OSError as error:
            if listener.fileno() < 0:
                raise trio.ClosedResourceError("this listener was closed") from error
            # Anything else concerns one connection that broke off before it was accepted.
            await trio.sleep(NO_ROOM_PAUSE if error.errno in NO_ROOM else 0)
        else:
            return SocketStream(sock)


async def dial(host: str, port: int) -> SocketStream:
    """Connect to `host` (an IP address or a name) and `port`. Raises `Disconnected` when nobody answers within 5 s."""
    with trio.move_on_after(CONNECT_LIMIT):
        try:
            connected = await trio.open_tcp_stream(host, port)
        except OSError as error:
            raise Disconnected(f"cannot connect to {host}, port {port}: {_cause(error)}") from error
        # The descriptor changes hands: trio did the looking up and the racing of addresses, the stream above goes on.
        return SocketStream(socket.socket(fileno=connected.socket.detach()))
    raise Disconnected(f"cannot connect to {host}, port {port}: no answer within {CONNECT_LIMIT:g} s")


def _cause(error: BaseException) -> str:
    """The words of the operating system, from under trio's summary of all attempts."""
    while error.__cause__ is not None:
        error = error.__cause__
        if isinstance(error, BaseExceptionGroup):
            error = cast("BaseException", error.exceptions[0])
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    return os.strerror(error.errno) if error.errno > 0 else error.strerror or str(error)
