"""Law 6: whatever arrives, an engine answers, reports or closes; it does not raise, and the others do not notice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.accessory_rig import Draws, Rig

from hapcore.engine import CloseConnection, SendBytes
from hapcore.ip.controller import Connection, StartPairSetup

METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "EVENT/1.0", ""])
PATHS = st.sampled_from(
    [
        "/pair-setup",
        "/pair-verify",
        "/pairings",
        "/accessories",
        "/characteristics",
        "/prepare",
        "/resource",
        "/identify",
        "/",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["characteristics", "aid", "iid", "value", "ev", "pid", "ttl", "r"]), inner)
    ),
    max_leaves=12,
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something that looks like a request, more or less."""
    import json

    body = draw(st.binary(max_size=60) | JSON.map(lambda tree: json.dumps(tree).encode()))
    length = draw(st.sampled_from([len(body), len(body), len(body), len(body) + 1, -1]))
    query = draw(st.sampled_from(["", "?id=1.10", "?id=1.10&ev=1", "?id=", "?x", "?id=1.10,9.9"]))
    head = f"{draw(METHODS)} {draw(PATHS)}{query} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


INPUT = st.lists(st.binary(max_size=80) | requests(), max_size=6)


@settings(max_examples=150, deadline=None)
@given(data=INPUT, secured=st.booleans(), sealed=st.booleans())
def test_accessory(data: list[bytes], secured: bool, sealed: bool) -> None:
    rig = Rig()
    witness = rig.session(seed="witness")
    line = rig.session() if secured else rig.line()
    for piece in data:
        if not line.closed:
            line.send(piece) if sealed else rig.feed(line, piece)
    rig.pass_time(20)
    rig.server.receive_eof(line.connection, rig.now)
    rig.drain()
    assert line.closed
    witness.messages.clear()
    assert witness.get("1.11").status == 200


@settings(max_examples=150, deadline=None)
@given(
    data=st.lists(
        st.binary(max_size=80)
        | st.sampled_from(
            [
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: application/pairing+tlv8\r\n\r\n\x06\x01\x02",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
                b"EVENT/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                b"HTTP/1.1 470 \r\n\r\n",
            ]
        ),
        max_size=6,
    )
)
def test_controller(data: list[bytes]) -> None:
    engine = Connection("127.0.0.1", entropy=Draws())
    commands = [engine.submit(StartPairSetup(), 0.0)]
    for piece in data:
        engine.receive_data(piece, 0.0)
    engine.handle_timeout(1000.0)
    engine.receive_eof(1000.0)
    outputs = []
    while (output := engine.poll()) is not None:
        outputs.append(output)
    assert sum(isinstance(one, CloseConnection) for one in outputs) == 1
    assert sum(getattr(one, "command", None) == commands[0] for one in outputs) == 1
    assert any(isinstance(one, SendBytes) for one in outputs)
