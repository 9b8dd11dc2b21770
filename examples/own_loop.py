"""A lamp on a loop of one's own: the accessory engine, bare non-blocking sockets and `selectors`; no adapter.

python examples/own_loop.py STATE_FILE
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hapcore.catalogue.services import Lightbulb
from hapcore.engine import CloseConnection, ConnectionId, Forget, Persist, SendBytes
from hapcore.ip.accessory import CharacteristicsWritten, Config, PairingAdded, Server
from hapcore.model.accessory import Accessory
from hapcore.state import decode_state, encode_state


def run(engine: Server, listener: socket.socket, keep: Callable[[Persist | Forget], None]) -> None:
    """Poll until None and carry out what comes; wait for bytes or the next timeout; hand them in; again."""
    now = time.monotonic
    socks: dict[ConnectionId, socket.socket] = {}
    unsent: dict[ConnectionId, bytearray] = {}
    ended: set[ConnectionId] = set()
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)

    def flush(number: ConnectionId) -> None:
        sock, data = socks[number], unsent[number]
        try:
            del data[: sock.send(data)]
        except BlockingIOError:
            pass
        except OSError:  # the peer is gone
            data.clear()
            engine.receive_eof(number, now())
        if number in ended and not data:
            selector.unregister(sock)
            socks.pop(number).close()
        else:
            hold_or_go_on = engine.pause_sending if data else engine.resume_sending
            hold_or_go_on(number, now())
            selector.modify(sock, selectors.EVENT_WRITE if data else selectors.EVENT_READ, number)

    while True:
        while (output := engine.poll()) is not None:
            match output:
                case SendBytes(number, data) if number in socks:
                    unsent[number] += data
                    flush(number)
                case CloseConnection(number) if number in socks:
                    ended.add(number)
                    flush(number)
                case Persist() | Forget():
                    try:
                        keep(output)
                    except OSError as error:
                        engine.effect_failed(output, str(error), now())
                case PairingAdded() | CharacteristicsWritten():
                    print(output, flush=True)
        due = engine.next_timeout()
        for key, ready in selector.select(None if due is None else max(0.0, due - now())):
            if key.fileobj is listener:
                sock, _ = listener.accept()
                sock.setblocking(False)
                number = engine.connection_opened(now())
                socks[number], unsent[number] = sock, bytearray()
                selector.register(sock, selectors.EVENT_READ, number)
            elif ready & selectors.EVENT_WRITE:
                flush(key.data)
            else:
                try:
                    data = socks[key.data].recv(65536)
                except OSError:
                    data = b""
                if data:
                    engine.receive_data(key.data, data, now())
                else:
                    engine.receive_eof(key.data, now())
        engine.handle_timeout(now())


class Table:
    """A state file that is old or new, never half: written beside the old one, forced to the disk, renamed over it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = decode_state(path.read_bytes()) if path.exists() else {}

    def keep(self, effect: Persist | Forget) -> None:
        """Carry out what the engine wants stored; when this returns it is on the disk."""
        entries = {key: value for key, value in self.entries.items() if key != effect.key}
        if isinstance(effect, Persist):
            entries[effect.key] = effect.value
        new = self.path.with_name(f"{self.path.name}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(encode_state(entries))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        self.entries = entries


def entropy(label: str, length: int) -> bytes:
    """Random bytes; the label says what for, and is there for recordings."""
    del label
    return os.urandom(length)


if __name__ == "__main__":
    table = Table(Path(sys.argv[1]))
    lamp = Accessory.of(Lightbulb("Bare lamp", on=False))
    server = Server([lamp], config=Config(name="Bare lamp"), state=table.entries, entropy=entropy)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        print(listener.getsockname()[1], server.setup_code.text, flush=True)
        run(server, listener, table.keep)
