"""What stands in a redacted transcript in the place of secrets: always the same for the same, of the same length.

The replacements are made of a running number, so they say nothing about what they replace. They have the shape of the
original (a key is still a key, a setup code a setup code), so that an engine can work with them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, cast

from hapcore.codec.json import JsonError, read_tolerant
from hapcore.crypto.srp import make_verifier
from hapcore.ids import CharacteristicId
from hapcore.model.metadata import Format
from hapcore.pairing.items import Item
from hapcore.setup_code import SetupCode, new_setup_code

__all__ = ["FormatOf", "Masks", "NoMasks"]

#: The format of a characteristic, None where it is not known.
FormatOf: TypeAlias = Callable[[CharacteristicId], Format | None]

#: Pairing items that hold no secret.
_OPEN_ITEMS: Final = frozenset(
    {
        Item.METHOD,
        Item.IDENTIFIER,
        Item.STATE,
        Item.ERROR,
        Item.RETRY_DELAY,
        Item.PERMISSIONS,
        Item.FLAGS,
        Item.SEPARATOR,
    }
)
#: Draws that are sent, shown or announced as they are.
_OPEN_DRAWS: Final = frozenset(
    {"identity.device-id", "setup-id", "pair-setup.salt", "controller.pairing-id", "timed-write.pid"}
)
_OPEN_STATE: Final = frozenset(
    {"database", "ids", "attempts", "ble/state-number", "ble/broadcast-settings", "ble/firmware"}
)
#: What engines keep for Bluetooth LE: a broadcast key, and the session to resume.
_BLE: Final = "ble/"
#: Short values have few replacements; after so many tries one is used twice.
_TRIES: Final = 1000
#: Texts of fewer letters are never searched for in other texts.
_SEARCHED: Final = 4
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CHUNKED: Final = re.compile(rb"\ntransfer-encoding:[^\n]*chunked", re.IGNORECASE)
_PICTURE: Final = re.compile(rb"\ncontent-type:[^\n]*image/", re.IGNORECASE)
_JPEG: Final = b"\xff\xd8"
_PAIRING: Final = re.compile(rb"\ncontent-type:[^\n]*tlv8", re.IGNORECASE)


class Masks:
    """The replacements of one transcript."""

    redacts = True

    def __init__(self) -> None:
        self._count = 0
        # By digest: what is looked up here must not be kept.
        self._data: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()
        self._texts: dict[str, str] = {}

    def data(self, secret: bytes) -> bytes:
        """In the place of key material or of a value that may hold some."""
        if not secret:
            return secret
        digest = hashlib.sha512(secret).digest()
        found = self._data.get(digest)
        if found is None:
            found = self._next(len(secret))
            for _ in range(_TRIES):
                if found not in self._used:
                    break
                found = self._next(len(secret))
            self._used.add(found)
            self._data[digest] = found
        return found

    def learn(self, secret: bytes, made: bytes) -> None:
        """In the place of `secret` stands `made`: what an engine makes of stand-ins, as it made that of secrets."""
        self._used.add(made)
        self._data[hashlib.sha512(secret).digest()] = made

    def value(self, secret: bytes) -> bytes:
        """In the place of a value: TLV items stay such, and a picture begins like one, since engines check that."""
        if (items := _items(secret)) is None:
            start = len(_JPEG) if secret.startswith(_JPEG) else 0
            return secret[:start] + self.data(secret[start:])
        return b"".join(head + self.data(content) for head, content in items)

    def _next(self, length: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(b"hapcore redacted %d" % self._count).digest(length)

    def text(self, secret: str) -> str:
        """In the place of a text: base64 for base64, else letters."""
        if secret in self._texts or not secret:
            return self._texts.get(secret, secret)
        try:
            made = base64.b64encode(self.value(base64.b64decode(secret, validate=True))).decode()
        except (binascii.Error, ValueError):
            made = ""
        if len(made) != len(secret):
            made = self.data(secret.encode("utf-8", "surrogatepass")).hex()[: len(secret)]
        self._texts[secret] = made
        return made

    def known(self, text: str) -> str:
        """A text that is no secret by itself; one that was replaced before is replaced here too."""
        return self._texts.get(text, text) if self._texts else text

    def said(self, value: int | str | None) -> int | str | None:
        """The same for what an error carries."""
        return self.known(value) if isinstance(value, str) else value

    def code(self, code: str) -> str:
        """In the place of a setup code."""
        if code not in self._texts:
            self._count += 1
            drawn = hashlib.shake_256(b"hapcore redacted code %d" % self._count).digest(16)
            self._texts[code] = new_setup_code(lambda _label, _length: drawn).text
        return self._texts[code]

    def draw(self, label: str, data: bytes) -> bytes:
        """In the place of a random draw; keys that are made of it are replaced alike."""
        if label in _OPEN_DRAWS:
            return data
        masked = self.data(data)
        if label == "setup-code":
            real = new_setup_code(lambda _label, _length: data).text
            self._texts[real] = new_setup_code(lambda _label, _length: masked).text
        return masked

    def state(self, key: str, value: bytes) -> bytes | None:
        """In the place of an entry of a table; None for what no engine of this version wrote."""
        if key in _OPEN_STATE:
            return value
        if key.startswith(_BLE):
            return self._ble_state(value)
        try:
            found = cast("dict[str, Any]", json.loads(value))
            if key == "identity":
                found["ltsk"] = self.data(bytes.fromhex(found["ltsk"])).hex()
            elif key == "setup":
                found["code"] = self.code(SetupCode(found["code"], allow_trivial=True).text)
                verifier = make_verifier(found["code"], bytes.fromhex(found["salt"]))
                found["verifier"] = verifier.verifier.reveal().hex()
            elif key.startswith("pairing/"):
                found["ltpk"] = self.data(bytes.fromhex(found["ltpk"])).hex()
            else:
                return None
        except (ValueError, KeyError, TypeError):
            return None
        return json.dumps(found, separators=(",", ":")).encode()

    def _ble_state(self, value: bytes) -> bytes | None:
        """The broadcasts of a peripheral, or what a peer knows; None for anything else."""
        try:
            found = cast("dict[str, Any]", json.loads(value))
            if found["key"]:
                found["key"] = self.data(bytes.fromhex(found["key"])).hex()
            if found.get("resume") is not None:
                found["resume"] = [self.data(bytes.fromhex(one)).hex() for one in found["resume"]]
        except (ValueError, KeyError, TypeError):
            return None
        return json.dumps(found, separators=(",", ":")).encode()

    # Messages

    def message(self, raw: bytes, format_of: FormatOf) -> bytes:
        """One whole HTTP message with its secrets replaced, byte for byte as long as it was."""
        spans = list(_body_spans(raw))
        if not spans:
            return raw
        body = b"".join(raw[start:end] for start, end in spans)
        named = _PAIRING.search(raw[: spans[0][0]]) is not None
        pairing = named or (body[:1] not in (b"{", b"[") and _items(body) is not None)
        if _PICTURE.search(raw[: spans[0][0]]):
            masked = self.value(body)
        else:
            masked = self.tlv(body) if pairing else self.json(body, format_of)
        made, at = bytearray(raw), 0
        for start, end in spans:
            made[start:end] = masked[at : at + end - start]
            at += end - start
        return bytes(made)

    def tlv(self, body: bytes) -> bytes:
        """A pairing message: types and lengths stay, and the items that are no secret."""
        return self.items(body, lambda kind, content: content if kind in _OPEN_ITEMS else self.data(content))

    def items(self, body: bytes, mask: Callable[[int, bytes], bytes]) -> bytes:
        """TLV items: types and lengths stay; `mask` is asked by type about each whole value, and keeps its length."""
        made = bytearray(body)
        at = 0
        while at + 2 <= len(body):
            kind, places = body[at], list[tuple[int, int]]()
            while at + 2 <= len(body) and body[at] == kind:
                length = body[at + 1]
                places.append((at + 2, min(at + 2 + length, len(body))))
                at += 2 + length
                if length < 255:
                    break
            whole = b"".join(body[start:end] for start, end in places)
            # Cut off in the middle it may be anything.
            masked = mask(kind, whole) if at <= len(body) else self.data(whole)
            for start, end in places:
                made[start:end], masked = masked[: end - start], masked[end - start :]
        return bytes(made)

    def json(self, body: bytes, format_of: FormatOf) -> bytes:
        """A JSON body: authorization data, and the values of tlv8, data and unknown characteristics, are replaced.

        What cannot be read is replaced as a whole.
        """
        nothing = b"0" * len(body)
        try:
            secrets = set(_secrets(_tree(body), format_of))
        except (JsonError, RecursionError):
            return nothing
        if not secrets:
            return body

        def masked(literal: re.Match[bytes]) -> bytes:
            try:
                text: object = json.loads(literal[0])
            except ValueError:
                return literal[0]
            if not isinstance(text, str) or text not in secrets:
                return literal[0]
            return (b'"%b"' % self.text(text).encode()).ljust(len(literal[0]))

        body = _STRING.sub(masked, body)
        if len(body) != len(nothing):
            return nothing
        if any(len(one) >= _SEARCHED and one.encode("utf-8", "surrogatepass") in body for one in secrets):
            return nothing
        # Broken JSON may have been read otherwise than it was searched.
        replaced = set(map(self.text, secrets))
        try:
            return body if replaced.issuperset(_secrets(_tree(body), format_of)) else nothing
        except (JsonError, RecursionError):
            return nothing


class NoMasks(Masks):
    """Everything stays as it is: with secrets, or replaced before."""

    def __init__(self, *, redacts: bool = False) -> None:
        super().__init__()
        self.redacts = redacts

    def data(self, secret: bytes) -> bytes:
        return secret

    def text(self, secret: str) -> str:
        return secret

    def code(self, code: str) -> str:
        return code

    def draw(self, label: str, data: bytes) -> bytes:
        del label
        return data

    def learn(self, secret: bytes, made: bytes) -> None:
        del secret, made

    def state(self, key: str, value: bytes) -> bytes:
        del key
        return value

    def message(self, raw: bytes, format_of: FormatOf) -> bytes:
        del format_of
        return raw

    def tlv(self, body: bytes) -> bytes:
        return body

    def items(self, body: bytes, mask: Callable[[int, bytes], bytes]) -> bytes:
        del mask
        return body


def _items(value: bytes) -> list[tuple[bytes, bytes]] | None:
    """Heads and contents of TLV items, fragments one by one; None for anything else."""
    found: list[tuple[bytes, bytes]] = []
    at = 0
    while at + 2 <= len(value):
        end = at + 2 + value[at + 1]
        found.append((value[at : at + 2], value[at + 2 : end]))
        at = end
    return found if at == len(value) else None


class _Pairs(list[tuple[str, object]]):
    """An object of JSON with all its keys, also those that come twice."""


def _tree(body: bytes) -> object:
    try:
        found: object = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        found = read_tolerant(body)
    return found


def _secrets(tree: object, format_of: FormatOf) -> Iterator[str]:
    if isinstance(tree, dict):
        tree = _Pairs(cast("dict[str, object]", tree).items())
    if isinstance(tree, _Pairs):
        known = dict(tree)
        form = _format(known, format_of)
        for key, value in tree:
            if isinstance(value, str):
                hidden = key == "value" and (form is None or form in (Format.TLV8, Format.DATA))
                if (key == "authData" or hidden) and value:
                    yield value
            elif key == "value":
                yield from _texts(value)  # no value has parts, but whoever sends them may mean one
            else:
                yield from _secrets(value, format_of)
    elif isinstance(tree, list):
        for one in cast("list[object]", tree):
            yield from _secrets(one, format_of)


def _texts(tree: object) -> Iterator[str]:
    if isinstance(tree, str) and tree:
        yield tree
    elif isinstance(tree, dict | list):
        parts = cast("dict[str, object]", tree).values() if isinstance(tree, dict) else cast("list[object]", tree)
        for one in parts:
            yield from _texts(cast("tuple[str, object]", one)[1] if isinstance(tree, _Pairs) else one)


def _format(entry: dict[str, object], format_of: FormatOf) -> Format | None:
    named = entry.get("format")
    if isinstance(named, str):
        return Format(named) if named in Format.__members__.values() else None
    aid, iid = entry.get("aid"), entry.get("iid")
    return format_of(CharacteristicId(aid, iid)) if isinstance(aid, int) and isinstance(iid, int) else None


def _body_spans(raw: bytes) -> Iterator[tuple[int, int]]:
    """Where the body of a message is: one piece, or one for each chunk."""
    lead = len(raw) - len(raw.lstrip(b"\r\n \t"))
    ends = [found + size for mark, size in ((b"\n\r\n", 3), (b"\n\n", 2)) if (found := raw.find(mark, lead)) >= 0]
    if not ends:
        return
    at = min(ends)
    if not _CHUNKED.search(raw[:at]):
        if at < len(raw):
            yield at, len(raw)
        return
    while (line := raw.find(b"\n", at)) >= 0:
        try:
            size = int(raw[at:line].split(b";", 1)[0], 16)
        except ValueError:
            return
        at = line + 1
        if not size:
            return
        yield at, min(at + size, len(raw))
        at = raw.find(b"\n", at + size) + 1
        if not at:
            return
