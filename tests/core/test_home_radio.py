"""A home's accessories over Bluetooth LE, in virtual time: found, paired, used, remembered and forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from tests.core.ble_device import ADDRESS, Air, Device
from tests.core.pairing_kit import ACCESSORY, CODE, PAIRING, Draws
from tests.core.pairing_kit import STRANGER as GUEST

from hapcore.ble.advert import RegularAdvert
from hapcore.ble.controller import Advertisement, GattConnect, GattResult, Scan
from hapcore.codec.pdu import Opcode
from hapcore.controller.commands import CharacteristicWrite, GetAccessories, ListPairings, Read, Write
from hapcore.controller.events import CharacteristicChanged
from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags, Transport
from hapcore.engine import Command, ConnectionId, Effect, Failed, Forget, Persist
from hapcore.errors import (
    Disconnected,
    EffectFailed,
    LocalProtocolError,
    PairingRefused,
    TimedOut,
    ValueRefused,
)
from hapcore.home import (
    Adopt,
    Ask,
    Browse,
    CancelPairing,
    Close,
    Disconnect,
    Discover,
    Ended,
    Find,
    FinishPairing,
    Follow,
    Home,
    IdentifyAt,
    News,
    Remove,
    StartPairing,
    Stop,
    StopBrowsing,
    Told,
    Via,
)
from hapcore.model.metadata import Format
from hapcore.pairing.records import ControllerIdentity, PairedController, Pairing
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory, PreparedPairing

ON = (1, 0x31)
KEY = f"ble/{ACCESSORY.device_id}"
RECORD = PairedAccessory("lamp", PAIRING, transport=Transport.BLE)
STRANGER = RegularAdvert("11:22:33:44:55:66", 5, 1, 1, 0).manufacturer_data()
PAIRED = {"lamp": RECORD.encode()}


class Facade:
    """What the scripted air needs of an engine: the effects without the number of their connection."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.number = ConnectionId(0)
        self.submit = home.submit
        self.receive_advertisement = home.receive_advertisement
        self.next_timeout = home.next_timeout
        self.handle_timeout = home.handle_timeout

    def poll(self) -> Any:
        output = self.home.poll()
        if not isinstance(output, Via):
            return output
        self.number = output.connection
        return output.effect

    def receive_gatt(self, result: GattResult, now: float) -> None:
        self.home.receive_gatt(self.number, result, now)

    def receive_indication(self, handle: int, now: float) -> None:
        self.home.receive_indication(self.number, handle, now)

    def link_lost(self, now: float) -> None:
        self.home.link_lost(self.number, now)


class Sky(Air):
    """A home and one accessory."""

    def __init__(self, table: dict[str, bytes], device: Device | None = None, **options: Any) -> None:
        options.setdefault("discovery", False)
        self.home = Home(table, entropy=Draws("home"), radio=True, **options)
        engine: Any = Facade(self.home)
        super().__init__(engine, device or Device(paired=bool(table)))
        self.stored = dict(table)

    def news(self, to: str) -> list[Any]:
        return [one.item for one in self.events(News) if one.to == to]

    def links(self) -> int:
        return sum(isinstance(one, GattConnect) for one in self.effects)

    def opcodes(self) -> set[int]:
        return {opcode for opcode, _, _ in self.device.log}


def ask(command: Command[Any]) -> Ask[Any]:
    return Ask("lamp", command)


def on_of(sky: Sky) -> tuple[int, int]:
    """A characteristic of the device that can be read, written and subscribed to."""
    (accessory,) = sky.ask(ask(GetAccessories()))
    for service in accessory.services:
        for one in service.characteristics:
            meta = one.metadata
            if {"pr", "pw", "ev"} <= {perm.value for perm in meta.perms} and meta.format is Format.BOOL:
                return (1, one.iid)
    raise AssertionError("none")


def test_a_command_connects_and_learns_what_it_needs() -> None:
    sky = Sky(PAIRED)
    assert not sky.home.is_connected("lamp")
    on = on_of(sky)
    assert sky.home.is_connected("lamp")
    assert sky.ask(ask(Write([CharacteristicWrite(on, True)])))[on].status == 0
    assert sky.ask(ask(Read([on])))[on].value is True
    assert sky.links() == 1
    with pytest.raises(ValueRefused):
        sky.do(ask(Write([CharacteristicWrite(on, "perhaps")])))


def test_an_idle_link_is_dropped_and_the_session_resumed() -> None:
    sky = Sky(PAIRED)
    on = on_of(sky)
    sky.run(25.0)
    assert not sky.home.is_connected("lamp")
    sky.device.log.clear()
    assert on in sky.ask(ask(Read([on])))
    assert sky.links() == 2
    assert len(sky.device.cache) == 1


def test_the_next_home_knows_the_database_and_resumes() -> None:
    sky = Sky(PAIRED)
    on = on_of(sky)
    sky.ask(Close())
    assert KEY in sky.stored
    again = Sky(sky.stored, sky.device)
    again.device.log.clear()
    assert on in again.ask(ask(Read([on])))
    assert not again.opcodes() & {Opcode.CHARACTERISTIC_SIGNATURE_READ, Opcode.SERVICE_SIGNATURE_READ}
    verify = [body for _, iid, body in again.device.log if again.device.known[iid].type.startswith("0000004E")]
    assert len(verify) == 1  # a resume is one message, a verify two


def test_two_names_for_one_accessory_do_not_resume_each_others_session() -> None:
    guest = PairedController(GUEST.identifier.encode(), GUEST.ltpk, admin=False)
    other = Pairing(ACCESSORY.device_id, ACCESSORY.ltpk, GUEST.identifier, GUEST.ltsk)
    sky = Sky({**PAIRED, "desk": PairedAccessory("desk", other, transport=Transport.BLE).encode()})
    sky.device.pairings[guest.identifier] = guest
    on = on_of(sky)
    sky.ask(Close())
    for alias, messages in (("desk", 2), ("desk", 1), ("lamp", 2), ("lamp", 1)):
        sky = Sky(sky.stored, sky.device)
        sky.device.log.clear()
        assert on in sky.ask(Ask(alias, Read([on])))
        verify = [body for _, iid, body in sky.device.log if sky.device.known[iid].type.startswith("0000004E")]
        assert len(verify) == messages, alias
        assert not sky.opcodes() & {Opcode.CHARACTERISTIC_SIGNATURE_READ}  # the database is the same for both
        sky.ask(Close())


def test_found_by_advertisement_once_for_each_change() -> None:
    sky = Sky({}, Device(paired=False))
    sky.do(Discover("reader"))
    sky.run(3.0)
    (found,) = sky.news("reader")
    assert (found.device_id, found.transport, found.addresses) == (ACCESSORY.device_id, Transport.BLE, (ADDRESS,))
    assert (found.paired, found.rssi, found.port, found.state_number) == (False, -50, 0, 1)
    sky.device.gsn = 2
    sky.run(3.0)
    assert [one.state_number for one in sky.news("reader")] == [1, 2]
    sky.do(Stop("reader"))
    assert not sky.scanning
    assert [(one.to, one.reason) for one in sky.events(Ended)] == [("reader", None)]


def test_looking_on_the_network_and_in_the_air() -> None:
    sky = Sky(PAIRED, discovery=True)
    sky.do(Discover("reader"))
    assert sky.scanning
    assert len(sky.events(Browse)) == 1
    here = DiscoveredAccessory(
        "Lamp", ACCESSORY.device_id, ("192.0.2.7",), 5001, "", 5, 1, 1, FeatureFlags(0), StatusFlags(0), None, "1.1"
    )
    sky.home.receive_discovery(here, sky.time)
    sky.pump()
    sky.run(1.0)
    assert [one.transport for one in sky.news("reader")] == [Transport.IP, Transport.BLE]
    sky.do(Stop("reader"))
    assert len(sky.events(StopBrowsing)) == 1
    assert not sky.scanning


def test_found_by_device_id_also_while_connected() -> None:
    sky = Sky(PAIRED)
    assert sky.ask(Find(ACCESSORY.device_id.lower())).transport is Transport.BLE
    on_of(sky)
    assert sky.home.is_connected("lamp")
    assert sky.ask(Find(ACCESSORY.device_id, 1.0)).transport is Transport.BLE
    assert sky.ask(Find(ACCESSORY.device_id, 1.0)).transport is Transport.BLE
    sky.do(Discover("reader"))
    assert len(sky.news("reader")) == 1
    sky.home.receive_advertisement(Advertisement("X", STRANGER, "X", -40), sky.time)
    sky.do(Stop("reader"))
    assert sky.ask(Find(ACCESSORY.device_id, 1.0)).addresses == (ADDRESS,)
    late = sky.ask(Find("11:11:11:11:11:11", 1.0))
    assert isinstance(late, TimedOut)
    assert "was not heard within 1 s" in str(late)


def test_who_was_heard_is_connected_without_being_heard_again() -> None:
    """BlueZ tells of an advertisement that does not change every 11 seconds, while a scan is on."""
    sky = Sky({}, Device(paired=False))
    sky.do(Discover("reader"))
    sky.run(1.0)
    (where,) = sky.news("reader")
    sky.advertising = False
    assert sky.ask(StartPairing(where, "lamp"), 5.0) is None
    sky.do(Stop("reader"))


@pytest.mark.parametrize("by", ["found", "device id"])
def test_paired_and_used_over_the_same_link(by: str) -> None:
    sky = Sky({}, Device(paired=False))
    where = sky.ask(Find(ACCESSORY.device_id)) if by == "found" else ACCESSORY.device_id.lower()
    start = StartPairing(where, "lamp")
    assert sky.ask(start) is None
    assert sky.ask(FinishPairing(start, SetupCode(CODE))) == "lamp"
    sky.do(CancelPairing(start))
    record = PairedAccessory.decode("lamp", sky.stored["lamp"])
    assert (record.transport, record.port, record.pairing.accessory_id) == (Transport.BLE, 0, ACCESSORY.device_id)
    assert record.addresses == ((ADDRESS,) if by == "found" else ())
    assert len(sky.ask(ask(ListPairings()))) == 1
    assert sky.links() == 1


def test_a_half_made_pairing_is_taken_back_and_made_anew() -> None:
    sky = Sky({}, Device(paired=False))
    start = StartPairing(ACCESSORY.device_id, "lamp")
    sky.ask(start)
    sky.ask(FinishPairing(start, SetupCode(CODE)))
    pairing = PairedAccessory.decode("lamp", sky.stored["lamp"]).pairing
    sky.do(Close())
    keys = ControllerIdentity(pairing.controller_id, pairing.controller_ltsk)
    half = PreparedPairing("lamp", keys, begun=True)
    again = Sky({half.key: half.encode()}, sky.device)
    assert again.ask(start) is None
    assert again.ask(FinishPairing(start, SetupCode(CODE))) == "lamp"
    assert "lamp" in again.stored
    assert half.key not in again.stored
    assert len(again.ask(ask(ListPairings()))) == 1


def test_a_wrong_code_then_the_right_one() -> None:
    sky = Sky({}, Device(paired=False))
    start = StartPairing(ACCESSORY.device_id, "lamp")
    sky.ask(start)
    assert isinstance(sky.ask(FinishPairing(start, SetupCode("518-08-582"))), PairingRefused)
    assert sky.ask(FinishPairing(start, SetupCode(CODE))) == "lamp"
    assert sky.home.aliases == ("lamp",)


def test_a_pairing_that_is_let_go_of_leaves_nothing() -> None:
    sky = Sky({}, Device(paired=False))
    start = StartPairing(ACCESSORY.device_id, "lamp")
    sky.ask(start)
    sky.do(CancelPairing(start))
    assert not sky.device.connected
    assert sky.stored == {}
    assert sky.home.next_timeout() is None or not sky.scanning


def test_identify_an_accessory_that_nobody_has_paired() -> None:
    sky = Sky({}, Device(paired=False))
    assert sky.ask(IdentifyAt(ACCESSORY.device_id)) is None
    assert not sky.device.connected


def test_changes_go_to_those_who_follow_them_with_a_link_and_without() -> None:
    sky = Sky(PAIRED)
    on = on_of(sky)
    sky.ask(Follow("lamp", (on,), "reader"))
    sky.indicate(on[1], b"\1")
    assert [(tuple(one.id), one.value) for one in sky.news("reader")] == [(on, True)]
    sky.lose()
    sky.device.values[on[1]] = b"\0"
    sky.device.gsn += 1
    sky.run(3.0)
    assert [one.value for one in sky.news("reader")] == [True, False]
    assert not sky.events(Ended)
    sky.do(Disconnect("lamp"))
    assert not sky.device.connected
    assert [one.to for one in sky.events(Ended)] == ["reader"]
    assert not sky.scanning
    sky.home.link_lost(ConnectionId(1), sky.time)  # late news of what is over
    assert sky.home._radio is not None
    assert not sky.home._radio._peers
    assert not [one for one in sky.events(Told) if isinstance(one.event, CharacteristicChanged)]


def test_removed_with_all_that_was_learnt() -> None:
    sky = Sky(PAIRED)
    on_of(sky)
    assert KEY in sky.stored
    assert sky.ask(Remove("lamp")) is None
    assert sky.stored == {}
    assert not sky.device.pairings
    assert not sky.device.connected


def test_forgotten_though_it_is_not_there() -> None:
    sky = Sky(PAIRED)
    on_of(sky)
    sky.lose()
    sky.advertising = False
    sky.run(60.0)
    assert isinstance(sky.ask(Remove("lamp")), Disconnected)
    assert sky.ask(Remove("lamp", force=True)) is None
    assert sky.stored == {}


def test_another_pairing_under_the_same_name_knows_nothing_of_the_first() -> None:
    sky = Sky(PAIRED)
    on_of(sky)
    other = evolve(PAIRING, controller_id="somebody else")
    assert sky.ask(Adopt(evolve(RECORD, pairing=other))) is None
    assert not sky.device.connected
    assert KEY not in sky.stored
    assert isinstance(sky.ask(ask(Read([ON]))), PairingRefused)


def test_a_radio_that_fails_is_told_to_everybody() -> None:
    sky = Sky(PAIRED, discovery=True)
    sky.advertising = False
    sky.do(Discover("reader"))
    find, read = sky.do(Find(ACCESSORY.device_id)), sky.do(ask(Read([ON])))
    sky.home.effect_failed(Scan(True), "it was pulled out", sky.time)
    sky.pump()
    (ended,) = sky.events(Ended)
    assert isinstance(ended.reason, EffectFailed)
    for number in (find, read):
        (reply,) = sky.replies(number)
        assert isinstance(reply, Failed)
        assert "it was pulled out" in str(reply.error)
    assert len(sky.events(StopBrowsing)) == 1
    assert [one.on for one in sky.events(Scan)] == [True]  # nobody insists
    sky.scanning, sky.advertising = False, True
    assert isinstance(sky.ask(ask(Read([ON]))), dict)  # and it is tried again by the next


def test_a_radio_that_fails_ends_the_search_on_the_network_too() -> None:
    sky = Sky({}, discovery=True)
    sky.do(Discover("reader"))
    sky.home.effect_failed(Scan(True), "it was pulled out", sky.time)
    sky.pump()
    assert len(sky.events(StopBrowsing)) == 1
    sky.do(Discover("reader"))
    assert len(sky.events(Browse)) == 2
    assert [one.on for one in sky.events(Scan)] == [True, True]


def test_only_its_own_advertisements_are_for_an_accessory() -> None:
    sky = Sky(PAIRED)
    sky.advertising = False
    number = sky.do(ask(Read([ON])))
    for data in (STRANGER, b"", b"\x06", b"\x11\x36" + bytes(22), bytes(40)):
        sky.home.receive_advertisement(Advertisement(ADDRESS, data, "X", -40), sky.time)
    sky.pump()
    assert sky.links() == 0
    sky.advertising = True
    assert isinstance(sky.wait(number), dict)


def test_what_does_not_concern_a_home_is_ignored() -> None:
    for home in (Home(PAIRED, entropy=Draws("home")), Sky(PAIRED).home):
        home.receive_gatt(ConnectionId(7), GattResult(1), 1.0)
        home.receive_indication(ConnectionId(7), 1, 1.0)
        home.link_lost(ConnectionId(7), 1.0)
        home.receive_advertisement(Advertisement(ADDRESS, Device().advert()), 1.0)
        assert home.poll() is None


def test_what_cannot_be_asked() -> None:
    sky = Sky(PAIRED)
    with pytest.raises(LocalProtocolError, match="not at an address"):
        sky.do(Ask("lamp", Read([ON]), "192.0.2.7:5001"))
    deaf = Home(PAIRED, entropy=Draws("home"), discovery=False)
    with pytest.raises(LocalProtocolError):
        deaf.submit(Discover("reader"), 0.0)
    number = deaf.submit(ask(Read([ON])), 0.0)
    reply = deaf.poll()
    assert isinstance(reply, Failed)
    assert reply.command == number
    assert isinstance(reply.error, LocalProtocolError)
    assert reply.error.argument == "ble"
    with pytest.raises(LocalProtocolError, match="kept for what is learnt"):
        sky.do(StartPairing(ACCESSORY.device_id, KEY))


def test_the_end_drops_the_link_and_fails_what_waits() -> None:
    sky = Sky(PAIRED)
    on = on_of(sky)
    sky.ask(Follow("lamp", (on,), "reader"))
    sky.hook = lambda effect: "silent"
    number = sky.do(ask(Read([on])))
    sky.hook = lambda effect: None
    sky.ask(Close())
    (reply,) = sky.replies(number)
    assert isinstance(reply, Failed)
    assert isinstance(reply.error, Disconnected)
    assert not sky.device.connected
    assert not sky.scanning
    assert sky.home.next_timeout() is None
    assert [one.to for one in sky.events(Ended)] == ["reader"]


def test_a_store_that_refuses_what_was_learnt_stops_nothing() -> None:
    sky = Sky(PAIRED)
    refused: list[Effect] = []
    pump = sky.engine.poll

    def poll() -> Any:
        output = pump()
        if isinstance(output, Persist | Forget):
            refused.append(output)
            sky.home.effect_failed(output, "the disk is full", sky.time)
            return poll()
        return output

    sky.engine.poll = poll  # type: ignore[method-assign]
    on = on_of(sky)
    assert on in sky.ask(ask(Read([on])))
    assert refused
