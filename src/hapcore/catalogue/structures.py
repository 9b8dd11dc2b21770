"""TLV8 characteristics by name: what the items of a value are called, and which of them must not be shown.

Characteristic types that are not in the table are shown item by item, with their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Final, TypeAlias

from hapcore.codec.tlv8 import TlvError

__all__ = ["MAX_DEPTH", "Field", "Hidden", "describe_tlv", "read_tlv"]

#: Structures within structures that are followed; the deepest known has four.
MAX_DEPTH: Final = 6
#: Bytes of an item without a meaning that are shown.
_SHOWN: Final = 24
#: Bytes of the greatest number, of a UUID, and of a fragment that another may follow.
_WIDEST: Final = 8
_UUID: Final = 16
_FULL: Final = 255
_REAL: Final = Struct("<f")

#: What an item of a value is: a number, the name of one, a text, bytes, a structure; several of one kind are a tuple.
Field: TypeAlias = "int | float | str | bytes | tuple[Field, ...] | Mapping[str, Field]"

#: What an item holds: a structure, named numbers, or a way to show its bytes.
_Form: TypeAlias = "Mapping[int, tuple[str, _Form]] | tuple[str, ...] | Callable[[bytes], str]"
_Fields: TypeAlias = Mapping[int, tuple[str, _Form]]


def _number(value: bytes) -> str:
    return str(int.from_bytes(value, "little")) if len(value) <= _WIDEST else _bytes(value)


def _real(value: bytes) -> str:
    return f"{_REAL.unpack(value)[0]:g}" if len(value) == _REAL.size else _bytes(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _bytes(value: bytes) -> str:
    return value.hex() if len(value) <= _SHOWN else f"<{len(value)} bytes>"


def _secret(value: bytes) -> str:
    return f"<{len(value)} bytes>"


def _uuid(value: bytes) -> str:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" if len(value) == _UUID else _bytes(value)


_SESSION_STATUS = ("success", "busy", "error")
_VIDEO_CODEC = ("H.264", "H.265")
_AUDIO_CODEC = ("PCMU", "PCMA", "AAC-ELD", "Opus", "MSBC", "AMR", "AMR-WB")
_RECORDING_AUDIO_CODEC = ("AAC-LC", "AAC-ELD")
_PROFILE = ("constrained baseline", "main", "high")
_LEVEL = ("3.1", "3.2", "4")
_CRYPTO = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_80", "none")
_STREAMING = ("available", "in use", "unavailable")
_COMMAND = ("end", "start", "suspend", "resume", "reconfigure")
_BIT_RATE = ("variable", "constant")
_SAMPLE_RATE = ("8 kHz", "16 kHz", "24 kHz")
_RECORDING_SAMPLE_RATE = ("8 kHz", "16 kHz", "24 kHz", "32 kHz", "44.1 kHz", "48 kHz")
_ENABLED = ("off", "on")

_RESOLUTION: _Fields = {1: ("Width", _number), 2: ("Height", _number), 3: ("Frame rate", _number)}
_VIDEO_PARAMETERS: _Fields = {
    1: ("Profile", _PROFILE),
    2: ("Level", _LEVEL),
    3: ("Packetization", ("non-interleaved",)),
    4: ("CVO", _ENABLED),
    5: ("CVO id", _number),
}
_RECORDED_VIDEO_PARAMETERS: _Fields = {
    1: ("Profile", _PROFILE),
    2: ("Level", _LEVEL),
    3: ("Bit rate", _number),
    4: ("I-frame interval", _number),
}
_AUDIO_PARAMETERS: _Fields = {
    1: ("Channels", _number),
    2: ("Bit rate control", _BIT_RATE),
    3: ("Sample rate", _SAMPLE_RATE),
    4: ("Packet time", _number),
}
_RECORDED_AUDIO_PARAMETERS: _Fields = {
    1: ("Channels", _number),
    2: ("Bit rate control", _BIT_RATE),
    3: ("Sample rate", _RECORDING_SAMPLE_RATE),
    4: ("Bit rate", _number),
}
_RTP: _Fields = {
    1: ("Payload type", _number),
    2: ("SSRC", _number),
    3: ("Maximum bit rate", _number),
    4: ("RTCP interval", _real),
    5: ("Maximum MTU", _number),
    6: ("Comfort noise payload type", _number),
}
_ADDRESS: _Fields = {
    1: ("Address version", ("IPv4", "IPv6")),
    2: ("Address", _text),
    3: ("Video port", _number),
    4: ("Audio port", _number),
}
_SRTP: _Fields = {1: ("Crypto suite", _CRYPTO), 2: ("Master key", _secret), 3: ("Master salt", _secret)}
_CONTAINER: _Fields = {
    1: ("Container", ("fragmented MP4",)),
    2: ("Parameters", {1: ("Fragment length", _number)}),
}
_RECORDED_VIDEO: _Fields = {
    1: ("Codec", _VIDEO_CODEC),
    2: ("Parameters", _RECORDED_VIDEO_PARAMETERS),
    3: ("Resolution", _RESOLUTION),
}
_RECORDED_AUDIO: _Fields = {1: ("Codec", _RECORDING_AUDIO_CODEC), 2: ("Parameters", _RECORDED_AUDIO_PARAMETERS)}
_RECORDING: _Fields = {1: ("Prebuffer", _number), 2: ("Triggers", _bytes), 3: ("Media container", _CONTAINER)}

#: By short type.
_STRUCTURES: Final[Mapping[str, _Fields]] = {
    "19": {
        0: ("Clear logs", _bytes),
        1: ("Set current time", _number),
        2: ("Log since", _number),
        3: ("Auto-secure timeout", _number),
    },
    "114": {
        1: (
            "Video codec",
            {1: ("Codec", _VIDEO_CODEC), 2: ("Parameters", _VIDEO_PARAMETERS), 3: ("Resolution", _RESOLUTION)},
        )
    },
    "115": {
        1: ("Audio codec", {1: ("Codec", _AUDIO_CODEC), 2: ("Parameters", _AUDIO_PARAMETERS)}),
        2: ("Comfort noise", _ENABLED),
    },
    "116": {2: ("Crypto suite", _CRYPTO)},
    "117": {
        1: ("Session", {1: ("Id", _uuid), 2: ("Command", _COMMAND)}),
        2: (
            "Video",
            {
                1: ("Codec", _VIDEO_CODEC),
                2: ("Parameters", _VIDEO_PARAMETERS),
                3: ("Resolution", _RESOLUTION),
                4: ("RTP", _RTP),
            },
        ),
        3: (
            "Audio",
            {
                1: ("Codec", _AUDIO_CODEC),
                2: ("Parameters", _AUDIO_PARAMETERS),
                3: ("RTP", _RTP),
                4: ("Comfort noise", _ENABLED),
            },
        ),
    },
    "118": {
        1: ("Session", _uuid),
        2: ("Status", _SESSION_STATUS),
        3: ("Address", _ADDRESS),
        4: ("Video SRTP", _SRTP),
        5: ("Audio SRTP", _SRTP),
        6: ("Video SSRC", _number),
        7: ("Audio SSRC", _number),
    },
    "120": {1: ("Status", _STREAMING)},
    "128": {
        1: ("Audio", {1: ("Codec", _AUDIO_CODEC), 2: ("Parameters", _AUDIO_PARAMETERS)}),
    },
    "130": {1: ("Transport", {1: ("Type", ("TCP",))})},
    "131": {
        1: ("Command", ("start",)),
        2: ("Transport", ("TCP",)),
        3: ("Controller key salt", _secret),
    },
    "136": {1: ("Identifier", _number)},
    "205": _RECORDING,
    "206": {1: ("Video", _RECORDED_VIDEO)},
    "207": {1: ("Audio", _RECORDED_AUDIO)},
    "209": {1: ("General", _RECORDING), 2: ("Video", _RECORDED_VIDEO), 3: ("Audio", _RECORDED_AUDIO)},
}
#: What an accessory answers where it says something else than what is written to it.
_ANSWERS: Final[Mapping[str, _Fields]] = {
    "131": {
        1: ("Status", ("success", "error", "busy")),
        2: ("Parameters", {1: ("Port", _number)}),
        3: ("Accessory key salt", _secret),
    },
}


def describe_tlv(short: str, data: bytes, *, answer: bool = False) -> str:
    """A value of the characteristic type with that short UUID, in one line: "Session: {Id: ..., Command: start}".

    `answer` is True for what the accessory says. Bytes that are no TLV8 are shown as what they are.
    """
    fields = (_ANSWERS.get(short) if answer else None) or _STRUCTURES.get(short, {})
    return _structure(data, fields, 0) or f"<{len(data)} bytes>"


def read_tlv(short: str, data: bytes, *, answer: bool = False) -> Mapping[str, Field] | None:
    """The same as objects: {"Session": {"Id": "...", "Command": "start"}}; None for bytes that are no TLV8.

    Numbers whose meanings have names are these names; what is not known has the name "item N" and is bytes. Keys are
    `Hidden`.
    """
    return _objects(data, (_ANSWERS.get(short) if answer else None) or _STRUCTURES.get(short, {}), 0)


class Hidden(bytes):
    """Bytes like any others, but they do not show when they are printed."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"

    __str__ = __repr__


def _objects(data: bytes, fields: _Fields, depth: int) -> Mapping[str, Field] | None:
    found: dict[str, list[Field]] = {}
    try:
        for kind, value in _items(data):
            if value or kind in fields:
                name, form = fields.get(kind, (f"item {kind}", _bytes))
                found.setdefault(name, []).append(_object(value, form, depth))
    except TlvError:
        return None
    return {name: items[0] if len(items) == 1 else tuple(items) for name, items in found.items()}


def _object(value: bytes, form: _Form, depth: int) -> Field:
    if callable(form):
        if form is _number and len(value) <= _WIDEST:
            return int.from_bytes(value, "little")
        if form is _real and len(value) == _REAL.size:
            seconds: float = _REAL.unpack(value)[0]
            return seconds
        if form is _text or (form is _uuid and len(value) == _UUID):
            return form(value)
        return Hidden(value) if form is _secret else value
    if isinstance(form, Mapping):
        inner = _objects(value, form, depth + 1) if depth < MAX_DEPTH else None
        return value if inner is None else inner
    number = int.from_bytes(value, "little")
    return form[number] if number < len(form) else number if len(value) <= _WIDEST else value


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Elements with their fragments joined. Some write equal ones back to back: only a full one goes on in the next.

    A value that is cut off is taken as it is. Raises `TlvError` where a type stands at the end without a length.
    """
    position = 0
    while position < len(data):
        kind = data[position]
        parts: list[bytes] = []
        while position < len(data) and data[position] == kind:
            if position + 1 == len(data):
                raise TlvError("one byte is left over after the last element")
            length = data[position + 1]
            parts.append(data[position + 2 : position + 2 + length])
            position += 2 + length
            if length < _FULL:
                break
        yield kind, b"".join(parts)


def _structure(data: bytes, fields: _Fields, depth: int) -> str | None:
    try:
        items = list(_items(data))
    except TlvError:
        return None
    return ", ".join(_item(kind, value, fields, depth) for kind, value in items if value or kind in fields) or "empty"


def _item(kind: int, value: bytes, fields: _Fields, depth: int) -> str:
    name, form = fields.get(kind, (f"item {kind}", _secret if len(value) > _WIDEST else _bytes))
    if callable(form):
        return f"{name}: {form(value)}"
    if isinstance(form, Mapping):
        inner = _structure(value, form, depth + 1) if depth < MAX_DEPTH else None
        return f"{name}: {_bytes(value)}" if inner is None else f"{name}: {{{inner}}}"
    number = int.from_bytes(value, "little") if len(value) <= _WIDEST else None
    if number is None:
        return f"{name}: {_bytes(value)}"
    return f"{name}: {form[number] if number < len(form) else number}"
