"""HAP inside TLS on asyncio, both ends in one program. `python examples/over_tls_asyncio.py`."""

from __future__ import annotations

import asyncio

from self_signed import NAME, contexts

import hap_asyncio
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

light = Lightbulb("Veiled lamp", on=False)


async def switch_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, code: str) -> None:
    """Pair, verify, switch on: over any reader and writer."""
    async with hap_asyncio.open_connection(reader, writer) as session:
        await session.do(StartPairSetup())
        pairing = await session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        await session.do(VerifyPairing(pairing))
        await session.accessories()
        await session.write({light.on.id: True})
        print("on:", (await session.read([light.on.id]))[light.on.id].value)


async def main() -> None:
    """Serve and control until the lamp is on."""
    inside, outside = contexts()
    async with (
        hap_asyncio.open_server(light, address="127.0.0.1", mdns=False) as server,
        await asyncio.start_server(server.attach, "127.0.0.1", 0, ssl=inside) as listener,
    ):
        host, port = listener.sockets[0].getsockname()
        streams = await asyncio.open_connection(host, port, ssl=outside, server_hostname=NAME)
        await switch_on(*streams, server.setup_code)


if __name__ == "__main__":
    asyncio.run(main())
