"""One case of a recording, played to our controller."""

from __future__ import annotations

import hashlib
from typing import Any

from hapcore.ble import uuids
from hapcore.ble.advert import RegularAdvert, parse_manufacturer_data
from hapcore.ble.controller import (
    Advertisement,
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattResult,
    GattSubscribe,
    GattWrite,
    Scan,
    State,
)
from hapcore.ble.controller.exchange import fragment_limit
from hapcore.ble.controller.knowledge import add_states
from hapcore.ble.gatt import GattCharacteristic
from hapcore.codec import tlv8
from hapcore.codec.pdu import (
    MIN_FRAGMENT,
    Opcode,
    Parameter,
    Request,
    RequestReader,
    Response,
    write_request,
    write_response,
)
from hapcore.controller.commands import FinishPairSetup, StartPairSetup, VerifyPairing
from hapcore.controller.events import CharacteristicChanged
from hapcore.crypto.secret import Secret
from hapcore.engine import Command, CommandId, Done, Failed
from hapcore.errors import LocalProtocolError, PairingRefused, Refused
from hapcore.pairing.items import Item
from hapcore.pairing.records import Pairing
from hapcore.replay.ble_controller.honest import is_honest, meaning, proves, whole
from hapcore.replay.ble_controller.layout import CONFIG_NUMBER
from hapcore.replay.ble_controller.player import Player, SayInClear
from hapcore.replay.ble_controller.requests import asked, plain_value, said
from hapcore.replay.ble_controller.tape import (
    Case,
    Gone,
    Heard,
    Indicated,
    Opened,
    Setup,
    Switched,
    Talk,
    Tape,
    Verify,
)
from hapcore.replay.report import Difference
from hapcore.setup_code import SetupCode

__all__ = ["Conversation", "Tally"]

_ADDRESS = "recorded"
_MAX_ATTRIBUTE = 512


class Tally:
    """What a whole replay has found so far."""

    def __init__(self, tape: Tape, cache: bytes) -> None:
        self.tape = tape
        self.cache = cache
        self.differences: list[Difference] = []
        self.compared = 0
        self.skipped = 0
        self.sent: list[bytes] = []


class _Draws:
    """Entropy: what the recorded controller drew, else a hash of the label and a counter."""

    def __init__(self) -> None:
        self.fixed: dict[str, bytes] = {}
        self._count = 0

    def __call__(self, label: str, length: int) -> bytes:
        found = self.fixed.get(label)
        if found is not None and len(found) == length:
            return found
        self._count += 1
        return hashlib.shake_256(f"{label} {self._count}".encode()).digest(length)


class Conversation:
    """The engine, the place in the recording, and what moves both on together.

    Requests that no regular controller makes are left out, and the counters of the records moved past them.
    """

    def __init__(self, tally: Tally, case: Case) -> None:
        self._tally = tally
        self._tape = tally.tape
        self._case = case
        self._at = 0
        self._setups = self._verifies = -1
        self._draws = _Draws()
        self._engine: Player | None = None
        self._max_write = 0
        self._replies: dict[CommandId, Done | Failed] = {}
        self._changed: list[CharacteristicChanged] = []
        # The exchange the engine is in: the recorded one it takes the place of, what it has written, reads so far.
        self._talk: Talk | None = None
        self._last: Talk | None = None
        self._written: list[bytes] = []
        self._made_up: list[bytes] | None = None
        self._reads = 0
        self._method = 0
        #: The public key in the last answer, which an honest M3 signs.
        self._accessory_key = b""
        self._uuids = {one.handle: one for service in self._tape.table for one in service.characteristics}
        self._listening: set[int] = set()

    def play(self) -> None:
        """From the first item to the last."""
        items = self._case.items
        while self._at < len(items):
            item = items[self._at]
            if isinstance(item, Talk):
                before = self._at
                self._take(item)
                if self._at == before:
                    self._leave_out(item)
                continue
            self._at += 1
            match item:
                case Opened():
                    self._max_write = item.max_write
                    self._forget()
                case Gone():
                    self._forget()
                case Heard():
                    self._heard(item)
                case Indicated():
                    self._indicated(item)
                case Switched():
                    (self._listening.add if item.enabled else self._listening.discard)(item.handle)

    def _forget(self) -> None:
        self._engine = None
        self._listening.clear()

    # --- the next thing to ask ------------------------------------------------------------------------------------

    def _take(self, talk: Talk) -> None:
        one = self._uuids.get(talk.handle)
        request = talk.request
        if one is None or request is None:
            return
        if self._engine is not None and self._engine.state is State.CLOSED:
            self._engine = None  # our own pairing was removed: what follows is said by nobody we know
        handshake = not talk.encrypted and request.opcode == Opcode.CHARACTERISTIC_WRITE
        state = talk.message.get(Item.STATE)
        if handshake and one.uuid == uuids.PAIR_SETUP:
            self._setup(talk, state)
        elif handshake and one.uuid == uuids.PAIR_VERIFY:
            if state == b"\x01":
                self._verify(talk)
        elif talk.encrypted:
            limit = fragment_limit(self._max_write, secured=True)
            regular = limit >= MIN_FRAGMENT and write_request(request, limit) == talk.plain
            if regular and self._engine is not None and self._engine.shared is not None:
                ask = asked(self._engine, talk, self._following(self._at + 1))
                self._judge(talk, self._submit(ask.command), ask.judge)
        elif self._engine is None or self._engine.shared is None:
            if self._engine is None:
                self._fresh(None)
            self._judge(talk, self._submit(SayInClear(request.opcode, one, request.iid, request.body)), said)

    def _judge(self, talk: Talk, reply: Done | Failed | None, judge: Any) -> None:
        if reply is None:
            return
        verdict = judge(reply, self._last or talk)
        if verdict is not None:
            expected, got = verdict
            self._differ("the answer was understood otherwise", expected, got, talk)

    def _fresh(self, pairing: Pairing | None) -> Player:
        self._draws.fixed.clear()
        engine = self._engine = Player(
            entropy=self._draws, pairing=pairing, device_id=self._tape.device_id, cache=self._tally.cache
        )
        engine.number = self._next_tid
        self._replies.clear()
        return engine

    def _next_tid(self) -> int:
        talk = self._following(self._at)
        return 1 if talk is None else talk.tid

    def _following(self, at: int) -> Talk | None:
        """The next talk on this link."""
        for item in self._case.items[at:]:
            if isinstance(item, Talk):
                return item
            if isinstance(item, Opened | Gone):
                break
        return None

    # --- handshakes -----------------------------------------------------------------------------------------------

    def _setup(self, talk: Talk, state: bytes | None) -> None:
        if state == b"\x01":
            self._setups += 1
        runs = self._case.setups
        if not 0 <= self._setups < len(runs):
            return
        run = runs[self._setups]
        message = talk.message
        method = message.get(Item.METHOD, b"")
        if state == b"\x01":
            if set(message) != {Item.METHOD, Item.STATE} or method not in (b"\0", b"\1"):
                return
            self._fresh(None)
            if run.a is not None:
                self._draws.fixed["pair-setup.srp-a"] = run.a
            self._method = method[0]
            self._ended(talk, self._submit(StartPairSetup(identity=self._tape.controllers.get(run.controller))))
        elif state == b"\x03" and self._engine is not None and proves(message, run):
            try:
                command = FinishPairSetup(SetupCode(run.code))
            except LocalProtocolError:
                return
            reply = self._submit(command)
            self._ended(talk, reply)
            if isinstance(reply, Done) and isinstance(reply.result, Pairing):
                got = (reply.result.accessory_id, reply.result.accessory_ltpk)
                if got != (self._tape.device_id, self._tape.ltpk):
                    self._differ("another pairing", self._tape.device_id, str(reply.result), talk)

    def _verify(self, talk: Talk) -> None:
        self._verifies += 1
        runs = self._case.verifies
        if not 0 <= self._verifies < len(runs):
            return
        run = runs[self._verifies]
        message = talk.message
        resume = message.get(Item.METHOD) == b"\x06"
        shape = {Item.STATE, Item.PUBLIC_KEY}
        if resume:
            shape |= {Item.METHOD, Item.SESSION_ID, Item.ENCRYPTED_DATA}
            if run.resumes is None or message.get(Item.ENCRYPTED_DATA) != run.request_tag:
                return
        controller = self._tape.controllers.get(run.controller)
        if set(message) != shape or len(message[Item.PUBLIC_KEY]) != len(run.ephemeral) or controller is None:
            return
        pairing = Pairing(self._tape.device_id, self._tape.ltpk, controller.identifier, controller.ltsk)
        engine = self._fresh(pairing)
        self._draws.fixed["pair-verify.x25519"] = run.ephemeral
        if run.resumes is not None and resume:
            engine.offer(*run.resumes)
        self._ended(talk, self._submit(VerifyPairing(pairing)))

    def _ended(self, talk: Talk, reply: Done | Failed | None) -> None:
        """A handshake that the accessory refused must have failed with its error, and no other."""
        last = self._last or talk
        error = last.reply.get(Item.ERROR)
        if reply is None:
            return
        if last.status:
            good = isinstance(reply, Failed) and isinstance(reply.error, Refused)
        elif error is not None:
            refused = reply.error if isinstance(reply, Failed) else None
            good = isinstance(refused, PairingRefused) and refused.error == int.from_bytes(error, "little")
        else:
            good = isinstance(reply, Done)
        if not good:
            self._differ("the handshake ended otherwise", f"status {last.status}, error {error!r}", str(reply), talk)
        if isinstance(reply, Failed):
            self._engine = None

    # --- the engine -----------------------------------------------------------------------------------------------

    def _submit(self, command: Command[Any]) -> Done | Failed | None:
        engine = self._engine
        if engine is None:
            return None
        self._last = None
        try:
            number = engine.submit(command, 0.0)
        except LocalProtocolError:
            return None
        self._drive(engine)
        return self._replies.pop(number, None)

    def _drive(self, engine: Player) -> None:
        while (output := engine.poll()) is not None:
            match output:
                case Scan():
                    if output.on:
                        made = RegularAdvert(self._tape.device_id, 1, 1, CONFIG_NUMBER)
                        advertisement = Advertisement(_ADDRESS, made.manufacturer_data())
                        engine.receive_advertisement(advertisement, 0.0)
                case GattConnect():
                    result = GattResult(output.operation, table=self._tape.table, max_write=self._max_write)
                    engine.receive_gatt(result, 0.0)
                case GattWrite():
                    if not self._write(output):
                        return
                    engine.receive_gatt(GattResult(output.operation), 0.0)
                case GattRead():
                    data = self._read(output)
                    if data is None:
                        return
                    engine.receive_gatt(GattResult(output.operation, data), 0.0)
                case GattReadDescriptor() | GattSubscribe():
                    engine.receive_gatt(GattResult(output.operation, error="not recorded"), 0.0)
                case GattDisconnect():
                    engine.link_lost(0.0)
                case Done() | Failed():
                    self._replies[output.command] = output
                case CharacteristicChanged():
                    self._changed.append(output)
                case _:
                    pass

    def _write(self, effect: GattWrite) -> bool:
        """A fragment; False where the recording goes another way, and the engine is left behind."""
        if self._talk is None and self._made_up is None:
            self._written.clear()
            self._reads = 0
            talk = self._following(self._at)
            features = self._uuids[effect.handle].uuid == uuids.PAIRING_FEATURES
            if features and (talk is None or talk.handle != effect.handle):
                # Ours asks before it pairs, not everybody does.
                request = RequestReader().feed(effect.data)
                self._made_up = _features(request, self._method)
                return True
            if talk is None or talk.handle != effect.handle or talk.request is None:
                self._engine = None
                return False
            self._at = self._case.items.index(talk, self._at)
            self._talk = talk
        if self._made_up is None:
            self._written.append(effect.data)
        return True

    def _read(self, effect: GattRead) -> bytes | None:
        if self._made_up is not None:
            data = self._made_up.pop(0)
            self._made_up = self._made_up or None
            return data
        talk = self._talk
        if talk is None or talk.handle != effect.handle:
            self._engine = None
            return None
        if not self._reads and not self._compare(talk):
            self._engine = None
            return None
        if self._reads >= len(talk.reads):
            self._differ("another read than the accessory had answers for", str(len(talk.reads)), "one more", talk)
            self._engine = None
            return None
        data = talk.reads[self._reads]
        self._reads += 1
        if self._reads == len(talk.reads):
            self._at = self._case.items.index(talk, self._at) + 1
            self._talk, self._last = None, talk
            self._accessory_key = talk.reply.get(Item.PUBLIC_KEY, b"")
        return data

    def _compare(self, talk: Talk) -> bool:
        """What our engine wrote with what was written. False: it goes another way from here."""
        self._tally.sent += self._written
        if self._written == talk.writes:
            self._tally.compared += 1
            return True
        ours = None if talk.encrypted else whole(self._written)
        theirs = talk.request
        if ours is not None and theirs is not None:
            if meaning(ours) == meaning(theirs):
                self._tally.compared += 1
                return True
            if not self._regular(talk):
                self._tally.skipped += 1
                self._at = self._case.items.index(talk, self._at) + 1
                self._talk = None
                return False
        expected, got = b" ".join(talk.writes).hex(), b" ".join(self._written).hex()
        self._differ("another request", expected, got, talk)
        self._talk = None
        self._at = self._case.items.index(talk, self._at) + 1
        return False

    def _regular(self, talk: Talk) -> bool:
        verifying = self._uuids[talk.handle].uuid == uuids.PAIR_VERIFY
        runs: tuple[Setup, ...] | tuple[Verify, ...] = self._case.verifies if verifying else self._case.setups
        at = self._verifies if verifying else self._setups
        run = runs[at] if 0 <= at < len(runs) else None
        return is_honest(talk.message, run, self._tape.controllers, self._accessory_key)

    # --- the rest -------------------------------------------------------------------------------------------------

    def _leave_out(self, talk: Talk) -> None:
        self._at += 1
        self._tally.skipped += 1
        engine = self._engine
        if engine is None:
            return
        if talk.encrypted:
            good = engine.shared is not None and engine.skip_records(len(talk.writes), talk.reads)
            if not good or talk.broken:
                self._engine = None
        elif engine.shared is not None:
            # Touching what is clear inside a session ends it.
            self._engine = None

    def _indicated(self, item: Indicated) -> None:
        engine, talk = self._engine, self._following(self._at)
        one = self._uuids.get(item.handle)
        if engine is None or engine.shared is None or talk is None or one is None or not talk.encrypted:
            return
        request = talk.request
        if request is None or talk.handle != item.handle or item.handle not in self._listening:
            return
        if (request.opcode, request.iid, request.body) != (Opcode.CHARACTERISTIC_READ, one.iid, None):
            return
        engine.listen_to(one.iid)
        self._changed.clear()
        engine.receive_indication(item.handle, 0.0)
        self._drive(engine)
        self._told(one, tlv8.first(tlv8.decode_tolerant(talk.body), Parameter.VALUE) or b"", talk)

    def _told(self, one: GattCharacteristic, data: bytes, item: Talk | Heard) -> None:
        engine = self._engine
        meta = None if engine is None else engine.knows.metadata(one.iid)
        if meta is None:
            return
        value = plain_value(data, meta.format)
        got = [(change.id.iid, change.value) for change in self._changed]
        if len(got) != 1 or got[0][0] != one.iid or abs(_number(got[0][1]) - _number(value)) > 1e-5:
            self._differ("the change was told otherwise", f"{one.iid} {value!r}", str(got), item)
        else:
            self._tally.compared += 1

    def _heard(self, item: Heard) -> None:
        found = parse_manufacturer_data(item.manufacturer_data)
        if item.regular is not None:
            said = item.regular
            good = isinstance(found, RegularAdvert) and (
                found.device_id.replace(":", "").lower(),
                found.category,
                found.gsn,
                found.config_number,
                found.status,
                found.setup_hash.hex(),
            ) == (said["device_id"], said["acid"], said["gsn"], said["cn"], said["sf"], said.get("sh") or "")
            if good:
                self._tally.compared += 1
            else:
                self._differ("the advertisement was read otherwise", str(said), str(found), item)
        elif item.key is not None and item.iid:
            self._broadcast(item)

    def _broadcast(self, item: Heard) -> None:
        one = next((one for one in self._uuids.values() if one.iid == item.iid), None)
        if one is None or item.key is None:
            return
        kept, controller = self._engine, next(iter(self._tape.controllers.values()))
        pairing = Pairing(self._tape.device_id, self._tape.ltpk, controller.identifier, controller.ltsk)
        engine = self._fresh(pairing)
        engine.listen_to(item.iid)
        engine.expect_broadcasts(Secret(item.key), add_states(item.gsn, -1), item.manufacturer_data[2:8])
        self._changed.clear()
        engine.receive_advertisement(Advertisement(_ADDRESS, item.manufacturer_data), 0.0)
        while (output := engine.poll()) is not None:
            if isinstance(output, CharacteristicChanged):
                self._changed.append(output)
        meta = engine.knows.metadata(item.iid)
        width = {"bool": 1, "uint8": 1, "uint16": 2, "uint64": 8}.get(meta.format.value, 4) if meta is not None else 8
        self._told(one, item.value[:width], item)
        self._engine = kept

    def _differ(self, reason: str, expected: str, got: str, item: Talk | Heard) -> None:
        self._tally.differences.append(
            Difference(self._tape.name, self._case.name, "link", self._at, item.t, reason, expected, got)
        )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("inf")


def _features(request: Request | None, method: int) -> list[bytes]:
    body = tlv8.encode([(Parameter.VALUE, bytes((method,)))])
    return write_response(Response(0 if request is None else request.tid, 0, body), _MAX_ATTRIBUTE)
