"""Bare echo servers for the floors: `echo.py blocking|asyncio|trio|trio-stream`. Prints the port."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading


def say(port: int) -> None:
    """Print the first line."""
    print(json.dumps({"port": port}), flush=True)


def blocking() -> None:
    """A thread per connection would be no floor: one connection at a time."""
    listener = socket.create_server(("127.0.0.1", 0))
    say(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(65536):
            connection.sendall(data)


class Echo(asyncio.BufferedProtocol):
    """asyncio at its best: a kept buffer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport
        self.view = memoryview(bytearray(65536))

    def get_buffer(self, _size: int) -> memoryview:
        """Always the same."""
        return self.view

    def buffer_updated(self, count: int) -> None:
        """Send it back."""
        self.transport.write(bytes(self.view[:count]))


async def on_asyncio() -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    say(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def on_trio(kind: str) -> None:
    """Serve for ever: a task per connection, with streams or with sockets as bare as trio allows."""
    import trio

    async def with_stream(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async def with_socket(connection: socket.socket) -> None:
        while True:
            await trio.lowlevel.wait_readable(connection)
            data = connection.recv(16384)
            if not data:
                return
            connection.send(data)

    if kind == "trio-stream":
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        say(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(with_stream, listeners)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    say(listener.getsockname()[1])
    async with trio.open_nursery() as nursery:
        while True:
            await trio.lowlevel.wait_readable(listener)
            connection, _ = listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            nursery.start_soon(with_socket, connection)


def main(kind: str) -> None:
    """Run the server; it ends with its stdin."""
    if kind == "blocking":
        blocking()
    elif kind == "asyncio":
        asyncio.run(on_asyncio())
    else:
        import trio

        trio.run(on_trio, kind)


if __name__ == "__main__":

    def watch() -> None:
        """The parent closes our stdin when it is done."""
        sys.stdin.read()
        import os

        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    main(sys.argv[1])
