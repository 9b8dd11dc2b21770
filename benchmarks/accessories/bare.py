"""The accessory engine in the shortest loop there is: epoll, recv, the engine, send. What an adapter is measured by.

First line and end are those of ours_trio.py beside it; there are no commands. It stores nothing and trusts the kernel
to take every answer whole.
"""

from __future__ import annotations

import os
import select
import socket
import time
from pathlib import Path

import served

from hapcore.engine import CloseConnection, ConnectionId, SendBytes
from hapcore.ip.accessory import AnswerWrite, Server, WriteRequested
from hapcore.ip.accessory.settings import make_server

IMPORTED = time.perf_counter()


def loop(engine: Server, listener: socket.socket) -> None:
    """Serve until stdin ends."""
    now, poll = time.monotonic, engine.poll
    poller = select.epoll()
    for file in (listener.fileno(), 0):
        poller.register(file, select.EPOLLIN)
    numbers: dict[int, ConnectionId] = {}
    peers: dict[ConnectionId, socket.socket] = {}
    while True:
        due = engine.next_timeout()
        for file, _ in poller.poll(None if due is None else max(0.0, due - now())):
            if (number := numbers.get(file)) is not None:
                try:
                    data = peers[number].recv(65536)
                except OSError:
                    data = b""
                if data:
                    engine.receive_data(number, data, now())
                else:
                    del numbers[file]
                    peers.pop(number).close()
                    engine.receive_eof(number, now())
            elif file:
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                poller.register(peer.fileno(), select.EPOLLIN)
                number = numbers[peer.fileno()] = engine.connection_opened(now())
                peers[number] = peer
            else:
                return
            while (output := poll()) is not None:
                if isinstance(output, SendBytes):
                    if output.connection in peers:
                        peers[output.connection].sendall(output.data)
                elif isinstance(output, WriteRequested):
                    engine.submit(AnswerWrite(output.request), now())  # the setters agree with everything
                elif isinstance(output, CloseConnection) and output.connection in peers:
                    peer = peers.pop(output.connection)
                    del numbers[peer.fileno()]
                    peer.close()
        if due is not None and due <= now():
            engine.handle_timeout(now())


def main(_state: Path) -> None:
    """Listen and serve."""
    engine = make_server(served.served(), served.SETTINGS, {}, lambda _label, length: os.urandom(length))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served.hello(listener.getsockname()[1], IMPORTED)
        loop(engine, listener)


if __name__ == "__main__":
    served.run(main)
