"""HAP inside TLS, for a lamp behind a proxy that demands it: both ends in one program. `python examples/over_tls.py`.

HAP encrypts by itself and needs no TLS; a network in between may want it all the same.
"""

from __future__ import annotations

import trio
from self_signed import NAME, contexts

import hap_trio
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

light = Lightbulb("Veiled lamp", on=False)


async def serve(server: hap_trio.AccessoryServer, listener: trio.SSLListener[trio.SocketStream]) -> None:
    """Hand each connection over; the TLS handshake is done when the first bytes are read."""
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


async def main() -> None:
    """Serve and control until the lamp is on."""
    inside, outside = contexts()
    (sockets,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with (
        hap_trio.open_server(light, address="127.0.0.1", mdns=False) as server,
        trio.SSLListener(sockets, inside) as listener,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(serve, server, listener)
        port = sockets.socket.getsockname()[1]
        stream = trio.SSLStream(await trio.open_tcp_stream("127.0.0.1", port), outside, server_hostname=NAME)
        await stream.do_handshake()  # a wrong certificate says so here; later it would be a lost connection
        await switch_on(stream, server.setup_code)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
