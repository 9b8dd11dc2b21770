"""State diagrams: the controller's from its table, the accessory's by driving the engine and watching it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from enum import Enum

from hapcore.codec import tlv8
from hapcore.codec.http import ResponseReader, write_request
from hapcore.crypto.frames import FrameSealer, SessionKeys
from hapcore.engine import SendBytes
from hapcore.ip.accessory import Config, Server
from hapcore.ip.controller.states import TRANSITIONS
from hapcore.model.accessory import Accessory
from hapcore.pairing.items import Flags, Item
from hapcore.pairing.pairings import encode_remove
from hapcore.pairing.records import Pairing
from hapcore.pairing.setup import PairSetupController
from hapcore.pairing.verify import PairVerifyController
from hapcore.setup_code import SetupCode

CODE = "031-45-154"
TLV8 = "application/pairing+tlv8"
WRONG = "031-45-155"
BAD_FRAME = "a frame that does not decrypt"
GARBAGE = b"\x10\x00" + bytes(32)
Edge = tuple[Enum, Enum, str]


def diagram(states: Iterable[Enum], start: Enum, edges: Iterable[Edge]) -> list[str]:
    """A mermaid state diagram; edges between the same two states share an arrow."""
    labels: dict[tuple[str, str], list[str]] = {}
    for source, target, label in edges:
        texts = labels.setdefault((source.name, target.name), [])
        if label not in texts:
            texts.append(label)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state.value}" as {state.name}' for state in states]
    lines.append(f"    [*] --> {start.name}")
    lines += [f"    {source} --> {target}: {' / '.join(texts)}" for (source, target), texts in labels.items()]
    return [*lines, "```"]


def controller() -> list[Edge]:
    """From the table of transitions."""
    edges: list[Edge] = []
    for (state, kind), (during, done, failed) in TRANSITIONS.items():
        if during is state is done is failed:
            edges.append((state, state, kind.value))
        else:
            edges += [(state, during, kind.value), (during, done, "done"), (during, failed, "failed")]
    return edges


# --- the accessory ----------------------------------------------------------------------------------------------------


def _entropy() -> Callable[[str, int], bytes]:
    count = 0

    def draw(label: str, length: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{label} {count}".encode()).digest(length)

    return draw


class Rig:
    """A server and one plain connection to it; `edges` tells how `look` changed with each step."""

    def __init__(self, look: Callable[[Rig], Enum]) -> None:
        self.edges: list[Edge] = []
        self._look = look
        self._entropy = _entropy()
        self.server = Server(
            [Accessory("Lamp")], config=Config(name="Lamp", setup_code=SetupCode(CODE)), state={}, entropy=self._entropy
        )
        self._setup = PairSetupController(self._entropy)
        self._answer = b""
        self.connect()

    def step(self, label: str, action: Callable[[], object]) -> None:
        """Do something and note what became of it."""
        before = self._look(self)
        action()
        self.edges.append((before, self._look(self), label))

    def connect(self) -> None:
        """From now on another connection is meant."""
        self._connection = self.server.connection_opened(0.0)
        self.session = self.server._sessions[self._connection]

    def lose(self) -> None:
        """The connection breaks."""
        self.server.receive_eof(self._connection, 0.0)

    def send(self, data: bytes) -> bytes:
        """Send bytes as they are; what came back."""
        self._sent()
        self.server.receive_data(self._connection, data, 0.0)
        return self._sent()

    def _post(self, target: str, body: bytes) -> None:
        reader = ResponseReader()
        reader.feed(self.send(write_request("POST", target, "lamp", TLV8, body)))
        answer = reader.next()
        self._answer = b"" if answer is None else answer.body

    def _sent(self) -> bytes:
        sent = b""
        while (output := self.server.poll()) is not None:
            if isinstance(output, SendBytes):
                sent += output.data
        return sent

    def m1(self) -> None:
        """Start pair-setup."""
        self._post("/pair-setup", self._setup.m1())

    def m1_transient(self) -> None:
        """Start pair-setup that ends with M4 (HAP 4.6)."""
        self._setup.m1()
        items = [(Item.METHOD, b"\0"), (Item.STATE, b"\1"), (Item.FLAGS, tlv8.write_uint(Flags.TRANSIENT))]
        self._post("/pair-setup", tlv8.encode(items))

    def m3(self, code: str = CODE) -> None:
        """Prove the setup code."""
        self._setup.receive_m2(self._answer)
        self._post("/pair-setup", self._setup.m3(code))

    def m5(self, damage: int = 0) -> None:
        """Introduce ourselves."""
        message = self._setup.m5(self._answer)
        self._post("/pair-setup", message[:-1] + bytes((message[-1] ^ damage,)))

    def nonsense(self) -> None:
        """A message that has no place anywhere."""
        self._post("/pair-setup", b"\x06\x01\x09")

    def pair(self) -> Pairing:
        """Pair-setup from end to end."""
        self.m1()
        self.m3()
        self.m5()
        return self._setup.finish(self._answer)

    def verify(self, pairing: Pairing) -> SessionKeys:
        """Pair-verify from end to end."""
        machine = PairVerifyController(pairing, self._entropy)
        self._post("/pair-verify", machine.m1())
        self._post("/pair-verify", machine.m3(self._answer))
        return machine.finish(self._answer).keys


def setup_desk() -> list[Edge]:
    """What the desk waits for, before and after everything that can happen to it."""
    rig = Rig(lambda rig: rig.server.setup_desk.state)
    odd = "malformed, or out of turn"
    rig.step(odd, rig.nonsense)
    rig.step("M1", rig.m1)
    rig.step("M1 again", rig.m1)
    rig.step("M3, the code is right", rig.m3)
    rig.step("M1 again", rig.m1)
    rig.step("M3, the code is wrong", lambda: rig.m3(WRONG))
    rig.m1()
    rig.step(odd, rig.nonsense)
    rig.m1()
    rig.step("connection lost", rig.lose)
    rig.connect()
    rig.m1()
    rig.m3()
    rig.step(odd, rig.nonsense)
    rig.m1()
    rig.m3()
    rig.step("connection lost", rig.lose)
    rig.connect()
    rig.m1()
    rig.m3()
    rig.step("M5 that does not decrypt", lambda: rig.m5(damage=1))
    rig.m1_transient()
    rig.step("M3, the code is right, transient setup", rig.m3)
    rig.connect()
    rig.m1()
    rig.m3()
    rig.step("M5, paired", rig.m5)
    rig.step("M1, refused: paired already", rig.m1)
    return rig.edges


def security() -> list[Edge]:
    """How far a connection comes, and what ends it."""
    rig = Rig(lambda rig: rig.session.security)
    rig.step("connection lost", rig.lose)
    rig.connect()
    rig.step("a message that is no HTTP", lambda: rig.send(b"\0\0\r\n\r\n"))
    rig.connect()
    rig.m1_transient()
    rig.step("M4 of a transient pair-setup sent", rig.m3)
    rig.step("connection lost", rig.lose)
    rig.connect()
    rig.m1_transient()
    rig.m3()
    rig.step(BAD_FRAME, lambda: rig.send(GARBAGE))
    rig.connect()
    pairing = rig.pair()
    rig.step("M4 of pair-verify sent", lambda: rig.verify(pairing))
    rig.step("connection lost", rig.lose)
    rig.connect()
    rig.verify(pairing)
    rig.step(BAD_FRAME, lambda: rig.send(GARBAGE))
    rig.connect()
    keys = rig.verify(pairing)
    goodbye = write_request("POST", "/pairings", "lamp", TLV8, encode_remove(pairing.controller_id.encode()))
    rig.step("own pairing removed, answered", lambda: rig.send(FrameSealer(keys.write).seal(goodbye)))
    return rig.edges
