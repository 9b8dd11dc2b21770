"""Inputs, outputs and their differences for people: which message it is, and what in it is another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from hapcore.ble import uuids
from hapcore.ble.gatt import GattService
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Parameter
from hapcore.codec.tlv8 import TlvError
from hapcore.replay import meaning
from hapcore.replay.ble import show as pdus
from hapcore.replay.messages import Message, parse_message

__all__ = ["Places", "show_input", "show_output"]

_Said: TypeAlias = Mapping[str, Any] | None

_PROCEDURES: Final = {
    uuids.PAIR_SETUP: "pair-setup",
    uuids.PAIR_VERIFY: "pair-verify",
    uuids.PAIRING_PAIRINGS: "pairings",
    uuids.PAIRING_FEATURES: "pairing features",
}
_STARTS: Final = (b"HTTP/", b"EVENT")
_STATE: Final = 6
_CONTINUATION: Final = 0x80
_SHOWN: Final = 1500


def _step(name: str, items: Iterable[tuple[int, bytes]]) -> str:
    """A message of a pairing procedure by its number."""
    state = next((value[0] for kind, value in items if kind == _STATE and len(value) == 1), None)
    return name if state is None else f"{name} M{state}"


class Places:
    """Where a conversation is: the last request on each connection, the names of what is behind each handle."""

    def __init__(self) -> None:
        self._asked: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._last = ""

    def publish(self, services: Iterable[GattService]) -> None:
        """These are the characteristics of a link."""
        for service in services:
            for one in service.characteristics:
                self._names[one.handle] = _PROCEDURES.get(one.uuid, f"characteristic {one.iid:x}")

    def publish_table(self, table: Iterable[Mapping[str, Any]]) -> None:
        """The same as it stands in a transcript."""
        for service in table:
            for one in service["characteristics"]:
                self._names[one["handle"]] = _PROCEDURES.get(one["uuid"], f"characteristic {one['uuid'][:8]}")

    def heard(self, content: Mapping[str, Any]) -> str:
        """A whole message came in: it is shown."""
        if "pdu" in content:
            return self._heard_pdu(content)
        message = parse_message(content["message"].encode("latin-1"))
        connection = int(content["connection"])
        self._last = self._name(message, connection)
        if message.method and not message.start.startswith(("HTTP/", "EVENT/")):
            self._asked[connection] = f"{message.method} {message.target}"
        return meaning.show(message)

    def _heard_pdu(self, content: Mapping[str, Any]) -> str:
        name, body = self._of(content["handle"]), bytes.fromhex(content["body"])
        pairing = name in _PROCEDURES.values()
        if content["pdu"] == "request":
            self._last = _request(name, content["opcode"], body)
            return pdus.request(name, content["opcode"], content["iid"], body, pairing=pairing)
        self._last = _pairing_step(name, body) if pairing else f"the answer to {name}"
        head = bytes((2, content["tid"], content["status"])) + len(body).to_bytes(2, "little")
        return f"{name}: " + pdus.response(head + body, pairing=pairing)

    def _of(self, handle: int) -> str:
        return self._names.get(handle, f"handle {handle}")

    def _name(self, message: Message, connection: int) -> str:
        """A message by its name."""
        asked = self._asked.get(connection, "")
        if message.event:
            return "an event"
        path = message.path or asked.partition(" ")[2]
        if message.is_pairing and path.startswith("/pair"):
            return _step(path.strip("/"), message.items)
        if message.path:
            return f"{message.method} {message.target}"
        return f"the answer to {asked}" if asked else "an answer"

    def reason(self, wanted: _Said, got: _Said) -> str:
        """What is different, and in which message."""
        if wanted is None or got is None:
            said = self.name(got if wanted is None else wanted)
            return self._after(
                f"{said}, {'which was not recorded' if wanted is None else 'which was recorded, is missing'}"
            )
        kind = wanted.get("$")
        if kind != got.get("$"):
            return self._after(f"{self.name(got)} instead of {self.name(wanted)}")
        if kind == "SendBytes":
            return f"{self.name(wanted)}: {_message_difference(wanted, got)}"
        if "plain" in wanted and "plain" in got:
            one, two = bytes.fromhex(wanted["plain"]), bytes.fromhex(got["plain"])
            if one == two and wanted.get("handle") == got.get("handle"):
                return self._after(f"{self.name(wanted)}: encrypted otherwise, so the keys or the counter are others")
            return self._after(f"{self.name(wanted)}: {_fragment_difference(one, two)}")
        differing = sorted(key for key in {*wanted, *got} if key != "$" and wanted.get(key) != got.get(key))
        return self._after(f"another {self.name(wanted)}: {', '.join(differing)}")

    def _after(self, text: str) -> str:
        return f"after {self._last}: {text}" if self._last else text

    def after(self, text: str) -> str:
        """The same for what is no output."""
        return self._after(text)

    def name(self, output: Mapping[str, Any] | None) -> str:
        """An output in a few words."""
        if output is None:
            return "nothing"
        if output.get("$") == "SendBytes":
            message = _message(output)
            return "bytes" if message is None else self._name(message, int(output["connection"]))
        if output.get("$") == "controller.GattWrite" and "plain" in output:
            plain = bytes.fromhex(output["plain"])
            if len(plain) > 1 and not plain[0] & _CONTINUATION:
                return _request(self._of(output["handle"]), plain[1], plain[7:])
        return str(output.get("$", "something else")).removeprefix("controller.")

    def sent(self, output: Mapping[str, Any]) -> None:
        """An output was alike: what we ask is what is answered next."""
        if output.get("$") == "SendBytes":
            message = _message(output)
            if message is not None and message.path:
                self._asked[int(output["connection"])] = f"{message.method} {message.target}"


def _pairing_step(name: str, body: bytes) -> str:
    """The pairing message in the body of a PDU."""
    try:
        value = tlv8.first(tlv8.decode_tolerant(body), Parameter.VALUE)
        return _step(name, tlv8.decode_tolerant(value or b""))
    except TlvError:
        return name


def _request(name: str, opcode: int, body: bytes) -> str:
    if name in _PROCEDURES.values():
        return _pairing_step(name, body)
    known = opcode in frozenset(Opcode)
    return f"{Opcode(opcode).name.lower().replace('_', ' ') if known else f'opcode {opcode:02x}'} of {name}"


def _message(output: Mapping[str, Any]) -> Message | None:
    """The message that bytes are, where they are one to read."""
    if "text" in output:
        return parse_message(str(output["text"]).encode("latin-1"))
    data = bytes.fromhex(output["data"]["$bytes"])
    known = data[:5] in _STARTS or data[:4] in (b"GET ", b"PUT ", b"POST")
    return parse_message(data) if known else None


def _message_difference(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    one, two = _message(wanted), _message(got)
    if one is None or two is None:
        return f"{_size(got)} other bytes"
    if one.data == two.data:
        return "encrypted otherwise, so the keys or the counter are others"
    if one.start != two.start:
        return f"it begins {two.start!r} instead of {one.start!r}"
    headers = sorted(key for key in {*one.headers, *two.headers} if one.headers.get(key) != two.headers.get(key))
    found = [f"{name} {two.headers.get(name)!r} instead of {one.headers.get(name)!r}" for name in headers]
    if one.body != two.body:
        found.append(meaning.difference(one, two) or "the body is spelled otherwise")
    return "; ".join(found) or "another spelling"


def _fragment_difference(one: bytes, two: bytes) -> str:
    if one[:1] != two[:1] or len(one) < 2 or one[0] & 0x02:
        return pdus.differs(one, two)
    if not one[0] & _CONTINUATION and one[1:2] != two[1:2]:
        return f"opcode {two[1]:02x} instead of {one[1]:02x}"
    return "another body" if one[:5] == two[:5] else "another transaction or instance id"


def _size(output: Mapping[str, Any]) -> int:
    return len(output["data"]["$bytes"]) // 2 if "data" in output else len(output.get("text", ""))


def show_output(output: _Said) -> str:
    """An output, decoded."""
    if output is None:
        return "nothing"
    if output.get("$") == "SendBytes":
        message = _message(output)
        return f"{_size(output)} bytes" if message is None else meaning.show(message)
    if "plain" in output:
        plain = bytes.fromhex(output["plain"])
        if output["$"] == "GattReply":
            return pdus.response(plain, pairing=True) if plain else "GattReply, empty"
        if len(plain) > 4 and not plain[0] & _CONTINUATION:
            name, iid = f"handle {output.get('handle')}", int.from_bytes(plain[3:5], "little")
            return pdus.request(name, plain[1], iid, plain[7:], pairing=True)
        return f"GattWrite {plain.hex()}"
    return json.dumps(output, indent=1, ensure_ascii=False)[:_SHOWN]


def show_input(content: Mapping[str, Any]) -> str:
    """An input in a few words; a command whole."""
    kind = content["in"]
    if kind == "submit":
        return json.dumps(content["command"], indent=1, ensure_ascii=False)[:_SHOWN]
    return f"{kind} {content.get('connection', content.get('handle', ''))}".strip()
