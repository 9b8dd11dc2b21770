"""HAP over a Unix socket: a lamp and a controller in one program. `python examples/over_unix.py SOCKET`."""

from __future__ import annotations

import sys

import trio

import hap_trio
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

light = Lightbulb("Local lamp", on=False)


async def serve(server: hap_trio.AccessoryServer, listener: trio.SocketListener) -> None:
    """Everybody who connects is a controller; the server owns the connections and closes them."""
    while True:
        server.attach(await listener.accept())


async def switch_on(stream: trio.abc.Stream, code: str) -> None:
    """Pair, verify, switch on: over any stream."""
    async with hap_trio.open_connection(stream) as session:
        await session.do(StartPairSetup())
        pairing = await session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        await session.do(VerifyPairing(pairing))
        await session.accessories()
        await session.write({light.on.id: True})
        print("on:", (await session.read([light.on.id]))[light.on.id].value)


async def main(path: str) -> None:
    """Serve and control until the lamp is on."""
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(path)
    sock.listen()
    async with (
        hap_trio.open_server(light, address="127.0.0.1", mdns=False) as server,
        trio.SocketListener(sock) as listener,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(serve, server, listener)
        await switch_on(await trio.open_unix_socket(path), server.setup_code)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
