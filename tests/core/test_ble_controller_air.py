"""What is in the air may be anybody's, and the radio may be gone: neither costs more than it must."""

from __future__ import annotations

import pytest
from attrs import evolve
from tests.core.ble_device import ADDRESS, PAIRING, Air, paired
from tests.core.pairing_kit import ACCESSORY, Draws

from hapcore.ble.advert import RegularAdvert
from hapcore.ble.controller import Advertisement, GattConnect, GattRead, GattReadDescriptor, GattWrite, Link, Peer, Scan
from hapcore.ble.controller.line import RADIO_PAUSE
from hapcore.codec.pdu import Opcode
from hapcore.controller.commands import CharacteristicWrite, Close, Read, Subscribe, Write
from hapcore.controller.events import CharacteristicChanged
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.errors import EffectFailed

ON = (1, 0x33)


def changes(air: Air) -> list[object]:
    return [one.value for one in air.events(CharacteristicChanged)]


def listening() -> Air:
    """Subscribed, the link gone because there was nothing to do."""
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    assert air.engine.link is Link.IDLE
    return air


def refuse(air: Air, scan: Scan) -> list[Scan]:
    """The radio does not scan: what is asked of it then, at once."""
    air.engine.effect_failed(scan, "switched off", air.time)
    found = []
    while (output := air.engine.poll()) is not None:
        air.outputs.append(output)
        if isinstance(output, Scan):
            found.append(output)
    return found


def test_a_radio_that_refuses_to_listen_is_left_alone_for_a_while():
    air = listening()
    assert refuse(air, Scan(True)) == []
    assert air.engine.next_timeout() == air.time + RADIO_PAUSE
    for _ in range(2):
        air.time += RADIO_PAUSE
        air.engine.handle_timeout(air.time)
        assert air.engine.poll() == Scan(True)
        assert refuse(air, Scan(True)) == []


def test_a_command_asks_a_radio_that_refused_again_at_once_and_closing_forgets_it():
    air = listening()
    refuse(air, Scan(True))
    air.time += 20
    number = air.engine.submit(Read([ON]), air.time)
    assert air.engine.poll() == Scan(True)
    assert refuse(air, Scan(True)) == []
    assert isinstance(air.wait(number), EffectFailed)
    assert air.engine.next_timeout() is not None
    air.engine.submit(Close(), air.time)
    air.pump()
    assert air.engine.next_timeout() is None


def test_a_radio_that_listens_again_is_no_longer_asked():
    air = listening()
    refuse(air, Scan(True))
    air.time += RADIO_PAUSE
    air.engine.handle_timeout(air.time)
    air.pump()
    air.say(air.device.advert())
    assert air.engine.next_timeout() is None


def said(air: Air, *packets: bytes) -> None:
    """Packets in quick succession, from an address like the accessory's."""
    for packet in packets:
        air.engine.receive_advertisement(Advertisement(ADDRESS, packet), air.time)
    air.pump()


def regular(air: Air, gsn: int) -> bytes:
    return RegularAdvert(ACCESSORY.device_id, 5, gsn, air.device.cn).manufacturer_data()


@pytest.mark.parametrize("back", [0, 1, 2, 3, 98])
def test_a_broadcast_that_somebody_recorded_is_not_news(back):
    """Whatever state number a stranger advertises before: only the accessory itself can say how far it is."""
    air = listening()
    before = air.device.gsn
    recorded = [air.device.broadcast(0x33, bytes((number % 2,))) for number in range(1, 4)]
    said(air, *recorded)
    assert changes(air) == [True, False, True]
    for packet in recorded:
        said(air, regular(air, (before + 2 - back) % 65535 + 1), packet)
    assert changes(air) == [True, False, True]
    # Nor for a run of the program that knows no more than what is stored.
    cache = air.stored[air.engine.cache_key]
    air.device.closed()
    again = Air(Peer(entropy=Draws("again"), pairing=PAIRING, cache=cache), air.device)
    again.engine._session.subscribed[0x33] = None
    said(again, regular(again, before), recorded[1])
    assert changes(again) == []


def test_a_broadcast_is_heard_though_its_number_was_heard_before():
    """Accessories show the plain advertisement with the new number for a moment."""
    air = listening()
    packet = air.device.broadcast(0x33, b"\1")
    said(air, regular(air, air.device.gsn), packet, packet)
    assert changes(air)[:1] == [True]


def test_writes_have_no_response_where_there_is_no_other_way():
    air = paired()
    air.device.table = tuple(
        evolve(
            service,
            characteristics=[evolve(one, writable=one.uuid[:8] != "00000025") for one in service.characteristics],
        )
        for service in air.device.table
    )
    assert air.ask(Write([CharacteristicWrite(ON, True)])) == {ON: WriteResult()}
    handle = next(number for number, iid in air.device.by_handle.items() if iid == 0x33)
    writes = [one for one in air.outputs if isinstance(one, GattWrite)]
    assert {one.response for one in writes if one.handle == handle} == {False}
    assert True in {one.response for one in writes}


def test_a_change_is_read_though_the_accessory_could_not_be_connected_when_it_was_heard_of():
    """It goes on advertising the same number: nothing new says that there is something to read."""
    air = listening()
    air.device.values[0x33] = b"\1"
    air.device.gsn += 1
    air.hook = lambda effect: "error" if isinstance(effect, GattConnect) else None
    air.run(60)
    assert air.engine.link is Link.IDLE
    air.hook = lambda effect: None
    air.run(120)
    assert changes(air) == [True]


def test_an_accessory_that_cannot_be_connected_is_tried_less_and_less_often():
    air = listening()
    air.device.gsn += 1
    air.hook = lambda effect: "error" if isinstance(effect, GattConnect) else None
    before = sum(isinstance(one, GattConnect) for one in air.outputs)
    air.run(4 * 3600)
    assert 7 * 5 <= sum(isinstance(one, GattConnect) for one in air.outputs) - before <= 12 * 5
    air.ask(Close())
    assert air.engine.next_timeout() is None


def test_an_accessory_that_knows_us_no_more_is_not_tried_again_by_ourselves():
    air = listening()
    air.device.pairings.clear()
    air.device.cache.clear()
    air.device.gsn += 1
    air.run(60)
    connects = sum(isinstance(one, GattConnect) for one in air.outputs)
    air.run(3600)
    assert sum(isinstance(one, GattConnect) for one in air.outputs) == connects


class Flaky:
    """A radio that loses the link at every so many operations."""

    def __init__(self, air: Air, limit: int) -> None:
        self.left = self.limit = limit
        air.hook = self

    def __call__(self, effect: object) -> str | None:
        if not isinstance(effect, GattRead | GattReadDescriptor | GattWrite):
            return None
        self.left -= 1
        if self.left:
            return None
        self.left = self.limit
        return "lost"


def signatures(air: Air) -> list[int]:
    return [iid for opcode, iid, *_ in air.device.log if opcode == Opcode.CHARACTERISTIC_SIGNATURE_READ]


@pytest.mark.parametrize("limit", [21, 34])
def test_a_database_is_read_over_as_many_links_as_it_takes(limit):
    air = paired()
    Flaky(air, limit)
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert sum(isinstance(one, GattConnect) for one in air.outputs) > 1
    asked = signatures(air)
    # At most the one whose answer was lost with the link is asked for again.
    assert len(asked) - len(set(asked)) <= 4


def test_what_was_read_of_another_database_does_not_count():
    air = paired()
    flaky = Flaky(air, 34)
    number = air.do(Read([ON]))
    while not signatures(air) or air.device.connected:
        assert air.step(air.time + 60)
    flaky.limit = flaky.left = 10_000
    first = signatures(air)
    assert first
    air.device.cn += 1
    air.say(air.device.advert())
    assert air.wait(number) == {ON: ReadResult(False)}
    assert set(first) <= set(signatures(air)[len(first) :])
