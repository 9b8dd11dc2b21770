"""An accessory engine on the bench: connections that speak to it byte by byte, virtual time, everything recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable

from hapcore.catalogue import characteristics as c
from hapcore.codec.http import Response, ResponseReader, write_request
from hapcore.codec.tlv8 import decode
from hapcore.crypto.frames import FrameOpener, FrameSealer
from hapcore.crypto.secret import Secret
from hapcore.engine import CloseConnection, Done, Effect, Event, Forget, Output, Persist, Reply, SendBytes
from hapcore.ip.accessory import Config, Server
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata, Permission
from hapcore.model.service import Service, ServiceType
from hapcore.pairing.records import ControllerIdentity, Pairing
from hapcore.pairing.setup import PairSetupController
from hapcore.pairing.verify import PairVerifyController
from hapcore.setup_code import SetupCode

JSON = "application/hap+json"
TLV8 = "application/pairing+tlv8"
CODE = SetupCode("031-45-154")


class Draws:
    """Entropy that is the same in every run: each label has its own stream."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._counts: dict[str, int] = {}
        self.secrets: list[bytes] = []

    def __call__(self, label: str, length: int) -> bytes:
        count = self._counts[label] = self._counts.get(label, 0) + 1
        data = hashlib.shake_256(f"{self._seed}/{label}/{count}".encode()).digest(length)
        self.secrets.append(data)
        return data


def kind(name: str, number: int, form: Format, perms: str, python: type, **limits: object) -> CharacteristicType:
    """A type of our own."""
    permissions = frozenset(Permission(one) for one in perms.split())
    uuid = f"AD{number:06X}-0000-4000-8000-000000000000"
    return CharacteristicType(name, uuid, Metadata(form, permissions, **limits), python)


class Lamp:
    """A test accessory with one of everything that requests can run into."""

    def __init__(self) -> None:
        self.on = Characteristic(c.ON, False, iid=10)
        self.level = Characteristic(c.BRIGHTNESS, 40, iid=11)
        self.button = Characteristic(c.PROGRAMMABLE_SWITCH_EVENT, iid=12)
        self.lock = Characteristic(kind("Lock", 1, Format.BOOL, "pr pw tw", bool), iid=13)
        self.secret = Characteristic(
            kind("Admins only", 2, Format.UINT8, "pr pw ev", int), iid=14, admin_only_read=True, admin_only_write=True
        )
        self.write_only = Characteristic(kind("Write only", 3, Format.UINT8, "pw", int), iid=15)
        self.read_only = Characteristic(kind("Read only", 4, Format.UINT8, "pr", int), iid=16)
        self.asked = Characteristic(kind("Asked", 5, Format.UINT8, "pr pw ev wr", int), iid=17)
        self.guarded = Characteristic(kind("Guarded", 6, Format.BOOL, "pr pw aa", bool), iid=18)
        self.control = Characteristic(kind("Control point", 7, Format.TLV8, "pr pw wr", bytes), iid=19)
        service = Service(ServiceType("Test", "AD0000FF-0000-4000-8000-000000000000"), iid=9)
        for one in (
            self.on,
            self.level,
            self.button,
            self.lock,
            self.secret,
            self.write_only,
            self.read_only,
            self.asked,
            self.guarded,
            self.control,
        ):
            service.add(one)
        self.accessory = Accessory("Test lamp", services=[service], model="L1", serial_number="0001")


class Line:
    """One connection to the engine, from the controller's end."""

    def __init__(self, rig: Rig, connection: int) -> None:
        self.rig = rig
        self.connection = connection
        self.reader = ResponseReader()
        self.opener: FrameOpener | None = None
        self.sealer: FrameSealer | None = None
        self.raw = b""
        self.closed = False
        self.messages: list[Response] = []

    def receive(self, data: bytes) -> None:
        """What the engine sent."""
        self.raw += data
        self.reader.feed(data if self.opener is None else self.opener.feed(data))
        while (message := self.reader.next()) is not None:
            self.messages.append(message)

    def send(self, data: bytes) -> None:
        """Bytes as they are (sealed if the line is secured) into the engine, cut as the rig is told to."""
        if self.sealer is not None:
            data = self.sealer.seal(data)
        self.rig.feed(self, data)

    def take(self) -> Response:
        """The one message that came since the last call."""
        assert len(self.messages) == 1, self.messages
        return self.messages.pop()

    def ask(self, method: str, target: str, body: bytes | str | dict | None = None, kind: str = JSON) -> Response:
        """One request and its answer."""
        if isinstance(body, dict):
            body = json.dumps(body, separators=(",", ":"))
        if isinstance(body, str):
            body = body.encode()
        self.send(write_request(method, target, "127.0.0.1", kind if body is not None else None, body))
        return self.take()

    def tlv(self, path: str, body: bytes) -> dict[int, bytes]:
        """One pairing message and its answer."""
        answer = self.ask("POST", path, body, TLV8)
        assert answer.status == 200, answer
        return dict(decode(answer.body))

    def get(self, *ids: str, **flags: int) -> Response:
        """GET /characteristics."""
        return self.ask("GET", "/characteristics?id=" + ",".join(ids) + "".join(f"&{k}={v}" for k, v in flags.items()))

    def put(self, *entries: dict, **more: object) -> Response:
        """PUT /characteristics."""
        return self.ask("PUT", "/characteristics", {"characteristics": list(entries), **more})

    def events(self) -> list[dict]:
        """The entries of all event messages since the last call, one list of values each."""
        assert all(message.event for message in self.messages), self.messages
        found = [json.loads(message.body)["characteristics"] for message in self.messages]
        self.messages.clear()
        return found

    def pair(self, code: SetupCode = CODE, seed: str = "phone") -> Pairing:
        """Pair-setup on this line."""
        setup = PairSetupController(Draws(seed))
        assert setup.receive_m2(self.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
        m4 = self.ask("POST", "/pair-setup", setup.m3(code.text), TLV8).body
        return setup.finish(self.ask("POST", "/pair-setup", setup.m5(m4), TLV8).body)

    def verify(self, pairing: Pairing, seed: str = "phone") -> Line:
        """Pair-verify on this line, which is encrypted afterwards."""
        verify = PairVerifyController(pairing, Draws(seed))
        m2 = self.ask("POST", "/pair-verify", verify.m1(), TLV8).body
        keys = verify.finish(self.ask("POST", "/pair-verify", verify.m3(m2), TLV8).body).keys
        self.opener, self.sealer = FrameOpener(keys.read), FrameSealer(keys.write)
        self.raw = b""
        return self


class Rig:
    """The engine, its store, its lines and everything it said."""

    def __init__(
        self,
        state: dict[str, bytes] | None = None,
        *,
        seed: str = "rig",
        cut: Callable[[bytes], Iterable[bytes]] | None = None,
        accessories: list[Accessory] | None = None,
        store_works: bool = True,
        **config: object,
    ) -> None:
        self.lamp = Lamp()
        self.now = 1000.0
        self.state = {} if state is None else state
        self.entropy = Draws(seed)
        self.cut = cut or (lambda data: [data])
        self.outputs: list[Output] = []
        self.lines: dict[int, Line] = {}
        self.store_works = store_works
        #: Called with each event; answers what the engine asks.
        self.application: Callable[[Event], object] = lambda event: None
        settings = {"name": "Test lamp", "category": 5, "setup_code": CODE, **config}
        self.server = Server(
            accessories or [self.lamp.accessory], config=Config(**settings), state=self.state, entropy=self.entropy
        )
        self.drain()

    def line(self) -> Line:
        """A new connection."""
        connection = self.server.connection_opened(self.now)
        line = self.lines[connection] = Line(self, connection)
        self.drain()
        return line

    def feed(self, line: Line, data: bytes) -> None:
        for piece in self.cut(data):
            self.server.receive_data(line.connection, piece, self.now)
            self.drain()

    def submit(self, command: object) -> object:
        """A command and its result."""
        number = self.server.submit(command, self.now)
        self.drain()
        done = [one for one in self.outputs if isinstance(one, Reply) and one.command == number]
        assert len(done) == 1, done
        return done[0].result if isinstance(done[0], Done) else done[0].error

    def pass_time(self, seconds: float) -> None:
        """Let time pass; the engine is called whenever it asked to be."""
        end = self.now + seconds
        while (due := self.server.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.server.handle_timeout(self.now)
            self.drain()
        self.now = end

    def drain(self) -> None:
        while (output := self.server.poll()) is not None:
            self.outputs.append(output)
            if isinstance(output, SendBytes):
                line = self.lines[output.connection]
                assert not line.closed
                line.receive(output.data)
            elif isinstance(output, CloseConnection):
                if output.connection in self.lines:
                    self.lines[output.connection].closed = True
            elif isinstance(output, Persist | Forget):
                self.keep(output)
            elif isinstance(output, Event):
                self.application(output)

    def keep(self, effect: Persist | Forget) -> None:
        """Store, or fail to."""
        if not self.store_works:
            self.server.effect_failed(effect, "disk full", self.now)
        elif isinstance(effect, Persist):
            self.state[effect.key] = effect.value
        else:
            self.state.pop(effect.key, None)

    def said(self, kind: type) -> list:
        """Everything of one class that the engine has put out."""
        return [output for output in self.outputs if isinstance(output, kind)]

    def effects(self) -> list[Effect]:
        return self.said(Effect)

    def pairing(self, *, admin: bool = True, seed: str = "phone") -> Pairing:
        """A pairing that is simply there, without the cost of pair-setup."""
        identity = ControllerIdentity(
            f"{hashlib.md5(seed.encode()).hexdigest().upper()}", Secret(Draws(seed)("ltsk", 32))
        )
        from hapcore.pairing.records import PairedController

        stored = self.server.stored
        pairing = Pairing(self.server.device_id, stored.identity.ltpk, identity.identifier, identity.ltsk)
        paired = PairedController(identity.identifier.encode(), pairing.controller_ltpk, admin)
        stored.pairings[paired.identifier] = paired
        effect = stored.store_pairing(paired)
        self.state[effect.key] = effect.value
        return pairing

    def session(self, *, admin: bool = True, seed: str = "phone") -> Line:
        """A verified connection."""
        return self.line().verify(self.pairing(admin=admin, seed=seed), seed)
