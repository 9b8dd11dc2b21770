"""HAP inside TLS without any event loop, both ends in one program. `python examples/over_tls_sync.py`."""

from __future__ import annotations

import socket
import ssl
import threading
from functools import partial

from self_signed import NAME, contexts

import hap_sync
from hapcore.catalogue.services import Lightbulb
from hapcore.ip.controller import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode

light = Lightbulb("Veiled lamp", on=False)


def accept(server: hap_sync.AccessoryServer, listener: socket.socket, inside: ssl.SSLContext) -> None:
    """In a thread of its own, because a handshake waits for the other side; then the server's thread takes over."""
    while True:
        sock, _ = listener.accept()
        try:
            secured = inside.wrap_socket(sock, server_side=True)
        except OSError:  # not TLS, or gone
            sock.close()
        else:
            server.call_soon(partial(server.attach, secured))


def switch_on(sock: socket.socket, code: str) -> None:
    """Pair, verify, switch on: over any socket, or any object with `recv` and `sendall`."""
    with hap_sync.open_connection(sock) as session:
        session.do(StartPairSetup())
        pairing = session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        session.do(VerifyPairing(pairing))
        session.accessories()
        session.write({light.on.id: True})
        print("on:", session.read([light.on.id])[light.on.id].value)


def main() -> None:
    """Serve and control until the lamp is on: whoever waits in this thread, carries the lamp meanwhile."""
    inside, outside = contexts()
    with (
        hap_sync.open_server(light, address="127.0.0.1", mdns=False) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        threading.Thread(target=accept, args=(server, listener, inside), daemon=True).start()
        sock = socket.create_connection(listener.getsockname())
        switch_on(outside.wrap_socket(sock, server_hostname=NAME), server.setup_code)


if __name__ == "__main__":
    main()
