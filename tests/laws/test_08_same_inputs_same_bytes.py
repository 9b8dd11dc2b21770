"""Law 8: same inputs, same bytes; and however the input is cut, the same outputs."""

from __future__ import annotations

from itertools import pairwise

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.accessory_rig import TLV8, Rig

from hapcore.engine import Output, SendBytes
from hapcore.errors import HapError
from hapcore.ip.accessory import UpdateValues
from hapcore.pairing.pairings import encode_list


def session(rig: Rig) -> list:
    """A whole life: pairing, verifying, reading, writing, events, the list of pairings, garbage at the end."""
    line = rig.line()
    pairing = line.pair()
    line.verify(pairing)
    line.ask("GET", "/accessories")
    line.get("1.10", "1.11", "9.9", meta=1)
    line.put({"aid": 1, "iid": 10, "value": True}, {"aid": 1, "iid": 11, "ev": True})
    rig.submit(UpdateValues({(1, 11): 77}))
    line.messages.clear()
    line.ask("POST", "/pairings", encode_list(), TLV8)
    line.ask("PUT", "/prepare", {"ttl": 1000, "pid": 5})
    line.put({"aid": 1, "iid": 13, "value": True}, pid=5)
    # A good frame and a bad one right behind it: the good one counts, however they are cut.
    rig.feed(line, line.sealer.seal(b"GET /characteristics?id=1.11 HTTP/1.1\r\n\r\n") + b"\xff\xff")
    assert line.take().status == 200
    assert line.closed
    return [comparable(one) for one in rig.outputs]


def comparable(output: Output) -> Output:
    """Errors are equal when they say the same."""
    for name in ("error", "reason"):
        if isinstance(error := getattr(output, name, None), HapError):
            output = evolve(output, **{name: (type(error), str(error))})
    return output


WHOLE = session(Rig())


def joined(outputs: list) -> list:
    """Outputs with the bytes of neighbouring sends put together: how a stream is cut carries no meaning."""
    result: list = []
    for one in outputs:
        last = result[-1] if result else None
        if isinstance(one, SendBytes) and isinstance(last, SendBytes) and last.connection == one.connection:
            result[-1] = SendBytes(one.connection, last.data + one.data)
        else:
            result.append(one)
    return result


def test_twice_the_same() -> None:
    assert session(Rig()) == WHOLE


def test_byte_by_byte() -> None:
    assert joined(session(Rig(cut=lambda data: [data[i : i + 1] for i in range(len(data))]))) == joined(WHOLE)


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 600), max_size=12))
def test_any_chunking(cuts: list[int]) -> None:
    def cut(data: bytes) -> list[bytes]:
        points = sorted({0, len(data), *(point for point in cuts if point < len(data))})
        return [data[start:end] for start, end in pairwise(points)]

    assert joined(session(Rig(cut=cut))) == joined(WHOLE)


def test_other_entropy_gives_other_bytes() -> None:
    assert session(Rig(seed="other")) != WHOLE
