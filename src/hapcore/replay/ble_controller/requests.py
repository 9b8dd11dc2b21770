"""Recorded requests as commands of our engine, and what their answers must have become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import unpack
from typing import Any, TypeAlias, cast

from attrs import frozen

from hapcore.ble import uuids
from hapcore.ble.advert import broadcast_key
from hapcore.ble.controller.access import encoded
from hapcore.ble.signature import (
    read_characteristic_signature,
    read_service_signature,
    write_characteristic_signature,
    write_service_signature,
)
from hapcore.ble.values import read_strict
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Parameter, Request, Response
from hapcore.codec.tlv8 import TlvError
from hapcore.controller.commands import (
    AddPairing,
    CharacteristicWrite,
    ListPairings,
    Read,
    RemovePairing,
    Write,
)
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.engine import Command, Done, Failed
from hapcore.errors import LocalProtocolError, PairingRefused, Refused
from hapcore.ids import CharacteristicId, Value
from hapcore.model.metadata import Format, Metadata
from hapcore.pairing.items import Item, Method
from hapcore.pairing.pairings import encode_add, encode_list, encode_remove
from hapcore.replay.ble_controller.player import Configure, Player, Say
from hapcore.replay.ble_controller.tape import Talk

__all__ = ["Asked", "Judge", "asked", "plain_value", "said"]

_GET_ALL = b"\x02\x00"
_GENERATE = b"\x01\x00\x02\x00"

#: What an answer should have become: None if it did, else (expected, got) for people.
Verdict: TypeAlias = tuple[str, str] | None
Judge: TypeAlias = Callable[[Done | Failed, Talk], Verdict]


@frozen
class Asked:
    """A command that says what was recorded, and how to judge its end by the last talk it took."""

    command: Command[Any]
    judge: Judge


def plain_value(data: bytes, form: Format) -> Value:
    """A value, read without our own reader."""
    if form is Format.BOOL:
        return data != b"\0"
    if form is Format.FLOAT:
        number: float = unpack("<f", data)[0]
        return number
    if form is Format.STRING:
        return data.decode()
    if form in (Format.DATA, Format.TLV8):
        return data
    return int.from_bytes(data, "little", signed=form is Format.INT)


def _same(one: Value, two: Value) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return abs(one - two) <= 1e-6 * max(abs(one), abs(two))
    return type(one) is type(two) and one == two


def asked(engine: Player, talk: Talk, following: Talk | None) -> Asked:
    """The command for a request in the session; a plain `Say` for what no command of ours says."""
    request = talk.request
    if request is None:
        raise LocalProtocolError("no request", argument="talk")
    session = engine.knows
    own = next((iid for iid, one in session.handles.items() if one.handle == talk.handle), 0)
    to = session.handles[own]
    found: Asked | None = None
    if own == request.iid:
        meta = session.metadata(own)
        if to.uuid == uuids.PAIRING_PAIRINGS:
            found = _pairings(request, talk)
        elif meta is not None and request.opcode == Opcode.CHARACTERISTIC_READ and request.body is None:
            found = Asked(Read([(1, own)]), _reading(CharacteristicId(1, own), meta))
        elif meta is not None:
            found = _writing(engine, own, meta, request, talk, following)
    elif (
        session.database is not None
        and (request.iid, own) == session.database.configuration
        and request.opcode == Opcode.PROTOCOL_CONFIGURATION
        and request.body in (_GET_ALL, _GENERATE)
    ):
        generate = request.body == _GENERATE
        found = Asked(Configure(generate), _configuring(engine, generate))
    return found or Asked(Say(request.opcode, to, request.iid, request.body), said)


def said(reply: Done | Failed, talk: Talk) -> Verdict:
    """Status and body as recorded; signatures must also survive being read and written."""
    if isinstance(reply, Failed):
        return _show(talk), f"an error: {reply.error}"
    response = cast("Response", reply.result)
    if (response.status, response.body) != (talk.status, talk.body):
        return _show(talk), f"status {response.status:02x}, {response.body.hex()}"
    request = talk.request
    if response.status or request is None:
        return None
    again = response.body
    if request.opcode == Opcode.CHARACTERISTIC_SIGNATURE_READ:
        again = write_characteristic_signature(read_characteristic_signature(response.body))
    elif request.opcode == Opcode.SERVICE_SIGNATURE_READ:
        again = write_service_signature(read_service_signature(response.body))
    return None if again == response.body else (response.body.hex(), f"understood as {again.hex()}")


def _show(talk: Talk) -> str:
    return f"status {talk.status:02x}, {talk.body.hex()}"


def _items(body: bytes | None) -> dict[int, bytes]:
    try:
        return dict(tlv8.decode(body or b""))
    except TlvError:
        return {}


def _reading(one: CharacteristicId, meta: Metadata) -> Judge:
    def judge(reply: Done | Failed, talk: Talk) -> Verdict:
        if isinstance(reply, Failed):
            return _show(talk), f"an error: {reply.error}"
        result = cast("Mapping[CharacteristicId, ReadResult]", reply.result)[one]
        if talk.status:
            return None if result.status else (_show(talk), str(result))
        value = plain_value(_items(talk.body).get(Parameter.VALUE, b""), meta.format)
        return None if not result.status and _same(result.value, value) else (f"{value!r}", str(result))

    return judge


def _writing(
    engine: Player, iid: int, meta: Metadata, request: Request, talk: Talk, following: Talk | None
) -> Asked | None:
    items = _items(request.body)
    data = items.get(Parameter.VALUE)
    timed = request.opcode == Opcode.CHARACTERISTIC_TIMED_WRITE
    if data is None or request.opcode not in (Opcode.CHARACTERISTIC_WRITE, Opcode.CHARACTERISTIC_TIMED_WRITE):
        return None
    try:
        value = read_strict(data, meta.format)
        if encoded(meta, value) != data:
            return None
    except (LocalProtocolError, ValueError):
        return None
    auth, origin = items.get(Parameter.AUTH_DATA), items.get(Parameter.ORIGIN)
    answered = items.get(Parameter.RETURN_RESPONSE) == b"\x01"
    ttl = items.get(Parameter.TTL, b"\0")[:1]
    if not timed and engine.knows.wants_timed_write(iid):
        return None
    if timed:
        execute = None if following is None else following.request
        goes_on = execute is not None and execute.opcode == Opcode.CHARACTERISTIC_EXECUTE_WRITE
        whole = goes_on and following is not None and following.handle == talk.handle and execute is not None
        if not whole or execute is None or execute.body is not None or talk.status or not ttl[0]:
            return None
    written = CharacteristicWrite((1, iid), value, auth, origin == b"\x01", answered)
    ours: list[tuple[int, bytes]] = [(Parameter.VALUE, data)]
    if timed:
        ours.append((Parameter.TTL, ttl))
    if auth is not None:
        ours.append((Parameter.AUTH_DATA, auth))
    if auth is not None or written.remote:
        ours.append((Parameter.ORIGIN, bytes((written.remote,))))
    if answered:
        ours.append((Parameter.RETURN_RESPONSE, b"\x01"))
    if tlv8.encode(ours) != request.body:
        return None
    command = Write([written], timed_ms=ttl[0] * 100 if timed else None)
    return Asked(command, _written(CharacteristicId(1, iid), meta, answered))


def _written(one: CharacteristicId, meta: Metadata, answered: bool) -> Judge:
    def judge(reply: Done | Failed, talk: Talk) -> Verdict:
        if isinstance(reply, Failed):
            return _show(talk), f"an error: {reply.error}"
        result = cast("Mapping[CharacteristicId, WriteResult]", reply.result)[one]
        if bool(talk.status) != bool(result.status):
            return _show(talk), str(result)
        data = _items(talk.body).get(Parameter.VALUE)
        if (
            answered
            and not talk.status
            and data is not None
            and not _same(result.value, plain_value(data, meta.format))
        ):
            return _show(talk), str(result)
        return None

    return judge


def _configuring(engine: Player, generate: bool) -> Judge:
    def judge(reply: Done | Failed, talk: Talk) -> Verdict:
        items, knows = _items(talk.body), engine.knows.knowledge
        if isinstance(reply, Failed):
            return _show(talk), f"an error: {reply.error}"
        if talk.status:
            return None
        if knows.gsn != int.from_bytes(items.get(1, b""), "little"):
            return f"state number {items.get(1, b'').hex()}", str(knows.gsn)
        key = items.get(4)
        if (None if knows.key is None else knows.key.reveal()) != key:
            return "the broadcast key of the accessory", "another"
        shared, pairing = engine.shared, engine.pairing
        if not generate or shared is None or pairing is None:
            return None
        ours = broadcast_key(shared, pairing.controller_ltpk).reveal()
        return None if ours == key else ("the broadcast key of this session", "another")

    return judge


def _pairings(request: Request, talk: Talk) -> Asked | None:
    message = talk.message
    method = message.get(Item.METHOD)
    identifier, ltpk = message.get(Item.IDENTIFIER, b""), message.get(Item.PUBLIC_KEY, b"")
    command: Command[Any]
    try:
        if method == bytes((Method.LIST_PAIRINGS,)):
            command, ours = ListPairings(), encode_list()
        elif method == bytes((Method.ADD_PAIRING,)):
            admin = message.get(Item.PERMISSIONS) == b"\x01"
            command, ours = AddPairing(identifier, ltpk, admin), encode_add(identifier, ltpk, admin)
        elif method == bytes((Method.REMOVE_PAIRING,)):
            command, ours = RemovePairing(identifier), encode_remove(identifier)
        else:
            return None
    except LocalProtocolError:
        return None
    items = _items(request.body)
    regular = request.opcode == Opcode.CHARACTERISTIC_WRITE and set(items) == {1, 9} and items[9] == b"\x01"
    if not regular or dict(tlv8.decode(ours)) != message:
        return None
    return Asked(command, _paired)


def _paired(reply: Done | Failed, talk: Talk) -> Verdict:
    error = talk.reply.get(Item.ERROR)
    if talk.status:
        return None if isinstance(reply, Failed) and isinstance(reply.error, Refused) else (_show(talk), str(reply))
    if error is not None:
        got = reply.error.error if isinstance(reply, Failed) and isinstance(reply.error, PairingRefused) else -1
        return None if got == int.from_bytes(error, "little") else (f"TLV error {error.hex()}", str(reply))
    if isinstance(reply, Failed):
        return _show(talk), f"an error: {reply.error}"
    if reply.result is not None:
        listed = tlv8.decode_tolerant(tlv8.first(tlv8.decode_tolerant(talk.body), Parameter.VALUE) or b"")
        names = [value for kind, value in listed if kind == Item.IDENTIFIER]
        got_names = [one.identifier for one in cast("tuple[Any, ...]", reply.result)]
        return None if names == got_names else (str(names), str(got_names))
    return None
