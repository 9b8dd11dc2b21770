"""An Ethernet switch as a program: its ports are TAP devices, whose cables can be pulled, lossy, or long.

    python tests/network/switch.py

It takes one JSON object a line and answers each with one. {"open": "p1"} makes a device of that name in the network
namespace it runs in; whoever wants it elsewhere moves it. {"port": "p1", ...} sets what it is connected to ("segment",
a text; ports of one segment hear each other), "carrier" (a cable, or none), "loss" (the share of frames lost on the way
in and on the way out, 0 to 1) and "delay" (seconds, each way). Not the kernel's bridge and netem: the latter is missing
from many kernels, and this needs neither.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import random
import struct
import sys
from contextlib import suppress
from functools import partial

_TUNSETIFF = 0x400454CA
_TUNSETCARRIER = 0x400454E2
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
#: Larger than any frame.
_FRAME = 65536


class Port:
    """A port and the cable in it."""

    def __init__(self, name: str) -> None:
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
        self.segment = ""
        self.carrier = True
        self.loss = 0.0
        self.delay = 0.0

    def set(self, segment: str, carrier: bool, loss: float, delay: float) -> None:
        """Change the cable."""
        self.segment, self.loss, self.delay = segment, loss, delay
        if carrier is not self.carrier:
            self.carrier = carrier
            fcntl.ioctl(self.fd, _TUNSETCARRIER, struct.pack("i", carrier))

    def write(self, frame: bytes) -> None:
        """Hand a frame to the host. One that is down, or overwhelmed, does not get it."""
        with suppress(OSError):
            os.write(self.fd, frame)


class Switch:
    """Carries frames between the ports of a segment, to all of them or where the receiver is known to be."""

    def __init__(self) -> None:
        self.ports: dict[str, Port] = {}
        self._seen: dict[tuple[str, bytes], Port] = {}
        self._luck = random.Random(4711)

    def open(self, name: str) -> None:
        """Add a port."""
        port = self.ports[name] = Port(name)
        asyncio.get_running_loop().add_reader(port.fd, self._carry, port)

    def _carry(self, port: Port) -> None:
        try:
            frame = os.read(port.fd, _FRAME)
        except OSError:  # down, or nothing there after all
            return
        if not port.carrier or self._luck.random() < port.loss:
            return
        self._seen[port.segment, frame[6:12]] = port
        known = self._seen.get((port.segment, frame[:6]))
        for other in [known] if known is not None and known.segment == port.segment else self.ports.values():
            if other is port or other.segment != port.segment or not other.carrier or self._luck.random() < other.loss:
                continue
            wait = port.delay + other.delay
            if wait:
                asyncio.get_running_loop().call_later(wait, partial(other.write, frame))
            else:
                other.write(frame)


async def _main() -> None:
    switch = Switch()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if "open" in asked:
            switch.open(asked["open"])
        else:
            switch.ports[asked.pop("port")].set(**asked)
        print("{}", flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
