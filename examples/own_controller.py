"""A controller on a loop of one's own: the controller engine on one blocking socket; no adapter.

python examples/own_controller.py PORT SETUP_CODE
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import TypeVar, cast

from hapcore.engine import CloseConnection, Command, Done, Event, Failed, SendBytes
from hapcore.ip.controller import (
    Close,
    Connection,
    Describe,
    FinishPairSetup,
    GetValue,
    RemovePairing,
    SetValue,
    StartPairSetup,
    VerifyPairing,
)
from hapcore.setup_code import SetupCode

R = TypeVar("R")


class Blocking:
    """One connection to one accessory; `do()` returns when the command is done. Events gather in `events`."""

    def __init__(self, host: str, port: int) -> None:
        self.engine = Connection(host, entropy=lambda _label, length: os.urandom(length))
        self.sock = socket.create_connection((host, port))
        self.events: list[Event] = []

    def do(self, command: Command[R]) -> R:
        """Carry out one command; raises the `HapError` it fails with."""
        number = self.engine.submit(command, time.monotonic())
        while True:
            reply: Done | Failed | None = None
            while (output := self.engine.poll()) is not None:
                match output:
                    case SendBytes(_, data):
                        self.sock.sendall(data)
                    case CloseConnection():
                        self.sock.close()
                    case Done(command=one) | Failed(command=one) if one == number:
                        reply = output
                    case Event():
                        self.events.append(output)
            if isinstance(reply, Failed):
                raise reply.error
            if reply is not None:
                return cast("R", reply.result)
            self._wait()

    def _wait(self) -> None:
        due = self.engine.next_timeout()
        self.sock.settimeout(None if due is None else max(0.001, due - time.monotonic()))
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            self.engine.handle_timeout(time.monotonic())
            return
        except OSError:
            data = b""
        if data:
            self.engine.receive_data(data, time.monotonic())
        else:
            self.engine.receive_eof(time.monotonic())


if __name__ == "__main__":
    at = int(sys.argv[1])
    first = Blocking("127.0.0.1", at)
    first.do(StartPairSetup())
    pairing = first.do(FinishPairSetup(SetupCode(sys.argv[2])))  # a real program stores it before anything else
    first.do(Close())
    lamp = Blocking("127.0.0.1", at)
    lamp.do(VerifyPairing(pairing))
    on = lamp.do(Describe()).lightbulb.on
    lamp.do(SetValue(on, True))
    print(on, lamp.do(GetValue(on)))
    lamp.do(RemovePairing(pairing.controller_id.encode()))
