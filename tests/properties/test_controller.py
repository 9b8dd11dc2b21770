"""Whatever an accessory sends, however it is cut: no exception, one end for each command, the same outputs."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.controller_peer import DATABASE, JSON, PAIRING, TLV, Accessory, Link, answer, entropy, event, verified

from hapcore.codec.json import read_tolerant
from hapcore.engine import CloseConnection, Done, Failed, Output, SendBytes
from hapcore.errors import HapError
from hapcore.ip.controller import (
    CharacteristicWrite,
    Close,
    Connection,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    SessionClosed,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.model.remote import read_accessories
from hapcore.setup_code import SetupCode

KNOWN = read_accessories(read_tolerant(DATABASE))
COMMANDS: list[Any] = [
    Read([(1, 9), (1, 13)]),
    Read([(1, 9)], meta=True, ev=True),
    Write([CharacteristicWrite((1, 9), True)]),
    Write([CharacteristicWrite((1, 12), True)]),
    Subscribe([(1, 9), (2, 9)]),
    GetAccessories(),
    ListPairings(),
    Identify(),
    Identify(aid=2),
]

# Bodies that look like what an accessory says, and are not quite.
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=4), st.sampled_from([1, 2, 9])
)
keys = st.sampled_from(["aid", "iid", "value", "status", "characteristics", "accessories", "services", "type", "perms"])
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)
entries = st.fixed_dictionaries(
    {}, optional={"aid": scalars, "iid": scalars, "value": trees, "status": scalars, "ev": scalars}
)
objects = st.one_of(trees, st.fixed_dictionaries({"characteristics": st.lists(entries | trees, max_size=4)}))
bodies = st.one_of(objects.map(lambda one: json.dumps(one).encode("utf-8", "replace")), st.binary(max_size=30))
statuses = st.sampled_from([200, 204, 207, 400, 404, 429, 470, 500, 100, 999])
types = st.sampled_from([JSON, TLV, "text/plain"])
messages = st.one_of(
    st.builds(answer, statuses, bodies, types),
    st.builds(event, bodies),
    st.binary(max_size=40),
    st.sampled_from([answer(204), answer(200, DATABASE), event(b""), b"HTTP/1.1 200\r\n\r\n"]),
)


def collect(engine: Connection) -> list[Output]:
    outputs: list[Output] = []
    while (output := engine.poll()) is not None:
        outputs.append(output)
    return outputs


def assert_ended(outputs: list[Output], numbers: list[int]) -> None:
    """Each command has one reply, the connection one end, and nothing comes after it."""
    replies = [one.command for one in outputs if isinstance(one, Done | Failed)]
    assert sorted(replies) == sorted(numbers)
    assert all(isinstance(one.error, HapError) for one in outputs if isinstance(one, Failed))
    assert sum(isinstance(one, SessionClosed) for one in outputs) == 1
    assert sum(isinstance(one, CloseConnection) for one in outputs) == 1


def finish(link: Link, numbers: list[int], how: str) -> None:
    """End the connection one way or another, twice."""
    for _ in range(2):
        if how == "eof":
            link.engine.receive_eof(link.now)
        elif how == "timeout" and (due := link.engine.next_timeout()) is not None:
            link.engine.handle_timeout(due)
        else:
            numbers.append(link.engine.submit(Close(), link.now))
        link.pump()
    link.engine.receive_data(b"late", link.now)
    numbers.append(link.do(Read([(1, 9)])))
    assert_ended(link.outputs, numbers)


ends = st.sampled_from(["eof", "timeout", "close"])


@given(st.lists(st.sampled_from(COMMANDS), max_size=4), st.lists(messages, max_size=6), st.booleans(), ends)
@settings(max_examples=200, deadline=None)
def test_anything_in_a_session(commands: list[Any], said: list[bytes], known: bool, how: str) -> None:
    link = verified(database=KNOWN if known else ())
    numbers: list[int] = [link.do(command) for command in commands]
    for message in said:
        link.say(message)
    finish(link, numbers, how)


@given(st.sampled_from(COMMANDS), st.binary(max_size=80), st.integers(0, 3), ends)
@settings(max_examples=100, deadline=None)
def test_anything_instead_of_frames(command: Any, garbage: bytes, good: int, how: str) -> None:
    link = verified()
    numbers: list[int] = [link.do(command)]
    frames = b"".join(link.accessory.sealed(event(b"{}")) for _ in range(good))
    link.feed(frames + garbage)
    finish(link, numbers, how)


tlvs = st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]), st.binary(max_size=255)), max_size=5).map(
    lambda items: b"".join(bytes((kind, len(value))) + value for kind, value in items)
)


@given(st.booleans(), st.lists(st.builds(answer, statuses, tlvs | bodies, types) | messages, max_size=4), ends)
@settings(max_examples=200, deadline=None)
def test_anything_before_a_session(setup: bool, said: list[bytes], how: str) -> None:
    link = Link(Connection("192.0.2.7", entropy=entropy), Accessory())
    link.accessory.receive = lambda _: b""  # type: ignore[method-assign]
    if setup:
        ahead: list[Any] = [StartPairSetup(), FinishPairSetup(SetupCode("031-45-154")), VerifyPairing(PAIRING)]
    else:
        ahead = [Identify(), VerifyPairing(PAIRING), Read([(1, 9)])]
    numbers: list[int] = [link.do(command) for command in ahead]
    for message in said:
        link.feed(message)
    finish(link, numbers, how)


@given(
    st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=4),
    st.lists(messages, max_size=6),
    st.lists(st.integers(1, 40), max_size=60),
    st.integers(0, 60),
)
@settings(max_examples=150, deadline=None)
def test_any_cutting_same_outputs(commands: list[Any], said: list[bytes], cuts: list[int], dropped: int) -> None:
    def run(portions: list[int]) -> list[Output]:
        link = verified(database=KNOWN)
        for command in commands:
            link.engine.submit(command, 1.0)
        outputs: list[Output] = []
        stream = b"".join([link.accessory.sealed(message) for message in said])
        stream = stream[: max(0, len(stream) - dropped)]
        position = 0
        for size in [*portions, len(stream)]:
            link.engine.receive_data(stream[position : position + size], 1.0)
            outputs += collect(link.engine)
            position += size
        link.engine.receive_eof(2.0)
        return outputs + collect(link.engine)

    def shown(outputs: list[Output]) -> list[str]:
        # Errors compare by identity, so by their text here; what is sent is compared byte for byte.
        return [repr(one.data) if isinstance(one, SendBytes) else repr(one) for one in outputs]

    assert shown(run(cuts)) == shown(run([]))
