"""Accessories that are watched over and answer with nonsense: nothing is raised, and all is well when they come to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.supervision_rig import house
from tests.core.test_supervision_day import RECOVERY, check

from hapcore.home import Unavailable
from hapcore.testing.chance import Dice


def answer(status: str, body: bytes, kind: str = "application/hap+json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


NONSENSE = [
    answer("200 OK", b"<html>It works!</html>", "text/html"),
    answer("200 OK", b""),
    answer("200 OK", b'{"characteristics":[{"aid":1,'),
    answer("200 OK", b'{"characteristics":[{"aid":7,"iid":9,"value":1},{"aid":1,"iid":"x"},null]}'),
    answer("200 OK", b'{"accessories":[]}'),
    answer("200 OK", b'{"accessories":[{"aid":1,"services":[]}]}'),
    answer("207 Multi-Status", b'{"characteristics":[{"aid":1,"iid":9,"status":-70402}]}'),
    answer("500 Internal Server Error", b""),
    answer("503 Service Unavailable", b'{"status":-70403}'),
    answer("470 Connection Authorization Required", b""),
    answer("422 Unprocessable Entity", b'{"status":-70410}'),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"EVENT/1.0 200 OK\r\nContent-Length: 3\r\n\r\n{]}",
    b"SIP/2.0 100 Trying\r\n\r\n",
    b"\x00" * 40,
]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_nonsense(seed: int) -> None:
    rig, (lamp, other) = house(2, seed=str(seed))
    dice = Dice(seed)

    def spoil(message: bytes) -> bytes:
        if dice.roll() < 0.6:
            return message
        return NONSENSE[dice.up_to(len(NONSENSE)) - 1] + (message if dice.roll() < 0.3 else b"")

    lamp.spoil = spoil
    rig.supervise(poll=5.0)
    for _ in range(40):
        rig.update(lamp, {lamp.light.on.id: dice.roll() < 0.5, lamp.light.brightness.id: dice.up_to(100)})
        rig.pass_time(dice.between(0, 30))
    assert rig.states(other) == [True]
    assert len(rig.connects) < 400
    lamp.spoil = lambda message: message
    rig.pass_time(RECOVERY)
    rig.update(lamp, {lamp.light.on.id: True, lamp.light.brightness.id: 77})
    rig.pass_time(RECOVERY)
    check(rig)


def test_each_kind_of_nonsense_for_good() -> None:
    for nonsense in NONSENSE:
        rig, (lamp,) = house()
        lamp.spoil = lambda _, nonsense=nonsense: nonsense  # type: ignore[misc]
        rig.supervise(poll=10.0)
        rig.pass_time(600)
        # It is left in peace, and somebody is told why it cannot be used, or it can be.
        assert rig.sent[lamp.alias] < 400, nonsense
        assert rig.items(lamp), nonsense
        lamp.spoil = lambda message: message
        rig.announce(lamp)
        rig.pass_time(RECOVERY)
        rig.restart(lamp)
        rig.pass_time(RECOVERY)
        assert rig.available(lamp), nonsense
        assert not any(isinstance(item, Unavailable) and not str(item.reason) for item in rig.items(lamp))
