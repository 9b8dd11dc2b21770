"""HAP inside TLS, for a lamp behind a proxy that demands it: both ends in one program. `python examples/over_tls.py`.

HAP encrypts by itself and needs no TLS; a network in between may want it all the same.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import hap_trio
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

NAME = "lamp.example"

light = Lightbulb("Veiled lamp", on=False)


def certificate(folder: Path) -> Path:
    """A key and a certificate that vouches for itself, in one file for one day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "lamp.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


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
    with tempfile.TemporaryDirectory() as folder:
        pem = certificate(Path(folder))
        inside, outside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context(cafile=pem)
        inside.load_cert_chain(pem)
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
