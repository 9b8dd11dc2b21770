"""What nobody can beat: the cipher alone, an echo alone, and our engines without a socket."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from generator import SETUP_CODE, get, pair_setup, pair_verify, post, put, take
from program import HERE, Program

from hapcore.catalogue import services
from hapcore.crypto.frames import FrameOpener, FrameSealer
from hapcore.crypto.secret import Secret
from hapcore.engine import Command, ConnectionId, Done, Failed, SendBytes
from hapcore.ip.accessory import AnswerWrite, Config, Server, WriteRequested
from hapcore.ip.controller import CharacteristicWrite, Connection, GetAccessories, Read, VerifyPairing, Write
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode

R = TypeVar("R")


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

    def __init__(self, *, asked: bool = False, make: Callable[..., Server] = Server) -> None:
        """`asked` has the application agree to every write, as a setter would; `make` makes the engine."""
        bulb = services.Lightbulb(on=False, brightness=40)
        if asked:
            bulb.on.setter(lambda _value, _caller: None)
        self.database = Database([Accessory("Light", services=[bulb])])
        self.id = bulb.on.id
        config = Config(name="Light", category=5, setup_code=SetupCode(SETUP_CODE))
        self.engine = make(self.database, config=config, state={}, entropy=lambda _label, length: os.urandom(length))
        self.drain()
        self.pairing = pair_setup(self._exchange(self.engine.connection_opened(0.0)))
        self.connection = self.engine.connection_opened(0.0)
        self.keys = pair_verify(self._exchange(self.connection), self.pairing)
        self.sealer = FrameSealer(self.keys.write)
        self.opener = FrameOpener(self.keys.read)

    def drain(self) -> bytes:
        """Carry out everything; the bytes to send."""
        sent = []
        while (output := self.engine.poll()) is not None:
            if isinstance(output, SendBytes):
                sent.append(bytes(output.data))
            elif isinstance(output, WriteRequested):
                self.engine.submit(AnswerWrite(output.request), 0.0)
        return b"".join(sent)

    def _exchange(self, connection: ConnectionId):
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

    def serve(self, kind: str, count: int) -> tuple[float, float]:
        """Requests per second, and CPU microseconds of one: sealed bytes in, everything polled, sealed bytes out."""
        requests = self.requests(kind)
        sealed = [self.sealer.seal(requests[number % len(requests)]) for number in range(count)]
        engine, connection = self.engine, self.connection
        answers = []
        keep = answers.append
        started, used = time.perf_counter(), time.process_time()
        for data in sealed:
            engine.receive_data(connection, data, 1.0)
            while (output := engine.poll()) is not None:
                if isinstance(output, SendBytes):
                    keep(output.data)
                elif isinstance(output, WriteRequested):
                    engine.submit(AnswerWrite(output.request), 1.0)
        used, took = time.process_time() - used, time.perf_counter() - started
        buffer = bytearray()
        for data in answers:
            buffer += self.opener.feed(data)
        for _ in range(count):
            found = take(buffer)
            assert found is not None, "an answer is missing"
            assert found[0] in (200, 204), found
        return count / took, used / count * 1e6


class Played:
    """Our controller engine with a verified connection, whose accessory is the record of a session.

    The session is carried once with an accessory engine at the other end, which is not what is to be measured. The same
    commands and draws make the controller send the same bytes again, so that the recorded answers will do.
    """

    def __init__(self, kind: str, count: int) -> None:
        """`kind` is "read" or "write", `count` how many of them."""
        self._count = count
        accessory = Bare(asked=True)
        keys, wanted = accessory.pairing, accessory.id
        us = Secret(keys.controller_ltsk)
        pairing = Pairing(keys.accessory_id.decode(), keys.accessory_ltpk, keys.controller_id.decode(), us)
        self._before = [VerifyPairing(pairing), GetAccessories()]

        def command(number: int) -> Read | Write:
            return Read([wanted]) if kind == "read" else Write([CharacteristicWrite(wanted, number & 1 == 0)])

        self._command = command
        self._answers: list[bytes] = []
        self._sent: list[bytes] = []
        connection = accessory.engine.connection_opened(0.0)

        def live(data: bytes) -> bytes:
            self._sent.append(data)
            accessory.engine.receive_data(connection, data, 0.0)
            self._answers.append(accessory.drain())
            return self._answers[-1]

        engine = self._open()
        for one in self._before:
            self._do(engine, one, live)
        for number in range(count):
            result = self._do(engine, command(number), live)
            assert result[wanted].status == 0, result

    def _open(self) -> Connection:
        drawn = 0

        def draw(label: str, length: int) -> bytes:
            nonlocal drawn
            drawn += 1
            return hashlib.shake_256(f"{label}{drawn}".encode()).digest(length)

        return Connection("127.0.0.1", entropy=draw)

    def _do(self, engine: Connection, command: Command[R], exchange: Callable[[bytes], bytes]) -> R:
        """Carry out one command, with nothing but the engine in between."""
        engine.submit(command, 0.0)
        while True:
            data = b""
            while (output := engine.poll()) is not None:
                if isinstance(output, SendBytes):
                    data = output.data
                elif isinstance(output, Done):
                    return output.result
                elif isinstance(output, Failed):
                    raise output.error
            engine.receive_data(exchange(data), 0.0)

    def play(self) -> tuple[float, float]:
        """Commands per second, and CPU microseconds of one."""
        engine, sent = self._open(), []
        answers = iter(self._answers)

        def recorded(data: bytes) -> bytes:
            sent.append(data)
            return next(answers)

        for one in self._before:
            self._do(engine, one, recorded)
        started, used = time.perf_counter(), time.process_time()
        for number in range(self._count):
            self._do(engine, self._command(number), recorded)
        used, took = time.process_time() - used, time.perf_counter() - started
        assert sent == self._sent, "another session than the recorded one"
        return self._count / took, used / self._count * 1e6
