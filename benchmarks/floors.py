"""What no accessory can beat: the cipher alone, an echo alone, and our engine without a socket."""

from __future__ import annotations

import os
import socket
import sys
import time

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from generator import SETUP_CODE, get, pair_setup, pair_verify, post, put, take
from program import HERE, Program

from hapcore.crypto.frames import FrameOpener, FrameSealer


def aead(count: int) -> float:
    """Microseconds to seal and open 200 bytes with the key objects kept, length and nonce included."""
    key = os.urandom(32)
    sealer, opener = ChaCha20Poly1305(key), ChaCha20Poly1305(key)
    data = bytes(200)
    head = len(data).to_bytes(2, "little")
    started = time.process_time()
    for number in range(count):
        nonce = b"\0\0\0\0" + number.to_bytes(8, "little")
        opener.decrypt(nonce, sealer.encrypt(nonce, data, head), head)
    return (time.process_time() - started) / count * 1e6


def frames(count: int) -> float:
    """The same through `FrameSealer` and `FrameOpener`."""
    key = os.urandom(32)
    sealer, opener = FrameSealer(key), FrameOpener(key)
    data = bytes(200)
    started = time.process_time()
    for _ in range(count):
        opener.feed(sealer.seal(data))
    return (time.process_time() - started) / count * 1e6


def echo(kind: str, seconds: float, cores: tuple[int, int]) -> tuple[float, float]:
    """Round trips of 200 bytes per second and the server's CPU microseconds for each."""
    os.sched_setaffinity(0, {cores[1]})
    with Program([sys.executable, str(HERE / "echo.py"), kind], cores[0]) as program:
        connection = socket.create_connection(("127.0.0.1", program.hello["port"]))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = bytes(200)
        for _ in range(200):
            connection.sendall(data)
            connection.recv(65536)
        count = 0
        cpu = program.cpu()
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            connection.sendall(data)
            connection.recv(65536)
            count += 1
        took = time.perf_counter() - started
        cpu = program.cpu() - cpu
        connection.close()
    return count / took, cpu / count * 1e6


class Bare:
    """Our accessory engine with a paired, verified connection, and nothing else."""

    def __init__(self) -> None:
        from hapcore.catalogue import services
        from hapcore.engine import Persist, SendBytes
        from hapcore.ip.accessory import Config, Server
        from hapcore.model.accessory import Accessory
        from hapcore.model.database import Database
        from hapcore.setup_code import SetupCode

        self._sends = SendBytes
        self._stores = Persist
        bulb = services.Lightbulb(on=False, brightness=40)
        self.database = Database([Accessory("Light", services=[bulb])])
        self.id = bulb.on.id
        config = Config(name="Light", category=5, setup_code=SetupCode(SETUP_CODE))
        self.engine = Server(self.database, config=config, state={}, entropy=lambda _label, length: os.urandom(length))
        self.drain()
        keys = pair_setup(self._exchange(self.engine.connection_opened(0.0)))
        self.connection = self.engine.connection_opened(0.0)
        self.keys = pair_verify(self._exchange(self.connection), keys)
        self.sealer = FrameSealer(self.keys.write)
        self.opener = FrameOpener(self.keys.read)

    def drain(self) -> bytes:
        """Carry out everything; the bytes to send."""
        sent = []
        while (output := self.engine.poll()) is not None:
            if isinstance(output, self._sends):
                sent.append(bytes(output.data))
        return b"".join(sent)

    def _exchange(self, connection: object):
        def exchange(path: str, body: bytes) -> bytes:
            self.drain()
            self.engine.receive_data(connection, post(path, body), 0.0)
            found = take(bytearray(self.drain()))
            assert found is not None, f"no answer to {path}"
            assert found[0] == 200, found
            return found[1]

        return exchange

    def requests(self, kind: str) -> list[bytes]:
        """What to send in turn, unsealed."""
        aid, iid = self.id
        if kind == "GET":
            return [get(f"/characteristics?id={aid}.{iid}")]
        rows = [{"aid": aid, "iid": iid, "value": value} for value in (1, 0)]
        return [put({"characteristics": [row]}) for row in rows]

    def serve(self, kind: str, count: int) -> float:
        """CPU microseconds of one request: sealed bytes in, everything polled, sealed bytes out."""
        requests = self.requests(kind)
        sealed = [self.sealer.seal(requests[number % len(requests)]) for number in range(count)]
        engine, connection, sends = self.engine, self.connection, self._sends
        answers = []
        keep = answers.append
        started = time.process_time()
        for data in sealed:
            engine.receive_data(connection, data, 1.0)
            while (output := engine.poll()) is not None:
                if isinstance(output, sends):
                    keep(output.data)
        took = time.process_time() - started
        buffer = bytearray()
        for data in answers:
            buffer += self.opener.feed(data)
        for _ in range(count):
            found = take(buffer)
            assert found is not None, "an answer is missing"
            assert found[0] in (200, 204), found
        return took / count * 1e6
