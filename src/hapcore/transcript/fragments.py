"""PDUs in a transcript: fragments without what they carry, whole bodies with their secrets replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from hapcore.ble import uuids
from hapcore.codec.pdu import Opcode, Parameter
from hapcore.crypto.records import RecordCipher
from hapcore.model.metadata import Format
from hapcore.model.uuid import SERVICE_SIGNATURE
from hapcore.transcript.masks import Masks
from hapcore.transcript.notes import Notes

__all__ = ["TAG", "Assembly", "NotingCipher", "PlainCipher", "mask_body", "pdu_line", "split"]

_CONTINUATION: Final = 0x80
_KINDS: Final = frozenset({0x00, 0x02, 0x80, 0x82})
_PREFIX: Final = 2
_LENGTH: Final = 2
#: The broadcast key in the answer to a protocol configuration (HAP-BLE A.5.8).
_KEY_ITEM: Final = 4
_VALUES: Final = frozenset(
    {
        Opcode.CHARACTERISTIC_WRITE,
        Opcode.CHARACTERISTIC_READ,
        Opcode.CHARACTERISTIC_TIMED_WRITE,
        Opcode.CHARACTERISTIC_EXECUTE_WRITE,
    }
)
_OPEN: Final = frozenset(
    {
        Opcode.CHARACTERISTIC_SIGNATURE_READ,
        Opcode.SERVICE_SIGNATURE_READ,
        Opcode.CHARACTERISTIC_CONFIGURATION,
        Opcode.INFO,
    }
)

_PARAMETERS: Final = frozenset(Parameter)
_PAIRING: Final = frozenset({uuids.PAIR_SETUP, uuids.PAIR_VERIFY, uuids.PAIRING_PAIRINGS})
#: Their values have formats that may hold secrets, and hold none.
_TECHNICAL: Final = frozenset({uuids.PAIRING_FEATURES, uuids.VERSION, SERVICE_SIGNATURE})


def _mask(masks: Masks, body: bytes, opcode: int, value: Callable[[bytes], bytes]) -> bytes:
    def item(kind: int, data: bytes) -> bytes:
        if kind == Parameter.VALUE:
            return value(data)
        return masks.value(data) if kind == Parameter.AUTH_DATA or kind not in _PARAMETERS else data

    def parameter(kind: int, data: bytes) -> bytes:
        return masks.data(data) if kind == _KEY_ITEM else data

    if opcode in _VALUES:
        return masks.items(body, item)
    if opcode == Opcode.PROTOCOL_CONFIGURATION:
        return masks.items(body, parameter)
    return body if opcode in _OPEN else masks.data(body)


def mask_body(masks: Masks, opcode: int, body: bytes, uuid: str, form: Format | None) -> bytes:
    """The body of a request with that opcode, or of its answer, as it may be shown; it stays as long as it was.

    `uuid` and `form` are of the characteristic that is asked, as far as they are known.
    """
    value: Callable[[bytes], bytes]
    if uuid in _PAIRING:
        value = masks.tlv
    elif uuid in _TECHNICAL or (form is not None and form not in (Format.TLV8, Format.DATA)):
        value = _as_it_is
    else:
        value = masks.value
    return _mask(masks, body, opcode, value)


def _as_it_is(data: bytes) -> bytes:
    return data


def split(fragment: bytes, *, response: bool) -> tuple[bytes, bytes]:
    """The header of a fragment, its length field included, and the part of the body that it carries."""
    if len(fragment) < _PREFIX or fragment[0] not in _KINDS:
        return fragment[:1], fragment[1:]
    size = _PREFIX if fragment[0] & _CONTINUATION else (3 if response else 5) + _LENGTH
    return fragment[:size], fragment[size:]


class Assembly:
    """The fragments of one message, seen from beside: whole bodies, whatever the engine makes of them."""

    def __init__(self, *, response: bool) -> None:
        self._response = response
        self._head = b""
        self._body = bytearray()
        self._length = -1

    def feed(self, head: bytes, body: bytes) -> tuple[bytes, bytes] | None:
        """Header of the first fragment and whole body, once the last one is there."""
        if not head or head[0] & _CONTINUATION:
            if self._length < 0:
                return None
        elif len(head) < (3 if self._response else 5):
            return None
        else:
            self._head, self._length = head, int.from_bytes(head[3 if self._response else 5 :], "little")
            self._body.clear()
        self._body += body
        if len(self._body) < self._length:
            return None
        self._length = -1
        return self._head, bytes(self._body)


class NotingCipher(RecordCipher):
    """One direction of a session in place of `inner`; tells what was sealed and opened."""

    __slots__ = ("_notes",)

    def __init__(self, inner: RecordCipher, notes: Notes) -> None:
        self._cipher, self._counter = inner._cipher, inner._counter
        self._notes = notes

    def seal(self, plain: bytes) -> bytes:
        sealed = super().seal(plain)
        self._notes.sealed_record = (sealed, bytes(plain))
        return sealed

    def open(self, data: bytes) -> bytes | None:
        opened = super().open(data)
        self._notes.opened_record = (opened,)
        return opened


class PlainCipher(NotingCipher):
    """Protects nothing: for replaying what was noted in the clear. A record is as long as ever.

    `fault` is set where the next record is one that did not open.
    """

    __slots__ = ("fault",)

    def __init__(self, inner: RecordCipher, notes: Notes) -> None:
        super().__init__(inner, notes)
        self.fault = False

    def seal(self, plain: bytes) -> bytes:
        sealed = bytes(plain) + TAG
        self._notes.sealed_record = (sealed, bytes(plain))
        return sealed

    def open(self, data: bytes) -> bytes | None:
        fault, self.fault = self.fault, False
        opened = None if fault else data[: -len(TAG)]
        self._notes.opened_record = (opened,)
        return opened


#: What `PlainCipher` puts in the place of a tag.
TAG: Final = bytes(16)


def pdu_line(kind: str, handle: int, head: bytes, body: bytes) -> Mapping[str, Any]:
    """A whole request or answer as it stands in a line."""
    line: dict[str, Any] = {"pdu": kind, "handle": handle}
    if kind == "request":
        line |= {"opcode": head[1], "tid": head[2], "iid": int.from_bytes(head[3:5], "little")}
    else:
        line |= {"tid": head[1], "status": head[2]}
    return line | {"body": body.hex()}
