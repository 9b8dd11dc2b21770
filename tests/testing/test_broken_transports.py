"""The conformance suites catch every damage of the catalogue, at either end, and say what it is."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

import hap_asyncio.testing
import hap_sync.testing
import hap_trio.testing
from hapcore.testing import CHECKS, Damage, Link, TransportFault, Weather

#: The check that finds it, and words of the explanation.
FOUND = {
    Damage.DROPS_BYTE: ("bytes", "1 byte(s) are missing from byte 184 of 368 on"),
    Damage.REPEATS: ("bytes", "20 byte(s) too many arrived"),
    Damage.REORDERS: ("bytes", "bytes 184 and following arrived before bytes 0 to 183"),
    Damage.SWAPS_WRITES: ("order", "bytes 37 to 37 arrived before bytes 7 to 36"),
    Damage.FLIPS_BIT: ("bytes", "byte 184 of 368 was changed from 0x88 to 0x98"),
    Damage.TRANSLATES_NEWLINES: ("bytes", "1 byte(s) that were not sent stand before"),
    Damage.SEVEN_BITS: ("bytes", "0x97 was sent, 0x17 came"),
    Damage.WRITES_HALF: ("much", "8192 byte(s) are missing"),
    Damage.HOLDS_BACK: ("hello", "nothing more came after 0 of 1 bytes"),
    Damage.TRUNCATES_AT_CLOSE: ("last words", "the end was reported after 49980 of 50000 bytes"),
    Damage.NEVER_CLOSES: ("last words", "a reader still waits although the connection was closed"),
    Damage.SWALLOWS_END: ("last words", "a reader still waits although the connection was closed"),
    Damage.ENDS_EARLY: ("", "the end was reported after"),
    Damage.GOES_ON_AFTER_END: ("last words", "4 byte(s) too many arrived"),
    Damage.RETURNS_TOO_MUCH: ("sizes", "reading returned 3 bytes where 1 were asked for"),
    Damage.RETURNS_TEXT: ("hello", "reading returned str, not bytes"),
    Damage.HALF_DUPLEX: ("waiting", "nothing more came after 0 of 300 bytes"),
    Damage.RAISES_ITS_OWN: ("gone", "writing raised LookupError('no such wire'), where"),
    Damage.LEAVES_READER_WAITING: ("own close", "a reader still waits"),
}
EVERY = pytest.mark.parametrize("damage", Damage, ids=lambda damage: damage.name.lower())
AT = pytest.mark.parametrize("damaged", [(0,), (1,), (0, 1)], ids=["near", "far", "both"])


def _explained(damage: Damage, fault: TransportFault) -> None:
    check, words = FOUND[damage]
    assert words in str(fault)
    assert fault.check.startswith(check)
    assert "The rule: " in str(fault)


@EVERY
@AT
async def test_trio_catches(damage, damaged, autojump_clock):
    async def make() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        ends: list[trio.abc.Stream] = list(trio.testing.memory_stream_pair())
        for end in damaged:
            ends[end] = hap_trio.testing.DamagedStream(ends[end], damage)
        return ends[0], ends[1]

    with pytest.raises(TransportFault) as caught:
        await hap_trio.testing.check_transport(make)
    _explained(damage, caught.value)


@EVERY
@AT
def test_asyncio_catches(damage, damaged):
    if damage is Damage.LEAVES_READER_WAITING:
        return  # hap_asyncio cancels its reader: nothing depends on it

    async def make():
        ends = list(hap_asyncio.testing.memory_streams())
        for end in damaged:
            ends[end] = hap_asyncio.testing.damaged(*ends[end], damage)
        return ends[0], ends[1]

    with pytest.raises(TransportFault) as caught:
        hap_asyncio.testing.run(hap_asyncio.testing.check_transport(make))
    _explained(damage, caught.value)


@EVERY
@AT
def test_sync_catches(damage, damaged):
    if damage in (Damage.LEAVES_READER_WAITING, Damage.HALF_DUPLEX):
        return  # hap_sync uses a transport from one thread: it never does two things at a time
    clock = hap_sync.testing.VirtualClock()

    def make():
        ends = list(hap_sync.testing.memory_transports(clock=clock))
        for end in damaged:
            ends[end] = hap_sync.testing.DamagedTransport(ends[end], damage)
        return ends[0], ends[1]

    with pytest.raises(TransportFault) as caught:
        hap_sync.testing.check_transport(make, clock=clock)
    _explained(damage, caught.value)


@pytest.mark.parametrize("damage", [Damage.DROPS_BYTE, Damage.SWALLOWS_END], ids=lambda damage: damage.name.lower())
def test_sync_catches_over_sockets(damage):
    def make():
        near, far = socket.socketpair()
        return hap_sync.testing.DamagedTransport(near, damage), far

    with pytest.raises(TransportFault) as caught:
        hap_sync.testing.check_transport(make, limit=0.5)
    _explained(damage, caught.value)


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("soon", Damage.DROPS_BYTE, "1 byte(s) are missing"),
        ("both ways", Damage.HALF_DUPLEX, "nothing more came after"),
        ("end", Damage.SWALLOWS_END, "a reader still waits"),
        ("session", Damage.FLIPS_BIT, "was changed from"),
    ],
)
async def test_what_others_would_find_first(name, damage, words, monkeypatch, autojump_clock):
    monkeypatch.setattr(hap_trio.testing.suite, "CHECKS", [one for one in CHECKS if one.name == name])

    async def make() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        near, far = hap_trio.testing.memory_streams(Weather(room=1000))
        return hap_trio.testing.DamagedStream(near, damage), hap_trio.testing.DamagedStream(far, damage)

    with pytest.raises(TransportFault, match=rf"^{name}: ") as caught:
        await hap_trio.testing.check_transport(make)
    assert words in str(caught.value)


async def test_closing_twice(autojump_clock):
    class Once(hap_trio.testing.MemoryStream):
        async def aclose(self) -> None:
            self._check_open()
            await super().aclose()

    async def make() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        near, far = Link().ends
        return Once(near), hap_trio.testing.MemoryStream(far)

    with pytest.raises(TransportFault, match=r"^twice: closing raised ClosedResourceError"):
        await hap_trio.testing.check_transport(make)
