"""The two files that must survive, as bytes: an accessory's state and a controller's pairings.

Both are versioned JSON texts that a person can read. A file of an older version is read as if it had been written
today, and has today's version from the next change on; a newer one is refused. Adapters see tables of `str` to `bytes`
only, and a `FileFormat` that turns such a table into the content of a file and back. What cannot be read in full raises
`StateError`, so that nobody starts with half a state and then overwrites the rest.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sized
from contextlib import suppress
from typing import Any, Final, cast

from attrs import frozen

from hapcore.crypto.secret import Secret
from hapcore.discovery import Transport
from hapcore.errors import LocalProtocolError, StateError
from hapcore.pairing.records import ControllerIdentity, Pairing

__all__ = [
    "PAIRINGS",
    "STATE",
    "FileFormat",
    "PairedAccessory",
    "PreparedPairing",
    "decode_pairings",
    "decode_state",
    "encode_pairings",
    "encode_state",
    "is_knowledge",
    "prepared_alias",
]

_STATE_MARK: Final = "hapcore-state"
_PAIRINGS_MARK: Final = "hapcore-pairings"

#: An alias is typed on command lines and printed in columns.
_MAX_ALIAS: Final = 100
_KEY_LENGTH: Final = 32
#: Where a pairings file keeps what was learnt of accessories, by device id; the key of a table has a prefix.
_KNOWLEDGE: Final = "knowledge"
_KNOWLEDGE_KEY: Final = re.compile("ble/[0-9A-F]{2}(:[0-9A-F]{2}){5}")
#: Where it keeps the keys of pairings that another controller is still to make, by alias; the prefix of their keys.
_PREPARED: Final = "prepared"
_PREPARED_KEY: Final = "prepared/"


@frozen
class FileFormat:
    """How a table becomes the content of a file and back. `decode` raises `StateError`."""

    encode: Callable[[Mapping[str, bytes]], bytes]
    decode: Callable[[bytes], dict[str, bytes]]


# --- an accessory's state ---------------------------------------------------------------------------------------------


def encode_state(table: Mapping[str, bytes]) -> bytes:
    """The content of a state file. Keys keep their order; any bytes come back from `decode_state` unchanged.

    A value that is JSON in its shortest form stands in the file as JSON, other text as text, the rest in base64.
    """
    return _write(_STATE_MARK, {"entries": {key: _entry(value) for key, value in table.items()}})


def decode_state(data: bytes) -> dict[str, bytes]:
    """Read a state file. `StateError` if it is empty, cut short, not ours, damaged or of a newer version."""
    return {key: _value(key, entry) for key, entry in _read(data, _STATE_MARK, "entries")["entries"].items()}


def _value(key: str, entry: Any) -> bytes:
    try:
        ((kind, value),) = entry.items()
        if kind == "json":
            return _compact(value)
        if kind == "text":
            return cast("str", value).encode()
        if kind == "base64":
            return base64.b64decode(value, validate=True)
    except (AttributeError, TypeError, ValueError, RecursionError):
        pass
    raise StateError(f"the state file is damaged: entry {key!r} cannot be read")


def _entry(value: bytes) -> dict[str, object]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
    if text[:1] in ("{", "["):
        try:
            tree = json.loads(text)
            if _compact(tree) == value:
                return {"json": tree}
        except (ValueError, RecursionError):
            pass  # text that only looks like JSON stays text
    return {"text": text}


def _compact(tree: object) -> bytes:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


# --- a controller's pairings ------------------------------------------------------------------------------------------


def check_alias(alias: str) -> None:
    """Raise `LocalProtocolError` unless `alias` can be the name of a pairing."""
    if not (alias.isprintable() and alias.strip() and len(alias) <= _MAX_ALIAS):
        raise LocalProtocolError(f"an alias has 1 to {_MAX_ALIAS} printable characters", argument="alias")
    if is_knowledge(alias):
        raise LocalProtocolError(f"{alias!r} is kept for what is learnt of an accessory", argument="alias")
    if prepared_alias(alias) is not None:
        raise LocalProtocolError(f"{alias!r} is kept for pairings that are only prepared", argument="alias")


def is_knowledge(key: str) -> bool:
    """Whether a key of a controller's table names what was learnt of an accessory, "ble/DEVICE-ID"; else an alias."""
    return _KNOWLEDGE_KEY.fullmatch(key) is not None


def prepared_alias(key: str) -> str | None:
    """The alias of the `PreparedPairing` that a key of a controller's table names; None for other keys."""
    return key.removeprefix(_PREPARED_KEY) if key.startswith(_PREPARED_KEY) else None


@frozen
class PairedAccessory:
    """One accessory a controller has paired, and where it was last seen.

    `alias` is the user's name for it (1 to 100 printable characters), `name` its own, `addresses` and `port` (0: not
    known) where to try first, `config_number` the c# that the cached knowledge about it belongs to (0: not known),
    `transport` how to speak to it.
    """

    alias: str
    pairing: Pairing
    name: str = ""
    addresses: tuple[str, ...] = ()
    port: int = 0
    config_number: int = 0
    transport: Transport = Transport.IP

    def __attrs_post_init__(self) -> None:
        check_alias(self.alias)
        if not 0 <= self.port <= 0xFFFF:
            raise LocalProtocolError(f"{self.port} is not a port", argument="port")

    def encode(self) -> bytes:
        """The record as compact JSON, without the alias: the value of a table that `PAIRINGS` writes."""
        pairing = self.pairing
        tree = {
            "accessory_id": pairing.accessory_id,
            "accessory_ltpk": pairing.accessory_ltpk.hex(),
            "controller_id": pairing.controller_id,
            "controller_ltsk": pairing.controller_ltsk.reveal().hex(),
            "name": self.name,
            "addresses": list(self.addresses),
            "port": self.port,
            "config_number": self.config_number,
        }
        if self.transport is not Transport.IP:
            tree["transport"] = self.transport.value
        return _compact(tree)

    @classmethod
    def decode(cls, alias: str, record: bytes) -> PairedAccessory:
        """Read what `encode` made; unknown keys are ignored. `StateError` names what is missing or wrong."""
        tree: Any = None
        with suppress(ValueError, RecursionError):
            tree = json.loads(record)
        return _paired_accessory(alias, tree)


@frozen
class PreparedPairing:
    """Keys that await a pairing: an admin of the accessory adds `controller_id` and `controller_ltpk` to it (HAP 6).

    `alias` is what the accessory will be called. With `begun` nobody is to add it: a pair-setup with these keys began,
    and whether the accessory has stored them is not known.
    """

    alias: str
    identity: ControllerIdentity
    begun: bool = False

    def __attrs_post_init__(self) -> None:
        check_alias(self.alias)

    @property
    def controller_id(self) -> str:
        """Who we shall be for the accessory: a UUID in upper case."""
        return self.identity.identifier

    @property
    def controller_ltpk(self) -> bytes:
        """Our public key for it, 32 bytes."""
        return self.identity.ltpk

    @property
    def key(self) -> str:
        """Its key in a table that `PAIRINGS` writes."""
        return f"{_PREPARED_KEY}{self.alias}"

    def encode(self) -> bytes:
        """The record as compact JSON. The secret key is in it, in the clear."""
        identity = self.identity
        tree: dict[str, object] = {
            "controller_id": identity.identifier,
            "controller_ltsk": identity.ltsk.reveal().hex(),
        }
        return _compact({**tree, "begun": True} if self.begun else tree)

    @classmethod
    def decode(cls, alias: str, record: bytes) -> PreparedPairing:
        """Read what `encode` made; unknown keys are ignored. `StateError` names what is missing or wrong."""
        tree: Any = None
        with suppress(ValueError, RecursionError):
            tree = json.loads(record)
        fields = _Fields(alias, tree)
        try:
            identity = ControllerIdentity(fields.text("controller_id"), Secret(fields.key("controller_ltsk")))
            return cls(alias, identity, tree.get("begun") is True)
        except LocalProtocolError as error:
            raise StateError(f"the pairing {alias!r} is damaged: {error}") from None


def encode_pairings(pairings: Mapping[str, PairedAccessory]) -> bytes:
    """The content of a pairings file, by alias. It holds long-term secret keys: mode 0600."""
    return _encode_records({alias: accessory.encode() for alias, accessory in pairings.items()})


def decode_pairings(data: bytes) -> dict[str, PairedAccessory]:
    """Read a pairings file. `StateError` if it is empty, cut short, not ours, damaged or of a newer version."""
    return _paired_accessories(_read(data, _PAIRINGS_MARK, "pairings"))


def _paired_accessories(content: Mapping[str, Any]) -> dict[str, PairedAccessory]:
    return {alias: _paired_accessory(alias, tree) for alias, tree in content["pairings"].items()}


def _encode_records(table: Mapping[str, bytes]) -> bytes:
    records: dict[str, object] = {}
    prepared: dict[str, object] = {}
    learnt: dict[str, object] = {}
    for key, value in table.items():
        if is_knowledge(key):
            learnt[key] = _entry(value)
        elif (alias := prepared_alias(key)) is not None:
            prepared[alias] = json.loads(value)
        else:
            records[key] = json.loads(value)
    return _write(_PAIRINGS_MARK, {"pairings": records, _PREPARED: prepared, _KNOWLEDGE: learnt})


def _decode_records(data: bytes) -> dict[str, bytes]:
    tree = _read(data, _PAIRINGS_MARK, "pairings")
    table = {alias: accessory.encode() for alias, accessory in _paired_accessories(tree).items()}
    for name, record in _section(tree, _PREPARED).items():
        waiting = PreparedPairing.decode(name, _compact(record))
        table[waiting.key] = waiting.encode()
    learnt = _section(tree, _KNOWLEDGE)
    table.update({key: _value(key, entry) for key, entry in learnt.items() if is_knowledge(key)})
    return table


def _section(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = _object(tree.get(name))
    if section is None:
        raise StateError(f'the {_PAIRINGS_MARK} file is damaged: "{name}" is no JSON object')
    return section


class _Fields:
    """What stands in one record. Every call raises `StateError` for what is missing or wrong."""

    def __init__(self, alias: str, tree: Any) -> None:
        fields = _object(tree)
        if fields is None:
            raise StateError(f"the pairing {alias!r} is damaged: it is no JSON object")
        self._alias = alias
        self.all = fields

    def text(self, name: str, default: str | None = None) -> str:
        value = self.all.get(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise StateError(f"the pairing {self._alias!r} is damaged: {name} is missing or no text")
        return value

    def key(self, name: str) -> bytes:
        try:
            value = bytes.fromhex(self.text(name))
        except ValueError:
            value = b""
        if len(value) != _KEY_LENGTH:
            raise StateError(
                f"the pairing {self._alias!r} is damaged: {name} is not {_KEY_LENGTH} bytes in hexadecimal"
            )
        return value

    def number(self, name: str) -> int:
        value = self.all.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0xFFFF:
            raise StateError(f"the pairing {self._alias!r} is damaged: {name} is not a number from 0 to 65535")
        return value


def _paired_accessory(alias: str, tree: Any) -> PairedAccessory:
    fields = _Fields(alias, tree)
    try:
        transport = Transport(fields.text("transport", Transport.IP.value))
    except ValueError:
        raise StateError(f"the pairing {alias!r} is damaged: transport is none that is known") from None
    addresses = _texts(fields.all.get("addresses", []))
    if addresses is None:
        raise StateError(f"the pairing {alias!r} is damaged: addresses is not a list of texts")
    try:
        return PairedAccessory(
            alias=alias,
            pairing=Pairing(
                accessory_id=fields.text("accessory_id"),
                accessory_ltpk=fields.key("accessory_ltpk"),
                controller_id=fields.text("controller_id"),
                controller_ltsk=Secret(fields.key("controller_ltsk")),
            ),
            name=fields.text("name", ""),
            addresses=addresses,
            port=fields.number("port"),
            config_number=fields.number("config_number"),
            transport=transport,
        )
    except LocalProtocolError as error:
        raise StateError(f"the pairing {alias!r} is damaged: {error}") from None


# --- what both have in common -----------------------------------------------------------------------------------------


def _write(mark: str, sections: Mapping[str, Mapping[str, object]]) -> bytes:
    tree = {"format": mark, "version": _version(mark), **sections}
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _read(data: bytes, mark: str, section: str) -> dict[str, Any]:
    """The content of a file as today's version has it; it has that section."""
    if not data.strip():
        raise StateError(f"the file is empty, a {mark} file never is")
    try:
        tree: Any = json.loads(data.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        detail = f" near line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise StateError(f"the file is damaged or cut short: it is no JSON text{detail}") from None
    content = _object(tree)
    if content is None or content.get("format") != mark:
        raise StateError(f'the file is not a {mark} file: it has no "format": "{mark}"')
    version, newest = content.get("version"), _version(mark)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise StateError(f"the {mark} file is damaged: it has no version number")
    if version > newest:
        raise StateError(
            f"the {mark} file has version {version}, this program knows versions up to {newest} only: "
            "use the program that wrote it, or a newer one"
        )
    for number, migrate in enumerate(_MIGRATIONS[mark][version - 1 :], version):
        try:
            content = migrate(content)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise StateError(f"the {mark} file is damaged: it cannot be read as one of version {number}") from None
    if _object(content.get(section)) is None:
        raise StateError(f'the {mark} file is damaged: "{section}" is missing')
    return content


def _version(mark: str) -> int:
    """What is written today."""
    return len(_MIGRATIONS[mark]) + 1


def _with_sections(content: dict[str, Any]) -> dict[str, Any]:
    """Version 2: what is prepared and what is learnt have a place, which programs of version 1 would drop."""
    return {_PREPARED: {}, _KNOWLEDGE: {}, **content}


#: What makes version 2 of version 1, version 3 of version 2 and so on, by kind of file. A change that an older program
#: would misread, or drop when it writes the file again, takes one more.
_MIGRATIONS: Final[dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]]] = {
    _STATE_MARK: (),
    _PAIRINGS_MARK: (_with_sections,),
}


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    texts = [item for item in cast("Iterable[object]", value) if isinstance(item, str)]
    return tuple(texts) if len(texts) == len(cast("Sized", value)) else None


def _object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key appears twice")
    return table


#: An accessory's state: any bytes under each key.
STATE: Final = FileFormat(encode_state, decode_state)
#: A controller's pairings: `PairedAccessory.encode()` under each alias.
PAIRINGS: Final = FileFormat(_encode_records, _decode_records)
