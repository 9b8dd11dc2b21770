"""What the accessory tells over Bluetooth LE: indications, state number, broadcasts, advertisements (HAP-BLE A.1)."""

from __future__ import annotations

import pytest
from tests.core.ble_rig import (
    ADMIN,
    BRIGHTNESS,
    CODE,
    DEVICE_ID,
    HUE,
    ON,
    PAIRINGS,
    PROTOCOL,
    PROTOCOL_SIGNATURE,
    USER,
    Person,
    Rig,
)

from hapcore.accessory.commands import AnswerWrite, UpdateValues
from hapcore.accessory.config import Config
from hapcore.accessory.events import SubscriptionChanged, WriteRequested
from hapcore.ble.accessory import SetAdvertisement, StopAdvertising
from hapcore.ble.advert import EncryptedAdvert, RegularAdvert, broadcast_key, open_broadcast, parse_manufacturer_data
from hapcore.errors import LocalProtocolError, StateError, ValueRefused
from hapcore.ids import HapStatus
from hapcore.pairing.pairings import encode_remove

FAST, IDLE = 0.02, 0.4175
LOCK_STATE, LOCK_TARGET = 0x42, 0x43
#: A string: neither broadcasts nor disconnected events.
TEXT = 0x58


@pytest.fixture
def rig():
    return Rig()


def change(rig, iid, value):
    rig.submit(UpdateValues({(1, iid): value}))


def number(rig):
    return rig.engine.state_number.value


def configure(central, iid, interval=1):
    assert central.ask(iid, 7, bytes.fromhex("01020100") + bytes((2, 1, interval)))[0] == 0


def protocol(central, body):
    return central.ask(PROTOCOL_SIGNATURE, 8, bytes.fromhex(body), target=PROTOCOL)


# Indications.


def test_an_indication(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    change(rig, ON, True)
    assert rig.indications == [central.handle(ON)]
    assert central.get(ON) == b"\1"


def test_only_what_is_subscribed(rig):
    central = rig.connect().verify()
    central.subscribe(BRIGHTNESS)
    change(rig, ON, True)
    central.subscribe(BRIGHTNESS, enabled=False)
    change(rig, BRIGHTNESS, 5)
    assert not rig.indications


@pytest.mark.parametrize("late", [False, True])
def test_who_is_told_that_a_write_failed_hears_that_the_value_is_there(rig, late):
    """The device told the application, which set the value; what it should have answered with did not come."""
    central = rig.connect().verify()
    central.subscribe(ON)
    rig.database.find(1, ON).write_handled = True
    central.send(ON, 2, bytes.fromhex("010101"))
    central.begin_read(ON)
    request = rig.told(WriteRequested)[-1].request
    change(rig, ON, True)
    assert not rig.indications, "it may still be told that it is done"
    if late:
        rig.wait(9.1)
    else:
        rig.submit(AnswerWrite(request, {(1, ON): HapStatus.UNABLE_TO_COMMUNICATE}))
    assert rig.indications == [central.handle(ON)]


def test_equal_values_are_no_events(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    change(rig, ON, False)
    assert not rig.indications
    assert number(rig) == 1


def test_the_next_one_waits_for_the_confirmation(rig):
    """In the order of the table, and each once, however often it changed."""
    central = rig.connect().verify()
    for iid in (ON, BRIGHTNESS, HUE):
        central.subscribe(iid)
    change(rig, HUE, 10.0)
    change(rig, BRIGHTNESS, 5)
    change(rig, ON, True)
    change(rig, BRIGHTNESS, 6)
    assert rig.indications == [central.handle(HUE)]
    central.confirm()
    assert rig.indications[1:] == [central.handle(ON)]
    central.confirm()
    assert rig.indications[2:] == [central.handle(BRIGHTNESS)]
    central.confirm()
    central.confirm()
    assert len(rig.indications) == 3


def test_what_changed_while_it_waited_is_indicated_again(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    change(rig, ON, True)
    change(rig, ON, False)
    central.confirm()
    assert rig.indications == [central.handle(ON)] * 2


def test_subscribed_before_the_session(rig):
    """What changed is told as soon as it may be: even before the answer that ends pair-verify."""
    central = rig.connect()
    central.subscribe(ON)
    change(rig, ON, True)
    assert not rig.indications
    central.verify()
    assert rig.indications == [central.handle(ON)]


def test_changed_before_it_was_subscribed(rig):
    central = rig.connect().verify()
    change(rig, ON, True)
    assert not rig.indications
    central.subscribe(ON)
    assert rig.indications == [central.handle(ON)]


def test_subscriptions_outlive_a_session_but_not_the_link(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    central.verify(USER)
    change(rig, ON, True)
    assert len(rig.indications) == 1
    central.close()
    again = rig.connect().verify()
    assert not rig.engine.subscribed(again.handle(ON))
    change(rig, ON, False)
    assert len(rig.indications) == 1


def test_not_to_whoever_wrote_it(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    central.put(ON, b"\1")
    assert not rig.indications
    rig.database.find(1, ON).write_handled = True
    central.send(ON, 2, bytes.fromhex("010100"))
    central.begin_read(ON)
    change(rig, ON, False)  # the handler sets what it was told
    assert not rig.indications
    change(rig, ON, True)  # and then something else
    assert rig.indications


def test_only_admins_hear_of_what_only_they_may_read(rig):
    user = rig.connect().verify(USER)
    user.subscribe(0x66)
    user.subscribe(ON)
    change(rig, 0x66, True)
    assert not rig.indications
    change(rig, ON, True)
    assert rig.indications == [user.handle(ON)]


def test_what_has_no_events_cannot_be_subscribed(rig):
    central = rig.connect()
    rig.engine.receive_subscribe(central.handle(0x59), True, rig.now)
    rig.pump()
    assert rig.replies.pop().code == 6


@pytest.mark.parametrize(
    ("data", "good"),
    [("0200", True), ("0000", True), ("0100", False), ("0300", False), ("02", False), ("020000", False), ("", False)],
)
def test_the_descriptor_as_it_was_written(rig, data, good):
    central = rig.connect()
    rig.engine.receive_descriptor(central.handle(ON), bytes.fromhex(data), rig.now)
    rig.pump()
    assert hasattr(rig.replies.pop(), "data") is good
    assert rig.engine.subscribed(central.handle(ON)) is (data == "0200")
    assert not rig.dropped


def test_the_application_hears_of_subscriptions(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    central.subscribe(ON)
    central.subscribe(ON, enabled=False)
    assert [(one.id, one.enabled) for one in rig.told(SubscriptionChanged)] == [((1, ON), True), ((1, ON), False)]


# The state number (HAP-BLE A.1.5).


def test_it_moves_once_a_connection(rig):
    central = rig.connect().verify()
    central.subscribe(ON)
    assert protocol(central, "0200")[1][:4] == bytes.fromhex("01020100")
    change(rig, ON, True)
    assert protocol(central, "0200")[1][:4] == bytes.fromhex("01020200")
    central.confirm()
    change(rig, ON, False)
    assert number(rig) == 2
    central.close()
    assert rig.on_air.gsn == 2
    rig.connect().verify()
    change(rig, ON, True)
    assert number(rig) == 3


def test_it_moves_by_the_central_s_own_write(rig):
    central = rig.connect().verify()
    central.put(ON, b"\1")
    assert number(rig) == 2
    central.put(BRIGHTNESS, (5).to_bytes(4, "little"))
    assert number(rig) == 2


def test_it_moves_with_an_indication_whatever_of(rig):
    central = rig.connect().verify()
    central.subscribe(TEXT)
    change(rig, TEXT, "x")
    assert number(rig) == 2


def test_it_does_not_move_without_the_property(rig):
    central = rig.connect().verify()
    change(rig, TEXT, "x")
    change(rig, 0x54, 7)  # broadcasts, but no disconnected events
    assert number(rig) == 1
    central.close()
    change(rig, TEXT, "y")
    change(rig, 0x54, 8)
    assert number(rig) == 1
    assert rig.interval == FAST  # of the disconnect


def test_it_moves_once_while_nobody_is_there(rig):
    rig.wait(31)
    assert rig.interval == IDLE
    change(rig, ON, True)
    assert (rig.on_air.gsn, rig.interval) == (2, FAST)
    change(rig, ON, False)
    change(rig, BRIGHTNESS, 5)
    assert rig.on_air.gsn == 2
    rig.wait(4.7)
    assert rig.interval == FAST
    rig.wait(0.2)
    assert rig.interval == IDLE
    rig.connect().close()
    change(rig, ON, True)
    assert rig.on_air.gsn == 3


def test_it_is_kept(rig):
    change(rig, ON, True)
    rig.restart()
    assert rig.on_air.gsn == 2
    change(rig, ON, False)
    assert rig.on_air.gsn == 2  # the same period
    assert rig.store["ble/state-number"] == b"2 1"


def test_it_is_stored_before_it_is_shown(rig):
    rig.engine.submit(UpdateValues({(1, ON): True}), rig.now)
    outputs = []
    while (output := rig.engine.poll()) is not None:
        outputs.append(type(output).__name__)
    assert outputs == ["Persist", "SetAdvertisement", "Done"]


def test_another_firmware_begins_again(rig):
    """With the first number and without a key; the same firmware goes on."""
    broadcasting(rig, ON)
    change(rig, ON, True)
    rig.restart()
    assert number(rig) == 2
    rig.database.find(1, 7).store("1.2.4")
    rig.restart()
    assert number(rig) == 1
    assert rig.engine.broadcasts.key is None
    assert rig.engine.broadcasts.settings
    assert rig.store["ble/firmware"] == b"1.2.4"


def test_it_wraps(rig):
    rig.store["ble/state-number"] = b"65535 0"
    rig.restart()
    assert rig.on_air.gsn == 65535
    change(rig, ON, True)
    assert rig.on_air.gsn == 1


@pytest.mark.parametrize("data", [b"", b"x", b"0 0", b"65536 0", b"5", b"5 2", b"-1 0", b"5 0 0"])
def test_a_damaged_number(data):
    with pytest.raises(StateError, match="ble/state-number"):
        Rig(state={"ble/state-number": data})


# Broadcasts (HAP-BLE A.1.4, A.5.8, A.5.9).


def broadcasting(rig, *iids, interval=1, body="0100"):
    """A key, broadcasts for these, and nobody connected."""
    central = rig.connect().verify()
    assert protocol(central, body)[0] == 0
    for iid in iids:
        configure(central, iid, interval)
    central.close()
    return broadcast_key(central.shared, ADMIN.paired.ltpk)


def heard(rig, key):
    advert = rig.on_air
    assert isinstance(advert, EncryptedAdvert)
    return open_broadcast(key, advert.identifier, advert.payload, number(rig))


def test_a_broadcast(rig):
    key = broadcasting(rig, ON)
    change(rig, ON, True)
    assert heard(rig, key) == (ON, b"\1" + bytes(7))
    assert rig.on_air.identifier == bytes.fromhex(DEVICE_ID.replace(":", ""))
    assert rig.adverts[-1].scan_response == b""
    assert len(rig.adverts[-1].data) == 31
    change(rig, ON, False)
    assert heard(rig, key) == (ON, bytes(8))
    assert number(rig) == 3  # a number for each: it is the nonce


@pytest.mark.parametrize(
    ("iid", "value", "data"),
    [
        (BRIGHTNESS, 7, "0700000000000000"),
        (HUE, 120.0, "0000f04200000000"),
        (0x55, 2**64 - 1, "ff" * 8),
        (0x56, -50, "ceffffff00000000"),
        (0x53, 4660, "3412000000000000"),
        (0x54, 7, "0700000000000000"),
    ],
)
def test_values_in_broadcasts(rig, iid, value, data):
    key = broadcasting(rig, iid)
    change(rig, iid, value)
    assert heard(rig, key) == (iid, bytes.fromhex(data))


@pytest.mark.parametrize(("interval", "seconds"), [(1, 0.02), (2, 1.28), (3, 2.56)])
def test_how_often(rig, interval, seconds):
    broadcasting(rig, ON, interval=interval)
    change(rig, ON, True)
    assert rig.interval == seconds


def test_two_at_a_time(rig):
    """Two numbers, and only the last one is on the air: one nonce, one value."""
    key = broadcasting(rig, ON, BRIGHTNESS)
    rig.clear()
    rig.submit(UpdateValues({(1, ON): True, (1, BRIGHTNESS): 5}))
    assert len(rig.adverts) == 1
    assert number(rig) == 3
    assert heard(rig, key)[0] == BRIGHTNESS


def test_what_is_not_stored_is_not_broadcast(rig):
    broadcasting(rig, ON)
    rig.failing.add("ble/state-number")
    rig.clear()
    before = number(rig)
    change(rig, ON, True)
    # The plain one needs no nonce: it says at least that there is something to read.
    assert [type(parsed(one)) for one in rig.adverts] == [RegularAdvert]
    assert (rig.on_air.gsn, rig.interval) == (before + 1, 0.02)
    rig.failing.clear()
    change(rig, ON, False)
    assert isinstance(rig.on_air, EncryptedAdvert)
    assert rig.store["ble/state-number"] == b"3 1"


def test_overtaken_by_a_connection(rig):
    broadcasting(rig, ON)
    rig.clear()
    rig.engine.submit(UpdateValues({(1, ON): True}), rig.now)
    central = rig.connect()  # before anybody has asked for the outputs
    central.close()
    assert all(not isinstance(parsed(one), EncryptedAdvert) for one in rig.adverts)


def parsed(advert):
    return None if isinstance(advert, StopAdvertising) else parse_manufacturer_data(advert.data[7:])


def test_what_follows_a_broadcast_nobody_reacts_to(rig):
    broadcasting(rig, ON)
    rig.wait(10)
    assert rig.interval == IDLE
    change(rig, ON, True)
    rig.wait(4.7)
    assert isinstance(rig.on_air, EncryptedAdvert)
    rig.wait(0.2)
    assert (rig.on_air.gsn, rig.interval) == (2, FAST)
    rig.wait(4.8)
    assert (rig.on_air.gsn, rig.interval) == (2, IDLE)


def test_a_connection_ends_a_broadcast(rig):
    broadcasting(rig, ON)
    change(rig, ON, True)
    central = rig.connect()
    assert isinstance(rig.adverts[-1], StopAdvertising)
    central.close()
    assert isinstance(rig.on_air, RegularAdvert)


def test_while_somebody_is_connected_nothing_is_broadcast(rig):
    broadcasting(rig, ON)
    rig.connect()
    change(rig, ON, True)
    assert isinstance(rig.adverts[-1], StopAdvertising)
    assert number(rig) == 2


def test_after_a_broadcast_other_changes_are_not_told(rig):
    """As with Apple's accessories: the number has moved already."""
    key = broadcasting(rig, ON)
    change(rig, ON, True)
    change(rig, LOCK_STATE, 1)
    assert heard(rig, key)[0] == ON
    assert number(rig) == 2


def test_without_a_key_it_is_an_ordinary_event(rig):
    central = rig.connect().verify()
    configure(central, ON)
    central.close()
    change(rig, ON, True)
    assert isinstance(rig.on_air, RegularAdvert)
    assert rig.on_air.gsn == 2


def test_another_identifier(rig):
    key = broadcasting(rig, ON, body="0100" + "0306c0ffee000003")
    change(rig, ON, True)
    assert rig.on_air.identifier == bytes.fromhex("c0ffee000003")
    assert heard(rig, key) == (ON, b"\1" + bytes(7))


def test_the_key_of_a_resumed_session(rig):
    first = rig.connect().verify()
    first.close()
    second = rig.connect()
    assert second.resume(ADMIN, first.resume_id, first.shared)
    protocol(second, "0100")
    configure(second, ON)
    second.close()
    change(rig, ON, True)
    assert heard(rig, broadcast_key(second.shared, ADMIN.paired.ltpk)) == (ON, b"\1" + bytes(7))


@pytest.mark.parametrize(("start", "expiry"), [(1, 32767), (40000, 7231), (32769, 65535), (32770, 1)])
def test_the_life_of_a_key(start, expiry):
    """At its last number broadcasts stop, and nothing else is told; only the next step takes the key away."""
    rig = Rig(state={"ble/state-number": b"%d 0" % start})
    broadcasting(rig, ON)
    assert rig.engine.broadcasts.expiry == expiry
    rig.store["ble/state-number"] = b"%d 0" % (65535 if expiry == 1 else expiry - 1)
    rig.restart()
    change(rig, ON, True)
    assert isinstance(rig.on_air, EncryptedAdvert)
    assert number(rig) == expiry
    change(rig, ON, False)
    assert number(rig) == expiry
    central = rig.connect().verify()
    assert len(protocol(central, "0200")[1]) == 4 + 3 + 8 + 34  # the key is still there
    change(rig, ON, True)
    assert number(rig) == expiry % 65535 + 1
    assert len(protocol(central, "0200")[1]) == 4 + 3 + 8
    central.close()
    change(rig, ON, False)
    assert isinstance(rig.on_air, RegularAdvert)


def test_key_and_settings_are_kept(rig):
    key = broadcasting(rig, ON, body="0100" + "0306c0ffee000003")
    rig.restart()
    change(rig, ON, True)
    assert heard(rig, key) == (ON, b"\1" + bytes(7))


def test_no_key_in_sight(rig):
    key = broadcasting(rig, ON)
    for thing in (rig.engine.broadcasts.key, *rig.adverts, *rig.events):
        assert key.reveal().hex() not in repr(thing)


@pytest.mark.parametrize(
    "record",
    [
        {"ble/broadcast": b"x"},
        {"ble/broadcast": b"{}"},
        {"ble/broadcast": b'{"key":"00","identifier":"","expiry":1}'},
        {"ble/broadcast": b'{"key":"","identifier":"00","expiry":1}'},
        {"ble/broadcast": b'{"key":"","identifier":"","expiry":"1"}'},
        {"ble/broadcast-settings": b"[]"},
        {"ble/broadcast-settings": b'{"x":1}'},
        {"ble/broadcast-settings": b'{"1":9}'},
    ],
)
def test_damaged_settings(record):
    with pytest.raises(StateError, match="broadcast"):
        Rig(state=record)


# Configuration.


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (None, "01020000"),
        ("", "01020000"),
        ("01020100", "02010101020100"),
        ("01020100020101", "02010101020100"),
        ("01020100020103", "02010301020100"),
        ("02010301020100", "02010301020100"),
        ("5501ff01020100", "02010101020100"),
        ("01020000", "01020000"),
    ],
)
def test_configuration_of_a_characteristic(rig, body, answer):
    central = rig.connect().verify()
    data = None if body is None else bytes.fromhex(body)
    assert central.ask(ON, 7, data) == (0, bytes.fromhex(answer))
    assert central.ask(ON, 7, b"") == (0, bytes.fromhex(answer))


@pytest.mark.parametrize(
    "body",
    [
        "010101",
        "0103010000",
        "01020200",
        "01020300",
        "01020101",
        "01020100020100",
        "01020100020104",
        "010201000200",
        "0102010002020100",
        "020101",
        "01020000020101",
        "0102010001020100",
        "0102",
    ],
)
def test_bad_configuration_of_a_characteristic(rig, body):
    central = rig.connect().verify()
    assert central.ask(ON, 7, bytes.fromhex(body)) == (6, b"")
    assert central.ask(ON, 7, b"") == (0, bytes.fromhex("01020000"))


def test_what_cannot_be_broadcast(rig):
    central = rig.connect().verify()
    for iid in (TEXT, 0x62, 3):
        assert central.ask(iid, 7, bytes.fromhex("01020100")) == (6, b"")
        assert central.ask(iid, 7, bytes.fromhex("01020000")) == (0, bytes.fromhex("01020000"))
        assert central.ask(iid, 7) == (0, bytes.fromhex("01020000"))


def test_configuration_of_the_protocol(rig):
    central = rig.connect().verify()
    identifier = "03 06 123456789abc".replace(" ", "")
    assert protocol(central, "0200") == (0, bytes.fromhex("01020100" + "020101" + identifier))
    assert protocol(central, "0100") == (0, b"")
    key = broadcast_key(central.shared, ADMIN.paired.ltpk).reveal().hex()
    assert protocol(central, "0200") == (0, bytes.fromhex("01020100" + "020101" + identifier + "0420" + key))
    assert protocol(central, "0306c0ffee000001") == (0, b"")
    answer = (0, bytes.fromhex("01020100" + "020101" + "0306c0ffee000001" + "0420" + key))
    assert protocol(central, "0200") == answer
    assert protocol(central, "02000100") == answer


@pytest.mark.parametrize("body", [None, "", "5501ff", "0420" + "00" * 32])
def test_configuration_of_the_protocol_that_asks_for_nothing(rig, body):
    central = rig.connect().verify()
    data = None if body is None else bytes.fromhex(body)
    assert central.ask(PROTOCOL_SIGNATURE, 8, data, target=PROTOCOL) == (0, b"")
    assert rig.engine.broadcasts.key is None


@pytest.mark.parametrize(
    "body", ["010100", "020100", "0305c0ffee0000", "0300", "0307" + "00" * 7, "01", "0100550001000200"]
)
def test_bad_configuration_of_the_protocol(rig, body):
    central = rig.connect().verify()
    assert protocol(central, body) == (6, b"")
    assert rig.engine.broadcasts.key is None


def test_only_one_service_can_be_configured(rig):
    central = rig.connect().verify()
    assert central.ask(0x31, 8, b"\2\0", target=0x30) == (1, b"")
    assert central.ask(0x12, 8, b"\2\0", target=PROTOCOL) == (1, b"")
    assert central.ask(PROTOCOL_SIGNATURE, 8, b"\2\0", target=PROTOCOL_SIGNATURE) == (4, b"")
    for opcode in (0x10, 0x11, 0x12):
        assert central.ask(0x31, opcode) == (1, b"")


def test_info(rig):
    central = rig.connect().verify()
    expected = (
        "01020100 02020100 0306123456789abc 040100 0508"
        + b"Bench1,1".hex()
        + "0605"
        + b"2.2.0".hex()
        + "070100 08020500"
    )
    status, body = central.ask(PROTOCOL_SIGNATURE, 0x12)
    assert status == 0
    assert body[:-6] == bytes.fromhex(expected)
    assert body[-6:-4] == b"\x09\x04"


def test_no_token(rig):
    central = rig.connect().verify()
    assert central.ask(PROTOCOL_SIGNATURE, 0x10) == (6, b"")
    assert central.ask(PROTOCOL_SIGNATURE, 0x11, bytes.fromhex("020178")) == (6, b"")


def test_the_last_controller_that_asked_owns_the_key(rig):
    broadcasting(rig, ON)
    other = rig.connect().verify(USER)
    protocol(other, "0100")
    other.close()
    change(rig, ON, True)
    assert heard(rig, broadcast_key(other.shared, USER.paired.ltpk)) == (ON, b"\1" + bytes(7))


# Advertisements (HAP-BLE A.1.2, A.1.6).


def test_the_regular_advertisement(rig):
    first = rig.adverts[0]
    assert isinstance(first, SetAdvertisement)
    assert first.data.hex() == "02010616ff4c00063100123456789abc050001000102" + first.data[22:26].hex() + "040842656e"
    assert first.scan_response == b"\x06\x09Bench"


@pytest.mark.parametrize("name", ["x", "Ben", "Bench", "Ürsulas Lampe", "n" * 63, "灯" * 20])
def test_names_of_any_length(name):
    rig = Rig(config=Config(name=name, category=5, setup_code=CODE, setup_id="ADK1"))
    for data in (rig.adverts[0].data, rig.adverts[0].scan_response):
        assert len(data) <= 31
    rig.adverts[0].scan_response[2:].decode()


def test_thirty_seconds_fast_after_the_start(rig):
    rig.wait(29.9)
    assert rig.interval == FAST
    rig.wait(0.2)
    assert rig.interval == IDLE
    assert len(rig.adverts) == 2


def test_the_start_is_over_with_the_first_connection(rig):
    rig.wait(1)
    rig.connect().close()
    assert rig.interval == FAST
    rig.wait(4.9)
    assert rig.interval == IDLE


def test_silent_until_started():
    rig = Rig(start=False)
    change(rig, ON, True)
    assert not rig.adverts
    rig.engine.start(rig.now)
    rig.pump()
    assert rig.on_air.gsn == 2


def test_another_idle_interval():
    rig = Rig(interval=1.285)
    rig.wait(31)
    assert rig.interval == 1.285


def test_the_flag_follows_the_pairings(rig):
    assert rig.on_air.paired
    central = rig.connect().verify()
    central.message(PAIRINGS, encode_remove(ADMIN.identifier))
    central.close()
    assert not rig.on_air.paired


def test_commands_that_are_the_caller_s_mistake(rig):
    with pytest.raises(LocalProtocolError):
        change(rig, 0x999, 1)
    with pytest.raises(ValueRefused):
        change(rig, BRIGHTNESS, 101)
    with pytest.raises(LocalProtocolError):
        rig.submit(object())
    assert number(rig) == 1


def test_changes_of_another_engine(rig):
    """Stored already: only told."""
    rig.database.find(1, ON).store(True)
    rig.engine.values_changed([(1, ON), (1, 0x999)], rig.now)
    rig.pump()
    assert rig.on_air.gsn == 2


def test_another_person_has_other_keys():
    assert Person("a").paired.ltpk != Person("b").paired.ltpk
