"""Fresh engines of every kind, driven by the inputs of a transcript."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hapcore.accessory.config import Config
from hapcore.ble.accessory import Peripheral
from hapcore.ble.controller import Advertisement, GattResult, Peer
from hapcore.engine import Command, CommandId, ConnectionId, Effect, Output
from hapcore.entropy import Entropy
from hapcore.ip.accessory import Server
from hapcore.ip.controller import Connection
from hapcore.replay.played import PlayedConnection, PlayedServer, Steps
from hapcore.replay.played_ble import PlayedPeer, PlayedPeripheral
from hapcore.replay.report import Cut
from hapcore.replay.supplies import Fragments, Streams
from hapcore.setup_code import SetupCode
from hapcore.transcript import (
    RecordedConnection,
    RecordedPeer,
    RecordedPeripheral,
    RecordedServer,
    Sink,
    Transcript,
    TranscriptError,
)
from hapcore.transcript.coding import decode
from hapcore.transcript.masks import NoMasks
from hapcore.transcript.model import nobody

__all__ = ["Driver", "make_driver"]

#: Effects over Bluetooth LE that may fail some time after they were put out; one is under way at a time.
_RECENT = 16


class _Engine(Protocol):
    def handle_timeout(self, now: float) -> None: ...

    def submit(self, command: Command[Any], now: float) -> CommandId: ...

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None: ...

    def poll(self) -> Output | None: ...


class Driver(ABC):
    """An engine, and what the transcript tells it. `say` returns what went otherwise, or None."""

    def __init__(self, engine: _Engine, supply: Streams | Fragments, *, secrets: bool) -> None:
        self.engine = engine
        self.supply = supply
        self._secrets = secrets
        self._effects: deque[Effect] = deque(maxlen=_RECENT)

    def poll(self) -> None:
        """Take an output; it is noted by the engine itself."""
        output = self.engine.poll()
        if isinstance(output, Effect):
            self._effects.append(output)

    def submit(self, content: Mapping[str, Any]) -> CommandId:
        """Hand a command over."""
        return self.engine.submit(decode(content["command"]), float(content["t"]))

    def put(self, content: Mapping[str, Any], cut: Cut) -> tuple[str, str] | None:
        """An input that is no command. What was recorded and what ours did, where that differs at once."""
        kind, now = content["in"], float(content["t"])
        if kind == "timeout":
            self.engine.handle_timeout(now)
        elif kind == "failed":
            effect = self._failed(content)
            if effect is None:
                return f"an effect, {content.get('effect', 'one')}, that failed", "none such"
            self.engine.effect_failed(effect, content["reason"], now)
        else:
            return self._put(kind, content, now, cut)
        return None

    def _failed(self, content: Mapping[str, Any]) -> Effect | None:
        for one in reversed(self._effects):
            if "operation" in content:
                if getattr(one, "operation", None) == content["operation"]:
                    return one
            elif content.get("effect") in (None, type(one).__name__):
                return one
        return None

    @abstractmethod
    def _put(self, kind: str, content: Mapping[str, Any], now: float, cut: Cut) -> tuple[str, str] | None: ...

    def handle(self, handled: Mapping[str, Any]) -> None:
        """The application has come to answer for more characteristics; a controller has none."""
        del handled

    def _data(self, content: Mapping[str, Any]) -> bytes:
        return bytes.fromhex(content["data"]) if self._secrets else self.supply.take(content)


def _unknown(kind: str) -> TranscriptError:
    return TranscriptError(f"an engine of that kind has no input {kind!r}; a newer library may know it")


def _answer_for(engine: Server | Peripheral, handled: Mapping[str, Any]) -> None:
    for kind, ids in handled.items():
        for aid, iid in ids:
            if kind == "snapshot":
                for accessory in engine.database.accessories:
                    if accessory.aid == aid:
                        accessory.snapshot(nobody)
                continue
            one = engine.database.find(aid, iid)
            if one is not None and kind in ("read", "write"):
                setattr(one, f"{kind}_handled", True)


class _ServerDriver(Driver):
    engine: Server

    def handle(self, handled: Mapping[str, Any]) -> None:
        _answer_for(self.engine, handled)

    def _put(self, kind: str, content: Mapping[str, Any], now: float, cut: Cut) -> tuple[str, str] | None:
        engine = self.engine
        if kind == "open":
            number = engine.connection_opened(now)
            wanted = content["connection"]
            return None if number == wanted else (f"connection {wanted}", f"connection {number}")
        connection = ConnectionId(content["connection"])
        if kind == "receive":
            pieces = list(cut(self._data(content))) or [b""]
            for index, piece in enumerate(pieces, 1):
                if isinstance(engine, PlayedServer) and index == len(pieces):
                    engine.fault(connection, content.get("fault"))
                engine.receive_data(connection, piece, now)
            return None
        inputs = {"eof": engine.receive_eof, "pause": engine.pause_sending, "resume": engine.resume_sending}
        if kind not in inputs:
            raise _unknown(kind)
        inputs[kind](connection, now)
        return None


class _ConnectionDriver(Driver):
    engine: Connection

    def _put(self, kind: str, content: Mapping[str, Any], now: float, cut: Cut) -> tuple[str, str] | None:
        engine = self.engine
        if kind == "eof":
            engine.receive_eof(now)
            return None
        if kind != "receive":
            raise _unknown(kind)
        pieces = list(cut(self._data(content))) or [b""]
        for index, piece in enumerate(pieces, 1):
            if isinstance(engine, PlayedConnection) and index == len(pieces):
                engine.fault(0, content.get("fault"))
            engine.receive_data(piece, now)
        return None


class _PeripheralDriver(Driver):
    engine: Peripheral

    def handle(self, handled: Mapping[str, Any]) -> None:
        _answer_for(self.engine, handled)

    def _put(self, kind: str, content: Mapping[str, Any], now: float, cut: Cut) -> tuple[str, str] | None:
        del cut  # a fragment is an attribute: it comes whole
        engine = self.engine
        if kind == "write":
            if content.get("fault") is True and isinstance(engine, PlayedPeripheral):
                engine.fault()
            engine.receive_write(content["handle"], self._data(content), now)
            return None
        inputs: dict[str, Callable[[], None]] = {
            "start": lambda: engine.start(now),
            "open": lambda: engine.link_opened(now, max_read=content["max_read"], max_write=content["max_write"]),
            "close": lambda: engine.link_closed(now),
            "mtu": lambda: engine.mtu_changed(content["max_read"], content["max_write"], now),
            "read": lambda: engine.receive_read(content["handle"], now),
            "subscribe": lambda: engine.receive_subscribe(content["handle"], content["enabled"], now),
            "descriptor": lambda: engine.receive_descriptor(content["handle"], bytes.fromhex(content["data"]), now),
            "confirmed": lambda: engine.indication_confirmed(now),
        }
        if kind not in inputs:
            raise _unknown(kind)
        inputs[kind]()
        return None


class _PeerDriver(Driver):
    engine: Peer

    def _put(self, kind: str, content: Mapping[str, Any], now: float, cut: Cut) -> tuple[str, str] | None:
        del cut
        engine = self.engine
        if kind == "gatt":
            table = content.get("table")
            engine.receive_gatt(
                GattResult(
                    content["operation"],
                    self._result(content),
                    content.get("error"),
                    None if table is None else decode(table),
                    content.get("max_write", 0),
                ),
                now,
            )
        elif kind == "advertisement":
            data = bytes.fromhex(content["data"])
            heard = Advertisement(content["address"], data, content["name"], content["rssi"])
            engine.receive_advertisement(heard, now)
        elif kind == "indication":
            engine.receive_indication(content["handle"], now)
        elif kind == "close":
            engine.link_lost(now)
        else:
            raise _unknown(kind)
        return None

    def _result(self, content: Mapping[str, Any]) -> bytes | None:
        if not {"data", "plain", "head", "fault"} & content.keys():
            return None
        if content.get("fault") is True and isinstance(self.engine, PlayedPeer):
            self.engine.fault()
        return self._data(content)


def make_driver(
    transcript: Transcript, supply: Streams | Fragments, draws: Entropy, steps: Steps, sink: Sink
) -> Driver:
    """A fresh engine, as the header of the transcript describes it."""
    header, secrets = transcript.header, transcript.secrets
    config: dict[str, Any] = dict(header["config"])
    common: dict[str, Any] = {"entropy": draws, "sink": sink, "masks": NoMasks(redacts=not secrets)}
    if not secrets:
        common["steps"] = steps
    state = {key: bytes.fromhex(value) for key, value in header.get("state", {}).items()}
    ble = transcript.transport == "ble"
    if transcript.role == "accessory":
        code = config.pop("setup_code")
        more = {name: config.pop(name) for name in ("interval", "max_body") if ble}
        settings = Config(**config, setup_code=None if code is None else SetupCode(code, allow_trivial=True))
        given: dict[str, Any] = {"config": settings, "state": state, **more, **common}
        database = decode(header["database"])
        if ble:
            peripheral = (RecordedPeripheral if secrets else PlayedPeripheral)(database, **given)
            return _PeripheralDriver(peripheral, supply, secrets=secrets)
        server = (RecordedServer if secrets else PlayedServer)(database, **given)
        return _ServerDriver(server, supply, secrets=secrets)
    if ble:
        cache = next(iter(state.values()), None)
        peer = (RecordedPeer if secrets else PlayedPeer)(
            pairing=decode(header["pairing"]), cache=cache, **config, **common
        )
        return _PeerDriver(peer, supply, secrets=secrets)
    connect = RecordedConnection if secrets else PlayedConnection
    known = decode(header["database"])
    return _ConnectionDriver(connect(config.pop("host"), database=known, **config, **common), supply, secrets=secrets)
