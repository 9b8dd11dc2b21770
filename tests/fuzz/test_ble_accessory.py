"""Whatever a central does: each request is answered once, nothing is raised, and the next link works."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.ble_rig import (
    ADMIN,
    ON,
    PAIRINGS,
    PROTOCOL,
    PROTOCOL_SIGNATURE,
    SETUP,
    VERIFY,
    Refused,
    Rig,
    Unreadable,
)

from hapcore.codec import tlv8
from hapcore.codec.pdu import Request, write_request
from hapcore.pairing.pairings import encode_list

IIDS = st.sampled_from([ON, 0x59, 0x62, 0x67, 0x69, 0x31, PROTOCOL_SIGNATURE, SETUP, VERIFY, 0x24, PAIRINGS])
NUMBERS = st.sampled_from(
    [0, ON, 0x59, 0x67, 0x69, 0x30, PROTOCOL, PROTOCOL_SIGNATURE, SETUP, VERIFY, PAIRINGS, 0xFFFF]
)
MESSAGES = st.sampled_from(
    [
        bytes.fromhex("060101000100"),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32)]),
        tlv8.encode([(6, b"\3"), (5, bytes(120))]),
        tlv8.encode([(6, b"\1"), (3, b"k" * 32), (0, b"\6"), (14, b"x" * 8), (5, b"t" * 16)]),
        encode_list(),
        b"",
    ]
)
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.lists(st.tuples(st.integers(0, 12), st.binary(max_size=3)), max_size=4).map(
        lambda found: b"".join(bytes((kind, len(value))) + value for kind, value in found)
    ),
    MESSAGES.map(lambda message: tlv8.encode([(9, b"\1"), (1, message)])),
    MESSAGES.map(lambda message: tlv8.encode([(1, message)])),
)
REQUESTS = st.builds(Request, st.integers(0, 20), st.integers(0, 3), NUMBERS, BODIES)
ACTIONS = st.one_of(
    st.tuples(st.just("raw"), IIDS, st.binary(max_size=30)),
    st.tuples(st.just("ask"), IIDS, REQUESTS),
    st.tuples(st.just("send"), IIDS, REQUESTS),
    st.tuples(st.just("read"), IIDS),
    st.tuples(st.just("subscribe"), IIDS, st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 9.0, 31.0])),
    st.tuples(st.just("verify")),
    st.tuples(st.just("reconnect")),
    st.tuples(st.just("change")),
)


def act(rig, central, action):
    what, *arguments = action
    if what == "raw":
        central.write_raw(*arguments)
    elif what in ("ask", "send"):
        iid, request = arguments
        for fragment in write_request(request, central.limit - 16):
            central.write(iid, fragment)
        if what == "ask":
            central.read(iid)
    elif what == "read":
        central.read(arguments[0])
    elif what == "subscribe":
        rig.engine.receive_subscribe(central.handle(arguments[0]), arguments[1], rig.now)
        rig.pump()
        assert len(rig.replies) == 1
        rig.replies.clear()
    elif what == "wait":
        rig.wait(arguments[0])
    elif what == "verify":
        central.verify()
    elif what == "reconnect":
        central.close()
        return rig.connect(central.limit)
    else:
        rig.engine.values_changed([(1, ON)], rig.now)
        rig.pump()
    return central


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=12), st.sampled_from([36, 97, 512]), st.booleans())
def test_any_central(actions, limit, begin_secured):
    rig = Rig()
    central = rig.connect(limit)
    if begin_secured:
        central.verify()
    for action in actions:
        # Refused, or not encrypted as the central thinks: but answered, and once.
        with suppress(Refused, Unreadable):
            central = act(rig, central, action)
        assert not rig.replies
        due = rig.engine.next_timeout()
        assert due is None or due > rig.now - 1
    central.close()
    rig.clear()
    fresh = rig.connect()
    fresh.verify(ADMIN)
    assert len(fresh.get(ON)) == 1
    assert not rig.dropped


@pytest.mark.parametrize("secured", [False, True])
def test_every_first_byte(secured):
    """All control bytes, opcodes and transactions of a request without a body."""
    for place in range(3):
        for value in range(256):
            rig = _rig(secured)
            central, fragment = rig.central, bytearray(b"\0\3\7\x33\0")
            fragment[place] = value
            with suppress(Refused):
                central.write(ON, bytes(fragment))
                central.read(ON)
            assert not rig.replies
            if (place, value) == (1, 4):
                _RIGS.pop(secured)  # a timed write waits now
            elif rig.engine.serves(rig.link):
                assert central.ask(ON, 1)[0] == 0
            else:
                _RIGS.pop(secured)


_RIGS: dict[bool, Rig] = {}


def _rig(secured):
    rig = _RIGS.get(secured)
    if rig is None:
        rig = _RIGS[secured] = Rig()
        rig.central = rig.connect()
        if secured:
            rig.central.verify()
        rig.link = rig.engine._link
    return rig
