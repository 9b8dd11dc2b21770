"""A lamp in a Twisted program: the accessory engine inside the running reactor, a protocol for each connection.

python examples/in_twisted.py STATE_FILE
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet import protocol, reactor
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from hap_sync.store import FileStore
from hapcore.catalogue.services import Lightbulb
from hapcore.engine import CloseConnection, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import StateError
from hapcore.ip.accessory import CharacteristicsWritten, Config, Server
from hapcore.model.accessory import Accessory
from hapcore.state import STATE


class Lamp(protocol.Factory):
    """The engine, and the protocols that carry its connections."""

    def __init__(self, clock: Any, store: FileStore) -> None:
        self.clock, self.store = clock, store
        self.light = Lightbulb("Twisted lamp", on=False)
        self.engine = Server(
            [Accessory.of(self.light)], config=Config(name="Twisted lamp"), state=store.load(), entropy=entropy
        )
        self.peers: dict[ConnectionId, Peer] = {}
        self.alarm: Any = None
        self.pump()

    def buildProtocol(self, _: object) -> Peer:  # noqa: N802 - the names are Twisted's
        return Peer(self)

    def pump(self) -> None:
        """Carry out all the engine wants; to be called after every input."""
        while (output := self.engine.poll()) is not None:
            self.carry_out(output)
        if self.alarm is not None and self.alarm.active():
            self.alarm.cancel()
        if (due := self.engine.next_timeout()) is not None:
            self.alarm = self.clock.callLater(max(0.0, due - self.clock.seconds()), self.timeout)

    def timeout(self) -> None:
        """The engine is due."""
        self.engine.handle_timeout(self.clock.seconds())
        self.pump()

    def carry_out(self, output: Output) -> None:
        """One output of the engine."""
        match output:
            case SendBytes(number, data) if number in self.peers:
                self.peers[number].link.write(data)
            case CloseConnection(number) if number in self.peers:
                peer = self.peers.pop(number)
                peer.link.unregisterProducer()  # or the transport would wait for us to have nothing more to say
                peer.link.loseConnection()
            case Persist() | Forget():
                try:
                    if isinstance(output, Persist):
                        self.store.persist(output.key, output.value)
                    else:
                        self.store.forget(output.key)
                except (OSError, StateError) as error:
                    self.engine.effect_failed(output, str(error), self.clock.seconds())
            case CharacteristicsWritten():
                print("on" if self.light.on.value else "off", flush=True)


@implementer(IPushProducer)
class Peer(protocol.Protocol):
    """One connection. Twisted asks it to pause when the controller takes its answers slowly."""

    def __init__(self, lamp: Lamp) -> None:
        self.lamp = lamp
        self.link: Any

    def connectionMade(self) -> None:  # noqa: N802
        self.link = self.transport
        self.number = self.lamp.engine.connection_opened(self.lamp.clock.seconds())
        self.lamp.peers[self.number] = self
        self.link.registerProducer(self, True)
        self.lamp.pump()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.lamp.engine.receive_data(self.number, data, self.lamp.clock.seconds())
        self.lamp.pump()

    def connectionLost(self, _: object = None) -> None:  # noqa: N802
        self.lamp.peers.pop(self.number, None)
        self.lamp.engine.receive_eof(self.number, self.lamp.clock.seconds())
        self.lamp.pump()

    def pauseProducing(self) -> None:  # noqa: N802
        self.link.pauseProducing()
        self.lamp.engine.pause_sending(self.number, self.lamp.clock.seconds())

    def resumeProducing(self) -> None:  # noqa: N802
        self.link.resumeProducing()
        self.lamp.engine.resume_sending(self.number, self.lamp.clock.seconds())
        self.lamp.pump()

    def stopProducing(self) -> None:  # noqa: N802
        pass  # connectionLost() says it


def entropy(label: str, length: int) -> bytes:
    """Random bytes; the label says what for, and is there for recordings."""
    del label
    return os.urandom(length)


if __name__ == "__main__":
    loop: Any = reactor
    lamp = Lamp(loop, FileStore(sys.argv[1], STATE))
    port = loop.listenTCP(0, lamp, interface="127.0.0.1")
    print(port.getHost().port, lamp.engine.setup_code.text, flush=True)
    loop.run()
