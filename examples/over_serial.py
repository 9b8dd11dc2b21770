"""HAP over a serial line. `python examples/over_serial.py`: both ends, on a pseudo-terminal in place of the line.

With a real line each end opens its own device, `os.open("/dev/ttyUSB0", os.O_RDWR | os.O_NOCTTY)`, and sets the speed
with `termios`. Three things a socket has and a line lacks:

- Many connections. One line is one connection.
- An end. Nobody hears when the other side starts again; what it sends then does not decrypt, and the session is over.
  Where restarts happen, tell them apart by something outside the bytes (a modem line, a break): `aclose()` the stream
  and attach the line anew, as `os.dup()` of its descriptor.
- Care for the bytes. HAP notices a lost or changed byte and ends the session; it does not repair it. Switch hardware
  flow control on, or put a protocol that repeats in between.
"""

from __future__ import annotations

import os
import tty

import trio

import hap_trio
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

light = Lightbulb("Wired lamp", on=False)


def raw(descriptor: int) -> trio.lowlevel.FdStream:
    """A terminal device as a stream: no echo, no line editing, no translation of any byte."""
    tty.setraw(descriptor)
    return trio.lowlevel.FdStream(descriptor)


async def switch_on(stream: trio.abc.Stream, code: str) -> None:
    """Pair, verify, switch on: over any stream."""
    async with hap_trio.open_connection(stream) as session:
        await session.do(StartPairSetup())
        pairing = await session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        await session.do(VerifyPairing(pairing))
        await session.accessories()
        await session.write({light.on.id: True})
        print("on:", (await session.read([light.on.id]))[light.on.id].value)


async def main() -> None:
    """Serve and control until the lamp is on."""
    ours, theirs = os.openpty()
    async with hap_trio.open_server(light, address="127.0.0.1", mdns=False) as server:
        server.attach(raw(ours))
        await switch_on(raw(theirs), server.setup_code)


if __name__ == "__main__":
    trio.run(main)
