"""The shortest honest loop: a lamp on non-blocking sockets and `select`.

python examples/own_loop_minimal.py

Left out, and in own_loop.py: storing (this lamp forgets its pairings when it ends), `pause_sending` for controllers
that take their answers slowly. Neither announces the lamp by mDNS. `select` goes up to
about 1000 connections.
"""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import suppress

from hapcore.catalogue.services import Lightbulb
from hapcore.engine import CloseConnection, ConnectionId, SendBytes
from hapcore.ip.accessory import CharacteristicsWritten, Config, Server
from hapcore.model.accessory import Accessory


def run(engine: Server, listener: socket.socket) -> None:
    """Poll until None and carry out what comes; wait for bytes or the next timeout; hand them in; again."""
    now = time.monotonic
    peers: dict[ConnectionId, tuple[socket.socket, bytearray]] = {}
    while True:
        while (output := engine.poll()) is not None:
            if isinstance(output, SendBytes) and output.connection in peers:
                peers[output.connection][1].extend(output.data)
            elif isinstance(output, CloseConnection) and output.connection in peers:
                sock, unsent = peers.pop(output.connection)
                with sock, suppress(OSError):
                    sock.send(unsent)
            elif isinstance(output, CharacteristicsWritten):
                print("on" if output.writes[0].value else "off", flush=True)
        wait = None if (due := engine.next_timeout()) is None else max(0.0, due - now())
        writing = [sock for sock, unsent in peers.values() if unsent]
        readable, writable, _ = select.select([listener, *(sock for sock, _ in peers.values())], writing, [], wait)
        for number, (sock, unsent) in peers.items():
            try:
                if sock in writable:
                    del unsent[: sock.send(unsent)]
                if sock in readable:
                    if data := sock.recv(65536):
                        engine.receive_data(number, data, now())
                    else:
                        raise EOFError
            except (OSError, EOFError):  # the peer is gone
                engine.receive_eof(number, now())
        if listener in readable:
            sock, _ = listener.accept()
            sock.setblocking(False)
            peers[engine.connection_opened(now())] = sock, bytearray()
        engine.handle_timeout(now())


if __name__ == "__main__":
    lamp = Accessory.of(Lightbulb("Shortest lamp", on=False))
    server = Server(
        [lamp], config=Config(name="Shortest lamp"), state={}, entropy=lambda _label, length: os.urandom(length)
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], server.setup_code.text, flush=True)
        run(server, listening)
