"""HAP-BLE PDUs: requests, responses and the fragments they travel in (HAP-BLE A.3).

One fragment is one GATT attribute value. The readers take whole fragments, decrypted where they were encrypted.
"""

from __future__ import annotations

from enum import IntEnum

from attrs import field, frozen

from hapcore.errors import LocalProtocolError

__all__ = [
    "MAX_BODY",
    "MIN_FRAGMENT",
    "Opcode",
    "Parameter",
    "PduError",
    "PduStatus",
    "Request",
    "RequestReader",
    "Response",
    "ResponseReader",
    "write_request",
    "write_response",
]

#: The length field has 16 bits.
MAX_BODY = 0xFFFF
#: The header of a request and its length field must stand in the first fragment.
MIN_FRAGMENT = 7

_REQUEST = 0x00
_RESPONSE = 0x02
_CONTINUATION = 0x80
_REQUEST_HEADER = 5
_RESPONSE_HEADER = 3
_CONTINUATION_HEADER = 2
_LENGTH = 2


class Opcode(IntEnum):
    """What a request asks for (HAP-BLE A.3.2)."""

    CHARACTERISTIC_SIGNATURE_READ = 0x01
    CHARACTERISTIC_WRITE = 0x02
    CHARACTERISTIC_READ = 0x03
    CHARACTERISTIC_TIMED_WRITE = 0x04
    CHARACTERISTIC_EXECUTE_WRITE = 0x05
    SERVICE_SIGNATURE_READ = 0x06
    CHARACTERISTIC_CONFIGURATION = 0x07
    PROTOCOL_CONFIGURATION = 0x08
    TOKEN = 0x10
    TOKEN_UPDATE = 0x11
    INFO = 0x12


class PduStatus(IntEnum):
    """How a request ended (HAP-BLE A.3.3)."""

    SUCCESS = 0x00
    UNSUPPORTED_PDU = 0x01
    MAXIMUM_PROCEDURES = 0x02
    INSUFFICIENT_AUTHORIZATION = 0x03
    INVALID_INSTANCE_ID = 0x04
    INSUFFICIENT_AUTHENTICATION = 0x05
    INVALID_REQUEST = 0x06


class Parameter(IntEnum):
    """TLV types inside the bodies (HAP-BLE A.3.3)."""

    VALUE = 0x01
    AUTH_DATA = 0x02
    ORIGIN = 0x03
    CHARACTERISTIC_TYPE = 0x04
    CHARACTERISTIC_IID = 0x05
    SERVICE_TYPE = 0x06
    SERVICE_IID = 0x07
    TTL = 0x08
    RETURN_RESPONSE = 0x09
    PROPERTIES = 0x0A
    DESCRIPTION = 0x0B
    FORMAT = 0x0C
    RANGE = 0x0D
    STEP = 0x0E
    SERVICE_PROPERTIES = 0x0F
    LINKED = 0x10
    VALID_VALUES = 0x11
    VALID_RANGES = 0x12


class PduError(ValueError):
    """A fragment that is none, or does not belong to those before it."""


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@frozen
class Request:
    """`opcode`, `tid` (0..255) and `iid` (0..65535) as they came; `body` None where there is no length field at all."""

    opcode: int
    tid: int
    iid: int
    body: bytes | None = field(default=None, repr=_size)


@frozen
class Response:
    """The answer to the request with the same `tid`; `status` as in `PduStatus`, but any byte may come."""

    tid: int
    status: int
    body: bytes = field(default=b"", repr=_size)


def write_request(request: Request, limit: int) -> list[bytes]:
    """The fragments of a request, each of at most `limit` (7 or more) bytes before encryption (HAP-BLE A.3.5)."""
    head = bytes((_REQUEST, request.opcode, request.tid)) + request.iid.to_bytes(2, "little")
    return _fragments(head, request.body, limit, request.tid, _REQUEST)


def write_response(response: Response, limit: int) -> list[bytes]:
    """The fragments of a response, each of at most `limit` (5 or more) bytes before encryption (HAP-BLE A.3.5).

    Without a body the length field is left out; then 3 bytes are enough.
    """
    head = bytes((_RESPONSE, response.tid, response.status))
    return _fragments(head, response.body or None, limit, response.tid, _RESPONSE)


def _fragments(head: bytes, body: bytes | None, limit: int, tid: int, kind: int) -> list[bytes]:
    least = len(head) + (0 if body is None else _LENGTH)
    if limit < least:
        raise LocalProtocolError(f"fragments of {limit} bytes are too small, {least} are needed", argument="limit")
    if body is None:
        return [head]
    size = len(body)
    if size > MAX_BODY:
        raise LocalProtocolError(f"a body of {size} bytes is too long, {MAX_BODY} at most", argument="body")
    view = memoryview(body)
    head += size.to_bytes(_LENGTH, "little")
    position = limit - len(head)
    found = [head + view[:position]]
    continuation = bytes((_CONTINUATION | kind, tid))
    step = limit - _CONTINUATION_HEADER
    while position < size:
        found.append(continuation + view[position : position + step])
        position += step
    return found


class RequestReader:
    """Joins the fragments of one request, strictly, as Apple's accessories do (HAP-BLE A.3.1).

    `max_body` bounds what is kept; a longer body is a `PduError`. After a complete request, empty continuations of it
    are tolerated (HAP-BLE A.3.5), everything else is a `PduError`.
    """

    __slots__ = ("_body", "_head", "_length", "_max_body", "complete")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._head: tuple[int, int, int] | None = None
        self._length = 0
        self._body = bytearray()
        #: Whether the whole request has been returned.
        self.complete = False

    def feed(self, fragment: bytes) -> Request | None:
        """Take one fragment; the request when it is the last of it. Raises `PduError`."""
        if self._head is None:
            return self._first(fragment)
        if len(fragment) < _CONTINUATION_HEADER:
            raise PduError(f"a continuation of {len(fragment)} bytes")
        if fragment[0] != _CONTINUATION | _REQUEST:
            raise PduError(f"control byte {fragment[0]:02x} where a request goes on")
        if fragment[1] != self._head[1]:
            raise PduError(f"transaction {fragment[1]} goes on where {self._head[1]} is under way")
        return self._take(fragment[_CONTINUATION_HEADER:])

    def _first(self, fragment: bytes) -> Request | None:
        size = len(fragment)
        if size < _REQUEST_HEADER:
            raise PduError(f"a request of {size} bytes")
        if fragment[0] != _REQUEST:
            raise PduError(f"control byte {fragment[0]:02x} where a request begins")
        opcode, tid, iid = fragment[1], fragment[2], int.from_bytes(fragment[3:5], "little")
        self._head = (opcode, tid, iid)
        if size == _REQUEST_HEADER:
            self.complete = True
            return Request(opcode, tid, iid)
        if size < _REQUEST_HEADER + _LENGTH:
            raise PduError("half a length field")
        self._length = int.from_bytes(fragment[5:7], "little")
        if self._length > self._max_body:
            raise PduError(f"a body of {self._length} bytes, {self._max_body} at most")
        return self._take(fragment[7:])

    def _take(self, data: bytes) -> Request | None:
        if self.complete:
            if data:
                raise PduError("more bytes than the body has")
            return None
        body = self._body
        body += data
        if len(body) > self._length:
            raise PduError("more bytes than the body has")
        if len(body) < self._length or self._head is None:
            return None
        self.complete = True
        opcode, tid, iid = self._head
        return Request(opcode, tid, iid, bytes(body))


class ResponseReader:
    """Joins the fragments of the response to transaction `tid`, forgivingly on the control byte (HAP-BLE A.3.1)."""

    __slots__ = ("_body", "_length", "_status", "_tid", "max_fragments")

    #: A response of 65535 bytes in the smallest fragments in use (4 plain bytes, 2 of them header) is longer than any
    #: value: who sends more pieces than this never ends.
    LIMIT = 4096

    def __init__(self, tid: int) -> None:
        self._tid = tid
        self._status: int | None = None
        self._length = 0
        self._body = bytearray()
        self.max_fragments = self.LIMIT

    def feed(self, fragment: bytes) -> Response | None:
        """Take one fragment; the response when nothing is owed any more. Raises `PduError`."""
        self.max_fragments -= 1
        if self.max_fragments < 0:
            raise PduError("a response without an end")
        if self._status is None:
            if len(fragment) < _RESPONSE_HEADER:
                raise PduError(f"a response of {len(fragment)} bytes")
            self._check(fragment[1])
            if fragment[0] & _CONTINUATION:
                raise PduError("a continuation where a response begins")
            self._status = fragment[2]
            rest = fragment[_RESPONSE_HEADER:]
            if len(rest) == 1:
                raise PduError("half a length field")
            self._length = int.from_bytes(rest[:_LENGTH], "little")
            data = rest[_LENGTH:]
        else:
            if len(fragment) < _CONTINUATION_HEADER or not fragment[0] & _CONTINUATION:
                raise PduError("no continuation where a response goes on")
            self._check(fragment[1])
            data = fragment[_CONTINUATION_HEADER:]
        self._body += data
        if len(self._body) > self._length:
            raise PduError("more bytes than the body has")
        if len(self._body) < self._length:
            return None
        return Response(self._tid, self._status, bytes(self._body))

    def _check(self, tid: int) -> None:
        if tid != self._tid:
            raise PduError(f"transaction {tid} where {self._tid} is answered")
