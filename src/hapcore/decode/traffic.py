"""A capture: packets go in, the conversations of HAP among them come out, decoded as they go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Final

from hapcore.crypto.frames import frame_size
from hapcore.decode.conversation import Conversation
from hapcore.decode.keys import Found, KeyRing
from hapcore.decode.model import Direction, Entry
from hapcore.decode.names import Rolodex
from hapcore.decode.packets import ACK, FIN, LINKS, RST, SYN, End, Segment, describe_end, read_packet
from hapcore.decode.sealed import frames_fit
from hapcore.decode.tcp import Assembler, Stretch

__all__ = ["MAX_CONNECTIONS", "MAX_OTHERS", "Traffic"]

#: Connections followed at once; of more, the one that was silent longest is given up. Accessories serve 8 to 16 each.
MAX_CONNECTIONS: Final = 512
#: Connections of other protocols that are remembered, so that each is looked at once.
MAX_OTHERS: Final = 65_536
#: What is kept of a connection until it is known whether it is one of HAP.
_MAX_PENDING: Final = 64
_MAX_PENDING_SIZE: Final = 64 * 1024
#: Portions on which keys are tried where a capture begins in the middle, and how many must look like frames without.
_TRIES: Final = 4

_PATHS: Final = rb"(?:pair-setup|pair-verify|pairings|identify|accessories|characteristics|prepare|resource|secure-)"
_REQUEST: Final = re.compile(rb"(?:GET|PUT|POST) /" + _PATHS)
#: The longest beginning of a request that does not tell yet.
_REQUEST_START: Final = len(b"POST /characteristics")
_METHODS: Final = (b"GET /", b"PUT /", b"POST /")

_Key = tuple[End, End]


class _Flow:
    """A connection between two ends."""

    __slots__ = (
        "conversation",
        "ends",
        "last",
        "midway",
        "opened",
        "pending",
        "pending_size",
        "seen",
        "sides",
        "starter",
        "tried",
    )

    def __init__(self, ends: _Key, time: float) -> None:
        self.ends = ends
        self.sides = Assembler(), Assembler()
        #: The end that opened the connection, 0 or 1; None where that was not captured.
        self.starter: int | None = None
        #: Whether its opening was captured; and whether the first message may be missing all the same.
        self.seen = False
        self.midway = True
        self.opened = self.last = time
        self.conversation: Conversation | None = None
        self.pending: list[tuple[int, Stretch]] = []
        self.pending_size = 0
        self.tried = 0


class Traffic:
    """Decodes the HAP connections in a capture; everything else is passed over.

    Memory is bounded by the named limits of this package, however long the capture. Nothing in it makes a call raise.
    """

    def __init__(self, keys: KeyRing | None = None) -> None:
        self._keys = keys or KeyRing()
        self._rolodex = Rolodex()
        self._numbers = count()
        self._flows: dict[_Key, _Flow] = {}
        self._others: dict[_Key, None] = {}
        self._time = 0.0
        #: Packets so far, those of them with TCP, and connections of HAP.
        self.packets = self.segments = self.connections = 0
        #: Link types in the capture that are not understood, with the number of their packets.
        self.unknown_links: dict[int, int] = {}

    def feed(self, link: int, packet: bytes, time: float) -> Iterator[Entry]:
        """One packet of that link type, captured at `time`. To be iterated to its end."""
        self.packets += 1
        self._time = time
        if link not in LINKS:
            self.unknown_links[link] = self.unknown_links.get(link, 0) + 1
            return
        segment = read_packet(link, packet)
        if segment is None:
            return
        self.segments += 1
        source, target = segment.source, segment.target
        way = 0 if source <= target else 1
        key = (source, target) if way == 0 else (target, source)
        flow = self._flows.get(key)
        opening = segment.flags & (SYN | ACK) == SYN
        if flow is None and not (segment.data or segment.flags & SYN):
            return  # the last confirmation of one that is over, mostly
        if flow is not None and opening and not flow.sides[way].started_with(segment.sequence):
            # The same ports again.
            yield from self._finish(flow, time, "connection closed, its end was not captured")
            flow = None
        if flow is None:
            if key in self._others:
                if not opening:
                    return
                del self._others[key]
            flow = _Flow(key, time)
            self._flows[key] = flow
            if len(self._flows) > MAX_CONNECTIONS:
                yield from self._make_room()
        flow.last = time
        yield from self._advance(flow, way, segment, time)

    def close(self) -> Iterator[Entry]:
        """The capture ends."""
        for flow in list(self._flows.values()):
            over = flow.sides[0].ending and flow.sides[1].ending
            yield from self._finish(flow, self._time, "connection closed" if over else "the capture ends")

    def _make_room(self) -> Iterator[Entry]:
        oldest = min(self._flows.values(), key=lambda one: (one.conversation is not None, one.last))
        yield from self._finish(oldest, self._time, "not followed any more: too many connections at once")

    def _advance(self, flow: _Flow, way: int, segment: Segment, time: float) -> Iterator[Entry]:
        side, other = flow.sides[way], flow.sides[1 - way]
        flags, data, sequence = segment.flags, segment.data, segment.sequence
        if flags & SYN:
            side.start(sequence)
            sequence += 1
            if flow.conversation is None and not flow.pending:
                flow.starter = 1 - way if flags & ACK else way
                flow.midway, flow.seen = False, True
        if flags & ACK:
            other.confirm(segment.acknowledged, time)
            for stretch in other.go_on(time):
                yield from self._take(flow, 1 - way, stretch)
        if data or flags & FIN:
            for stretch in side.put(sequence, data, time, end=bool(flags & FIN)):
                yield from self._take(flow, way, stretch)
        if flow.ends not in self._flows:
            return
        if flags & RST:
            yield from self._finish(flow, time, "connection reset")
        elif flow.sides[0].ended and flow.sides[1].ended:
            yield from self._finish(flow, time, "connection closed")

    def _finish(self, flow: _Flow, time: float, how: str) -> Iterator[Entry]:
        for way in (0, 1):
            for stretch in flow.sides[way].finish(time):
                yield from self._take(flow, way, stretch)
        if self._flows.pop(flow.ends, None) is not None and flow.conversation is not None:
            yield from flow.conversation.close(time, how)

    # Is it HAP?

    def _take(self, flow: _Flow, way: int, stretch: Stretch) -> Iterator[Entry]:
        if flow.ends not in self._flows:
            return
        if flow.conversation is not None:
            yield from self._tell(flow, flow.conversation, way, stretch)
            return
        flow.pending.append((way, stretch))
        flow.pending_size += len(stretch.data)
        if stretch.missing:
            flow.midway = True
            return
        if flow.starter is not None and way != flow.starter and flow.sides[flow.starter].behind:
            flow.midway = True  # what was said first was not captured, or not yet
        if flow.midway:
            yield from self._judge_midway(flow, way, stretch)
        else:
            yield from self._judge(flow, way)
        if len(flow.pending) > _MAX_PENDING or (flow.pending and flow.pending_size > _MAX_PENDING_SIZE):
            self._ignore(flow)

    def _judge(self, flow: _Flow, way: int) -> Iterator[Entry]:
        if way != flow.starter:
            self._ignore(flow)  # in HAP the controller speaks first
            return
        start = b"".join(stretch.data for _, stretch in flow.pending)[:_REQUEST_START]
        if _REQUEST.match(start):
            yield from self._begin(flow, way)
        elif len(start) >= _REQUEST_START or not any(start.startswith(one[: len(start)]) for one in _METHODS):
            self._ignore(flow)

    def _judge_midway(self, flow: _Flow, way: int, stretch: Stretch) -> Iterator[Entry]:
        data = stretch.data
        if _REQUEST.match(data):
            yield from self._begin(flow, way)
        elif data.startswith(b"EVENT/1."):
            yield from self._begin(flow, 1 - way)
        elif not data.startswith(b"HTTP/1."):
            size = frame_size(data)
            if not size or size > len(data) or flow.tried > _TRIES:
                return
            flow.tried += 1
            found = self._keys.any(data[:size])
            if found is not None:
                controller = way if found.direction is Direction.TO_ACCESSORY else 1 - way
                yield from self._begin(flow, controller, found=found)
            elif sum(frames_fit(one.data) for _, one in flow.pending) >= _TRIES:
                yield from self._begin(flow, flow.pending[0][0] if flow.starter is None else flow.starter, sealed=True)

    def _ignore(self, flow: _Flow) -> None:
        if self._flows.pop(flow.ends, None) is None:
            return
        self._others[flow.ends] = None
        if len(self._others) > MAX_OTHERS:
            del self._others[next(iter(self._others))]

    def _begin(
        self, flow: _Flow, controller: int, *, found: Found | None = None, sealed: bool = False
    ) -> Iterator[Entry]:
        self.connections += 1
        flow.starter = controller
        names = [describe_end(flow.ends[controller]), describe_end(flow.ends[1 - controller])]
        conversation = Conversation(
            " > ".join(names), self._keys, address=names[1], rolodex=self._rolodex, numbers=self._numbers
        )
        flow.conversation = conversation
        pending, flow.pending = flow.pending, []
        how = "connection opened" if flow.seen else "the capture begins in the middle of this connection"
        yield from conversation.open(flow.opened, how)
        if flow.midway:
            if found is None:
                yield from conversation.join(sealed=sealed, time=flow.opened)
            else:
                # What came before this frame could not be opened.
                for way, stretch in pending[:-1]:
                    yield conversation.skipped(self._direction(flow, way), stretch.data, stretch.time)
                conversation.resume(found)
                pending = pending[-1:]
        for way, stretch in pending:
            yield from self._tell(flow, conversation, way, stretch)

    def _tell(self, flow: _Flow, conversation: Conversation, way: int, stretch: Stretch) -> Iterator[Entry]:
        direction = self._direction(flow, way)
        if stretch.missing:
            yield from conversation.gap(direction, stretch.missing, stretch.time)
        else:
            yield from conversation.feed(direction, stretch.data, stretch.time)

    def _direction(self, flow: _Flow, way: int) -> Direction:
        return Direction.TO_ACCESSORY if way == flow.starter else Direction.TO_CONTROLLER
