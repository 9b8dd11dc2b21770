"""One connection between a controller and an accessory, listened to: bytes go in, entries come out (HAP 4 to 9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Final

from attrs import evolve, frozen

from hapcore.codec.http import Request, Response
from hapcore.crypto.frames import frame_size
from hapcore.decode.keys import Found, KeyRing, key_of
from hapcore.decode.lane import Heard, Lane, headers_of
from hapcore.decode.model import Direction, Entry, Kind, Touched
from hapcore.decode.names import Rolodex, asked_for, values_in
from hapcore.decode.pairing import PAIRING_PATHS, read_pairing
from hapcore.decode.sealed import Unread, Unsealer
from hapcore.pairing.keylog import LoggedSession

__all__ = ["MAX_HELD", "MAX_UNANSWERED", "Conversation"]

#: Requests that may wait for their answers; controllers send one after the other.
MAX_UNANSWERED: Final = 256
#: Bytes kept until it is known whether they are encrypted, or with what.
MAX_HELD: Final = 64 * 1024
#: Characters of a body of text that are shown.
_LONGEST: Final = 20_000

_TO_ACCESSORY, _TO_CONTROLLER = Direction.TO_ACCESSORY, Direction.TO_CONTROLLER
_BOTH: Final = (_TO_ACCESSORY, _TO_CONTROLLER)


@frozen
class _Asked:
    """A request that has no answer yet."""

    number: int
    time: float
    path: str
    state: int | None
    procedure: str


class Conversation:
    """The decoder of one TCP connection, streaming: it keeps incomplete messages and what is known of the accessory.

    `name` is the connection's ("192.168.1.4:51622 > 192.168.1.9:5001"), `address` the accessory's, `keys` a key log.
    With `plain` what is fed was decrypted before, from the first byte on. `rolodex` and `numbers` (of entries) are
    shared by the connections of a capture. Nothing that a peer sent makes any call raise.
    """

    def __init__(
        self,
        name: str,
        keys: KeyRing | LoggedSession | None = None,
        *,
        address: str = "",
        plain: bool = False,
        rolodex: Rolodex | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._name = name
        self._address = address or name.partition(" > ")[2] or name
        self._ring = KeyRing([keys]) if isinstance(keys, LoggedSession) else keys or KeyRing()
        self._plain = plain
        self._rolodex = rolodex or Rolodex()
        self._numbers = numbers if numbers is not None else count()
        self._accessory = self._rolodex.accessory(self._address)
        self._lanes = {_TO_ACCESSORY: Lane(requests=True), _TO_CONTROLLER: Lane(requests=False)}
        self._unsealers: dict[Direction, Unsealer] = {}
        #: What came before it was known what it is.
        self._held: dict[Direction, bytearray] = {}
        self._asked: deque[_Asked] = deque(maxlen=MAX_UNANSWERED)
        self._public = b""
        #: Whether encryption has begun; None while the answer to pair-verify M3 is awaited.
        self._encrypted: bool | None = False
        #: Whether pair-setup asked for a session without a pairing.
        self._transient = False
        #: When pair-verify M3 was sent.
        self._proved = 0.0
        self._session: LoggedSession | None = None
        self._unreadable = False
        self._said_final: set[Direction] = set()

    @property
    def accessory(self) -> str:
        """Its device id if known, else its address."""
        return self._accessory

    # Inputs

    def open(self, time: float, how: str = "connection opened") -> Iterator[Entry]:
        """The connection was opened."""
        yield self._entry(time, Kind.OPENED, Direction.NEITHER, how)

    def skipped(self, direction: Direction, data: bytes, time: float) -> Entry:
        """Bytes before the first that can be read."""
        return self._entry(time, Kind.GAP, direction, f"{len(data)} encrypted bytes cannot be read", data=data)

    def resume(self, found: Found) -> None:
        """The connection was open, and encrypted, before anything was heard of it."""
        self._adopt(found.session)
        self._encrypted = True
        for direction in _BOTH:
            counter = found.counter if direction is found.direction else None
            self._unsealers[direction] = Unsealer(key_of(found.session, direction), counter)
            self._lanes[direction].lose()

    def join(self, *, sealed: bool, time: float) -> Iterator[Entry]:
        """The connection was open before anything was heard of it, in the clear or (`sealed`) without a key."""
        for lane in self._lanes.values():
            lane.lose()
        if sealed:
            self._encrypted = True
            yield from self._give_up(time)

    def feed(self, direction: Direction, data: bytes, time: float) -> Iterator[Entry]:
        """Bytes that went that way, in order. To be iterated to its end."""
        if self._encrypted:
            yield from self._feed_sealed(direction, data, time)
        elif self._encrypted is None and direction is _TO_ACCESSORY:
            yield from self._hold(direction, data, time)
        else:
            yield from self._hear(direction, data, time)

    def gap(self, direction: Direction, missing: int, time: float) -> Iterator[Entry]:
        """So many bytes that went that way were not captured, 0 if nobody knows how many."""
        text = f"{missing} bytes missing here" if missing else "bytes missing here"
        if self._encrypted:
            session = self._ring.named(self._public)
            if direction not in self._unsealers and not self._unreadable and session is not None:
                yield from self._begin(session, 0, time)
            unsealer = self._unsealers.get(direction)
            if unsealer is not None:
                unsealer.gap(missing)
            else:
                # Which frame comes next is not known any more, so no key can be tried on it.
                yield from self._give_up(time)
        elif self._encrypted is None and direction is _TO_ACCESSORY:
            self._held.pop(direction, None)
        cut = self._lanes[direction].lose()
        yield self._missing(direction, text, cut, time)
        if self._encrypted is None and direction is _TO_CONTROLLER and time >= self._proved:
            # It was the answer to M3: whether pair-verify succeeded is seen by what follows.
            self._asked.clear()
            yield from self._guess(time)
        elif direction is _TO_CONTROLLER:
            # An answer may be among them: what was asked before is not to be matched with a later one.
            self._asked = deque((one for one in self._asked if one.time >= time), maxlen=MAX_UNANSWERED)
        else:
            self._asked.clear()

    def close(self, time: float, how: str = "connection closed") -> Iterator[Entry]:
        """The connection ended."""
        if self._encrypted is None:
            yield from self._guess(time)
        for direction in _BOTH:
            lane, unsealer = self._lanes[direction], self._unsealers.get(direction)
            rest = len(self._held.get(direction, b"")) + (0 if unsealer is None else unsealer.waiting)
            if lane.waiting or rest:
                text = f"it ends inside a message, of which {lane.waiting + rest} bytes came"
                yield self._entry(time, Kind.NOTE, direction, text, data=lane.lose())
        yield self._entry(time, Kind.CLOSED, Direction.NEITHER, how)

    # Encryption

    def _feed_sealed(self, direction: Direction, data: bytes, time: float) -> Iterator[Entry]:
        unsealer = self._unsealers.get(direction)
        if unsealer is None:
            if self._unreadable:
                yield self._entry(time, Kind.NOTE, direction, f"{len(data)} encrypted bytes", data=data)
                return
            held = self._held.setdefault(direction, bytearray())
            held += data
            yield from self._find_keys(direction, time)
            return
        for piece in unsealer.feed(data):
            if isinstance(piece, Unread):
                if piece.final and direction in self._said_final:
                    yield self._entry(time, Kind.NOTE, direction, f"{len(piece.data)} encrypted bytes", data=piece.data)
                    continue
                text = f"{len(piece.data)} encrypted bytes cannot be read"
                if piece.final:
                    self._said_final.add(direction)
                    text += ": the frames are not found again, the rest of this direction stays closed"
                cut = self._lanes[direction].lose()
                self._asked.clear()
                yield self._entry(time, Kind.GAP, direction, text, data=cut or piece.data)
            elif piece:
                yield from self._hear(direction, piece, time)

    def _find_keys(self, direction: Direction, time: float) -> Iterator[Entry]:
        held = self._held[direction]
        size = frame_size(held)
        if size is None or size > len(held):
            return
        session = self._ring.first(bytes(held[:size]), direction, self._public) if size else None
        if session is None:
            yield from self._give_up(time)
        else:
            yield from self._begin(session, 0, time)

    def _begin(self, session: LoggedSession, counter: int | None, time: float) -> Iterator[Entry]:
        """These are the keys."""
        self._adopt(session)
        for one in _BOTH:
            self._unsealers[one] = Unsealer(key_of(session, one), counter)
        for one in _BOTH:
            if waiting := bytes(self._held.pop(one, b"")):
                yield from self._feed_sealed(one, waiting, time)

    def _adopt(self, session: LoggedSession) -> None:
        self._session = session
        if session.accessory_id:
            self._rolodex.identify(self._address, session.accessory_id)
            self._accessory = session.accessory_id

    def _give_up(self, time: float) -> Iterator[Entry]:
        if not self._unreadable:
            self._unreadable = True
            known = len(self._ring)
            why = f"none of the {known} sessions in the key log is this one" if known else "there are no keys"
            text = f"encrypted from here on; {why}, so only sizes and times are shown"
            yield self._entry(time, Kind.NOTE, Direction.NEITHER, text)
        for direction in _BOTH:
            if data := bytes(self._held.pop(direction, b"")):
                yield self._entry(time, Kind.NOTE, direction, f"{len(data)} encrypted bytes", data=data)

    def _switch(self, time: float) -> Iterator[Entry]:
        """Every byte after this is in a frame (HAP 5.2)."""
        self._encrypted = True
        for direction in _BOTH:
            rest = self._lanes[direction].release()
            if direction in self._held or rest:
                self._held[direction] = bytearray(rest) + self._held.get(direction, b"")
        waiting = {direction: bytes(self._held.pop(direction, b"")) for direction in _BOTH}
        for direction, data in waiting.items():
            if data:
                yield from self._feed_sealed(direction, data, time)

    def _hold(self, direction: Direction, data: bytes, time: float) -> Iterator[Entry]:
        """Pair-verify M3 is not answered yet: whether this is encrypted is not known."""
        held = self._held.setdefault(direction, bytearray())
        held += data
        if len(held) > MAX_HELD:
            yield from self._guess(time)

    def _guess(self, time: float) -> Iterator[Entry]:
        """The answer to pair-verify M3 was not captured: what follows tells."""
        self._encrypted = False
        held = bytes(self._held.pop(_TO_ACCESSORY, b""))
        if held and not held.startswith((b"POST /", b"GET /", b"PUT /")):
            self._held[_TO_ACCESSORY] = bytearray(held)
            yield from self._switch(time)
        elif held:
            yield from self._hear(_TO_ACCESSORY, held, time)

    # Messages

    def _hear(self, direction: Direction, data: bytes, time: float) -> Iterator[Entry]:
        lane = self._lanes[direction]
        for heard in lane.feed(data):
            encrypted = self._encrypted
            if isinstance(heard.message, Request):
                yield self._request(heard.message, heard.raw, time)
            elif isinstance(heard.message, Response):
                yield self._response(heard.message, heard.raw, time)
            elif not self._plain and not encrypted and not heard.raw.isascii() and self._may_be_sealed(heard):
                yield from self._sealed_all_along(direction, heard.raw, time)
                return
            else:
                yield self._unread(direction, heard, time)
            if self._encrypted is not encrypted:
                if self._encrypted:
                    yield from self._switch(time)
                    return
                if self._encrypted is None:
                    # What follows M3 in the same portion waits for M4.
                    if rest := lane.release():
                        yield from self._hold(direction, rest, time)
                    return
                yield from self._guess_plain(time)

    def _guess_plain(self, time: float) -> Iterator[Entry]:
        """Pair-verify was refused: what was held is plain."""
        if held := bytes(self._held.pop(_TO_ACCESSORY, b"")):
            yield from self._hear(_TO_ACCESSORY, held, time)

    def _may_be_sealed(self, heard: Heard) -> bool:
        """After a gap in the handshake, whether encryption has begun is seen by a frame."""
        size = frame_size(heard.raw)
        return bool(self._public) and bool(size) and "gap" in heard.problem

    def _sealed_all_along(self, direction: Direction, data: bytes, time: float) -> Iterator[Entry]:
        self._held[direction] = bytearray(data)
        session = self._ring.named(self._public)
        if session is not None:
            self._encrypted = True
            yield from self._begin(session, None, time)
        else:
            yield from self._switch(time)

    def _request(self, request: Request, raw: bytes, time: float) -> Entry:
        title = f"{request.method} {request.target}"
        details: tuple[tuple[str, str], ...] = headers_of(raw)
        touched: tuple[Touched, ...] = ()
        kind, state, procedure = Kind.REQUEST, None, ""
        names = self._rolodex.names(self._accessory)
        if request.path in PAIRING_PATHS:
            message = read_pairing(request.path, request.body)
            kind, title, state, procedure = Kind.PAIRING, message.title, message.state, message.procedure
            details += message.details
            if request.path == "/pair-setup" and message.state == 1:
                self._transient = message.transient
            if request.path == "/pair-verify":
                self._verify_asked(message.state, message.public, time)
        elif request.body:
            text, touched = values_in(request.body, names, answer=False)
            details += (("Body", _shortened(text)),)
        elif request.query is not None:
            touched = asked_for(request.query, names)
        entry = self._entry(time, kind, _TO_ACCESSORY, title, details=details, touched=touched, data=raw)
        self._asked.append(_Asked(entry.number, time, request.path, state, procedure))
        return entry

    def _response(self, response: Response, raw: bytes, time: float) -> Entry:
        details: tuple[tuple[str, str], ...] = headers_of(raw)
        asked = None if response.event or not self._asked else self._asked.popleft()
        touched: tuple[Touched, ...] = ()
        kind, title = Kind.RESPONSE, f"{response.status} {response.reason}".rstrip()
        if response.event:
            kind, title = Kind.EVENT, "event" if response.status == 200 else f"event {title}"
        content = response.headers.get("content-type", "")
        path = "" if asked is None else asked.path
        if "tlv8" in content or (path in PAIRING_PATHS and response.status == 200):
            message = read_pairing(path, response.body)
            # Where the question is missing, an M4 without proof is pair-verify's.
            lost = asked is None and message.state == 4 and not message.proof and bool(self._public)
            if lost or (asked is not None and asked.procedure):
                procedure = asked.procedure if asked is not None else "pair-verify"
                message = evolve(message, procedure=procedure)
            kind, title = Kind.PAIRING, message.title if response.status == 200 else f"{message.title}: {title}"
            details += message.details
            accepted = response.status == 200 and message.error is None and message.state in (4, None)
            verify = path == "/pair-verify" and asked is not None and asked.state == 3
            if not self._plain and self._encrypted is not True:
                if accepted and (verify or lost):
                    self._encrypted = True
                elif accepted and path == "/pair-setup" and message.proof and self._transient:
                    # A session without a pairing (HAP 4.6): its keys have no name.
                    self._encrypted, self._public = True, b""
                elif verify and self._encrypted is None:
                    self._encrypted = False
        elif path == "/pair-verify" and self._encrypted is None:
            self._encrypted = False
        if kind is not Kind.PAIRING and response.body:
            if "json" in content or response.body[:1] in (b"{", b"["):
                names = self._rolodex.names(self._accessory)
                text, touched = values_in(response.body, names, answer=True)
                details += (("Body", _shortened(text)),)
            else:
                details += (("Body", f"<{len(response.body)} bytes>"),)
        return self._entry(
            time,
            kind,
            _TO_CONTROLLER,
            title,
            details=details,
            touched=touched,
            data=raw,
            took=None if asked is None else max(0.0, time - asked.time),
            answers=None if asked is None else asked.number,
        )

    def _verify_asked(self, state: int | None, public: bytes, time: float) -> None:
        if self._plain or self._encrypted:
            return
        if state == 1:
            self._public = public
            session = self._ring.named(public)
            if session is not None:
                self._adopt(session)
        elif state == 3:
            self._encrypted, self._proved = None, time

    # Entries

    def _unread(self, direction: Direction, heard: Heard, time: float) -> Entry:
        text = f"{len(heard.raw)} bytes cannot be read: {heard.problem}"
        return self._entry(time, Kind.GAP if "gap" in heard.problem else Kind.NOTE, direction, text, data=heard.raw)

    def _missing(self, direction: Direction, text: str, cut: bytes, time: float) -> Entry:
        if cut:
            text += f", in a message of which {len(cut)} bytes came before"
        return self._entry(time, Kind.GAP, direction, text, data=cut)

    def _entry(
        self,
        time: float,
        kind: Kind,
        direction: Direction,
        title: str,
        *,
        details: tuple[tuple[str, str], ...] = (),
        touched: tuple[Touched, ...] = (),
        data: bytes = b"",
        took: float | None = None,
        answers: int | None = None,
    ) -> Entry:
        return Entry(
            number=next(self._numbers),
            time=time,
            connection=self._name,
            accessory=self._accessory,
            kind=kind,
            direction=direction,
            title=title,
            took=took,
            details=details,
            touched=touched,
            data=data,
            answers=answers,
        )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"
