"""A lamp in a gevent program: the accessory engine called from greenlets, two for each connection.

python examples/in_gevent.py STATE_FILE

An engine's call never yields to another greenlet, so it needs no lock. What does yield is sending: therefore the pump
only puts bytes into queues, and one greenlet for each connection sends them.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

from hap_sync.store import FileStore
from hapcore.catalogue.services import Lightbulb
from hapcore.engine import CloseConnection, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import StateError
from hapcore.ip.accessory import CharacteristicsWritten, Config, Server
from hapcore.model.accessory import Accessory
from hapcore.state import STATE

#: Bytes that may be unsent before the engine holds back.
HIGH_WATER = 64 * 1024


class Peer:
    """One connection: what is unsent, and who waits for it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unsent = bytearray()
        self.ended = False
        self.work, self.idle = Event(), Event()
        self.idle.set()


class Lamp:
    """The engine and its connections."""

    def __init__(self, store: FileStore) -> None:
        self.store = store
        self.light = Lightbulb("Gevent lamp", on=False)
        self.engine = Server(
            [Accessory.of(self.light)], config=Config(name="Gevent lamp"), state=store.load(), entropy=entropy
        )
        self.peers: dict[ConnectionId, Peer] = {}
        self.alarm: gevent.Greenlet | None = None
        self.pump()

    def serve(self, sock: socket.socket, _: object) -> None:
        """The greenlet of one connection reads; another one writes."""
        number = self.engine.connection_opened(time.monotonic())
        peer = self.peers[number] = Peer(sock)
        writer = gevent.spawn(self.write, number, peer)
        self.pump()
        while not peer.ended:
            try:
                data = sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            self.engine.receive_data(number, data, time.monotonic())
            self.pump()
            while not peer.idle.is_set():  # whoever takes no answers gets no new questions in
                peer.idle.wait()
        self.engine.receive_eof(number, time.monotonic())
        self.pump()
        writer.join()

    def write(self, number: ConnectionId, peer: Peer) -> None:
        """The only greenlet that sends on this connection, so that no message gets into another."""
        while peer.unsent or not peer.ended:
            peer.work.wait()
            peer.work.clear()
            while peer.unsent:
                data = bytes(peer.unsent)
                peer.unsent.clear()
                try:
                    peer.sock.sendall(data)
                except OSError:  # the peer is gone
                    self.engine.receive_eof(number, time.monotonic())
            peer.idle.set()
            self.engine.resume_sending(number, time.monotonic())
            self.pump()
        with suppress(OSError):
            peer.sock.shutdown(socket.SHUT_RDWR)  # the reading greenlet finds the end

    def pump(self) -> None:
        """Carry out all the engine wants; to be called after every input."""
        while (output := self.engine.poll()) is not None:
            self.carry_out(output)
        if self.alarm is not None:
            self.alarm.kill(block=False)
            self.alarm = None
        if (due := self.engine.next_timeout()) is not None:
            self.alarm = gevent.spawn_later(max(0.0, due - time.monotonic()), self.timeout)

    def timeout(self) -> None:
        """The engine is due."""
        self.alarm = None
        self.engine.handle_timeout(time.monotonic())
        self.pump()

    def carry_out(self, output: Output) -> None:
        """One output of the engine. Nothing in here waits."""
        match output:
            case SendBytes(number, data) if number in self.peers:
                peer = self.peers[number]
                peer.unsent += data
                peer.work.set()
                if len(peer.unsent) > HIGH_WATER:
                    peer.idle.clear()
                    self.engine.pause_sending(number, time.monotonic())
            case CloseConnection(number) if number in self.peers:
                peer = self.peers.pop(number)
                peer.ended = True
                peer.work.set()
            case Persist() | Forget():
                try:
                    if isinstance(output, Persist):
                        self.store.persist(output.key, output.value)
                    else:
                        self.store.forget(output.key)
                except (OSError, StateError) as error:
                    self.engine.effect_failed(output, str(error), time.monotonic())
            case CharacteristicsWritten():
                print("on" if self.light.on.value else "off", flush=True)


def entropy(label: str, length: int) -> bytes:
    """Random bytes; the label says what for, and is there for recordings."""
    del label
    return os.urandom(length)


if __name__ == "__main__":
    lamp = Lamp(FileStore(sys.argv[1], STATE))
    server = StreamServer(("127.0.0.1", 0), lamp.serve)
    server.start()
    print(server.server_port, lamp.engine.setup_code.text, flush=True)
    server.serve_forever()
