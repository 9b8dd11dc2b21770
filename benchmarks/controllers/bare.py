"""The controller engine on a blocking socket and nothing else. What an adapter is measured by.

Commands and answers are those of aiohomekit.py beside it. It keeps no deadlines: who never answers holds it up for
ever.
"""

from __future__ import annotations

import os
import socket
import sys
import time

import rig

from hapcore.engine import CloseConnection, Done, Failed, SendBytes
from hapcore.ip.controller import (
    CharacteristicWrite,
    Close,
    Connection,
    FinishPairSetup,
    GetAccessories,
    Read,
    RemovePairing,
    StartPairSetup,
    VerifyPairing,
    Write,
)
from hapcore.setup_code import SetupCode

IMPORTED = time.perf_counter()


class Bare:
    """A controller with one client, itself."""

    def __init__(self) -> None:
        self.pairing = self.engine = None

    def pair(self, where: str, code: str, _alias: str) -> Bare:
        """Pair-setup on a connection of its own."""
        host, _, port = where.partition(":")
        self.address = host, int(port)
        self._connect()
        self.do(StartPairSetup())
        self.pairing = self.do(FinishPairSetup(SetupCode(code)))
        self.close()
        return self

    def remove(self, _alias: str) -> None:
        """Unpair."""
        self._ready(None)
        self.do(RemovePairing(self.pairing.controller_id.encode()))
        self.close()

    def read(self, ids: list) -> dict:
        """Results by id."""
        self._ready(Read)
        return self.do(Read(ids))

    def write(self, values: dict) -> dict:
        """Results by id."""
        self._ready(Write)
        return self.do(Write([CharacteristicWrite(*one) for one in values.items()]))

    def accessories(self) -> object:
        """The database."""
        self._ready(None)
        return self.do(GetAccessories())

    def close(self) -> None:
        """End the connection."""
        if self.engine is not None:
            self.do(Close())
            self.sock.close()
            self.engine = None

    def do(self, command: object) -> object:
        """Carry out one command."""
        engine, now = self.engine, time.monotonic
        number = engine.submit(command, now())
        while True:
            reply = None
            while (output := engine.poll()) is not None:
                if isinstance(output, SendBytes):
                    self.sock.sendall(output.data)
                elif isinstance(output, Done | Failed):
                    if output.command == number:
                        reply = output
                elif isinstance(output, CloseConnection):
                    self.sock.close()
            if isinstance(reply, Failed):
                raise reply.error
            if reply is not None:
                return reply.result
            if data := self.sock.recv(65536):
                engine.receive_data(data, now())
            else:
                engine.receive_eof(now())

    def _connect(self) -> None:
        self.engine = Connection(self.address[0], entropy=lambda _label, length: os.urandom(length))
        self.sock = socket.create_connection(self.address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _ready(self, kind: object) -> None:
        if self.engine is None:
            self._connect()
            self.do(VerifyPairing(self.pairing))
        if kind in (Read, Write) and not self.engine.accessories:
            self.do(GetAccessories())


if __name__ == "__main__":
    ours = rig.Blocking(Bare())
    rig.hello(IMPORTED)
    for line in sys.stdin:
        ours.obey(line)
