"""Accessories, hosts and strangers that do anything: nothing is raised, every command ends once, the next one works."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.ble_device import PAIRING, Air, Device, paired, unpaired
from tests.core.pairing_kit import CODE, CONTROLLER, Draws

from hapcore.ble.controller import (
    Advertisement,
    GattConnect,
    GattRead,
    GattReadDescriptor,
    GattResult,
    GattSubscribe,
    GattWrite,
    Link,
    Peer,
)
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.codec.pdu import Opcode, Response
from hapcore.controller.commands import CharacteristicWrite as Value
from hapcore.controller.commands import (
    Close,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    StartPairSetup,
    Subscribe,
    Write,
)
from hapcore.controller.events import EventUnreadable
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.engine import Done, Failed
from hapcore.errors import Disconnected, HapError, PeerError, RemoteProtocolError, ValueRefused
from hapcore.pairing.keylog import SessionKeysMade
from hapcore.setup_code import SetupCode

ON, BRIGHTNESS, SECOND, DATA = (1, 0x33), (1, 0x34), (1, 0x43), (1, 0x53)
COMMANDS: list[Any] = [
    Read([ON, BRIGHTNESS, DATA]),
    Write([Value(ON, True), Value(BRIGHTNESS, 3)]),
    Subscribe([ON, SECOND]),
    GetAccessories(),
    ListPairings(),
    Identify(),
]
FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def whole(air: Air) -> None:
    """Every command has ended once, and the engine is still good for the next."""
    ended = [one.command for one in air.outputs if isinstance(one, Done | Failed)]
    assert len(ended) == len(set(ended))


@FAST
@given(st.data())
def test_any_answer_to_any_request(data):
    air = paired()
    strange = data.draw(st.integers(0, 40))
    seen = 0

    def responded(opcode: int, iid: int, response: Response) -> Response:
        nonlocal seen
        seen += 1
        if seen != strange:
            return response
        status = data.draw(st.sampled_from([0, 0, 0, 1, 3, 5, 6, 255]))
        body = data.draw(st.one_of(st.binary(max_size=600), st.builds(_mangled, st.just(response.body), st.data())))
        return Response(response.tid, status, body)

    air.device.responded = responded
    for command in data.draw(st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=4)):
        try:
            reply = air.ask(command)
        except ValueRefused as refusal:
            reply = refusal
        # A signature may say another format, which the value to write does not fit then.
        misfit = isinstance(command, Write) and isinstance(reply, ValueRefused)
        assert not isinstance(reply, HapError) or isinstance(reply, PeerError) or misfit, reply
    air.device.responded = lambda opcode, iid, response: response
    air.ask(Read([ON]))
    whole(air)


def _mangled(body: bytes, data: Any) -> bytes:
    if not body:
        return b"\x01"
    changed = bytearray(body)
    at = data.draw(st.integers(0, len(body) - 1))
    changed[at] = data.draw(st.integers(0, 255))
    return bytes(changed[: data.draw(st.integers(at, len(body)))])


@FAST
@given(st.data())
def test_any_answer_in_a_pair_setup(data):
    air = unpaired()
    strange = data.draw(st.integers(1, 8))
    seen = 0

    def responded(opcode: int, iid: int, response: Response) -> Response:
        nonlocal seen
        seen += 1
        if seen != strange:
            return response
        return Response(response.tid, 0, _mangled(response.body, data))

    air.device.responded = responded
    started = air.ask(StartPairSetup(identity=CONTROLLER))
    if started is None:
        finished = air.ask(FinishPairSetup(SetupCode(CODE)))
        assert finished == PAIRING or isinstance(finished, PeerError), finished
    else:
        assert isinstance(started, PeerError)
    whole(air)


@FAST
@given(st.lists(st.one_of(st.none(), st.binary(max_size=60)), min_size=1, max_size=12), st.integers(0, 60))
def test_any_bytes_from_the_host(values, start):
    """What a read gives, from a certain read on; None: an error."""
    air = paired()
    reads = 0
    given_values = list(values)

    def hook(effect: Any) -> str | None:
        nonlocal reads
        if not isinstance(effect, GattRead | GattReadDescriptor):
            return None
        reads += 1
        if reads < start or not given_values:
            return None
        value = given_values.pop(0)
        if value is None:
            return "error"
        air.engine.receive_gatt(GattResult(effect.operation, value), air.time)
        return "silent"

    air.hook = hook
    for command in COMMANDS[:4]:
        reply = air.ask(command)
        assert not isinstance(reply, HapError) or isinstance(reply, PeerError)
    air.hook = lambda effect: None
    air.device.closed()
    air.engine.link_lost(air.time)
    air.pump()
    assert set(air.ask(Read([ON]))) == {ON}
    whole(air)


_UUIDS = st.sampled_from(
    [
        "0000003E-0000-1000-8000-0026BB765291",
        "00000055-0000-1000-8000-0026BB765291",
        "000000A2-0000-1000-8000-0026BB765291",
        "000000A5-0000-1000-8000-0026BB765291",
        "0000004C-0000-1000-8000-0026BB765291",
        "0000004E-0000-1000-8000-0026BB765291",
        "00000014-0000-1000-8000-0026BB765291",
        "12345678-0000-1000-8000-00805F9B34FB",
    ]
)
_CHARACTERISTICS = st.builds(GattCharacteristic, _UUIDS, st.sampled_from([0, 0, 0, 1, 2, 65535]), st.integers(1, 40))
_TABLES = st.lists(
    st.builds(
        GattService,
        _UUIDS,
        st.sampled_from([0, 0, 1, 9]),
        st.integers(1, 40),
        st.lists(_CHARACTERISTICS, max_size=4),
        st.sampled_from([0, 50, 51]),
    ),
    max_size=5,
)


@FAST
@given(table=_TABLES, answers=st.lists(st.binary(max_size=30), max_size=30), is_paired=st.booleans())
def test_any_table(table, answers, is_paired):
    peer = (
        Peer(entropy=Draws("x"), pairing=PAIRING)
        if is_paired
        else Peer(entropy=Draws("x"), device_id=PAIRING.accessory_id)
    )
    device = Device(paired=is_paired)
    numbers = [peer.submit(command, 0.0) for command in ([Read([ON]), GetAccessories()] if is_paired else [Identify()])]
    now, replies, left = 0.0, [], list(answers)
    for _ in range(400):
        while (output := peer.poll()) is not None:
            if isinstance(output, GattConnect):
                peer.receive_gatt(GattResult(output.operation, table=tuple(table), max_write=100), now)
            elif isinstance(output, GattRead | GattReadDescriptor):
                peer.receive_gatt(GattResult(output.operation, left.pop(0) if left else b""), now)
            elif isinstance(output, GattWrite | GattSubscribe):
                peer.receive_gatt(GattResult(output.operation), now)
            elif isinstance(output, Done | Failed):
                replies.append(output.command)
        now += 0.3
        peer.link_lost(now)
        peer.receive_advertisement(Advertisement("a", device.advert()), now)
        peer.handle_timeout(now)
    assert sorted(replies) == sorted(numbers)


@FAST
@given(st.lists(st.binary(max_size=40), max_size=30))
def test_any_advertisement(datas):
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    for data in datas:
        air.say(data)
        air.say(b"\x06" + data)
        air.say(b"\x11" + data)
    air.run(60)
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    whole(air)


# --- the host ---------------------------------------------------------------------------------------------------------


def test_a_host_that_remembers_another_table_is_told_to_ask_again():
    air = paired()
    good = air.device.table
    air.device.table = tuple(one for one in good if "00000055" not in one.uuid)
    connects: list[bool] = []

    def hook(effect: Any) -> str | None:
        if isinstance(effect, GattConnect):
            connects.append(effect.fresh)
            if effect.fresh:
                air.device.table = good
        return None

    air.hook = hook
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert connects == [False, True]
    air.run(60)
    air.ask(Read([ON]))
    assert connects == [False, True, False]


def test_a_device_that_is_no_accessory_is_said_to_be_none():
    air = paired()
    air.device.table = tuple(one for one in air.device.table if "00000055" not in one.uuid)
    error = air.ask(Read([ON]))
    assert isinstance(error, RemoteProtocolError)
    assert "Pairing service" in str(error)


def test_instance_ids_are_read_once_and_a_hiccup_is_forgiven():
    air = paired()
    failed: set[int] = set()

    def hook(effect: Any) -> str | None:
        if isinstance(effect, GattReadDescriptor) and effect.handle not in failed:
            failed.add(effect.handle)
            return "error"
        return None

    air.hook = hook
    (described,) = air.ask(GetAccessories())
    assert described.find(0x33) is not None
    reads = [one.handle for one in air.effects if isinstance(one, GattReadDescriptor)]
    assert sorted(reads) == sorted(2 * list(failed))


def test_a_characteristic_without_a_number_is_left_out():
    air = paired()
    handle = next(handle for handle, iid in air.device.by_handle.items() if iid == 0x34)
    air.hook = lambda effect: "error" if isinstance(effect, GattReadDescriptor) and effect.handle == handle else None
    (described,) = air.ask(GetAccessories())
    assert described.find(0x34) is None
    assert described.find(0x33) is not None


def test_numbers_of_any_length_are_numbers():
    air = paired()

    def hook(effect: Any) -> str | None:
        if not isinstance(effect, GattReadDescriptor):
            return None
        number = air.device.by_handle[effect.handle].to_bytes(8, "little")
        air.engine.receive_gatt(GattResult(effect.operation, number), air.time)
        return "silent"

    air.hook = hook
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


def test_a_number_that_is_too_great_is_said():
    air = paired()

    def hook(effect: Any) -> str | None:
        if not isinstance(effect, GattReadDescriptor):
            return None
        air.engine.receive_gatt(GattResult(effect.operation, b"\xff" * 4), air.time)
        return "silent"

    air.hook = hook
    assert isinstance(air.ask(Read([ON])), RemoteProtocolError)


def test_indications_that_cannot_be_switched_on_keep_a_status():
    air = paired()
    air.hook = lambda effect: "error" if isinstance(effect, GattSubscribe) else None
    assert air.ask(Subscribe([ON])) == {ON: -70406}
    air.hook = lambda effect: None
    air.run(30)
    air.device.gsn += 1
    air.run(30)
    assert air.engine.link is Link.IDLE


def test_an_indication_that_was_not_asked_for_is_ignored():
    air = paired()
    air.ask(Read([ON]))
    air.device.log.clear()
    for handle in (*air.device.by_handle, 0, 9999, -1):
        air.engine.receive_indication(handle, air.time)
    air.pump()
    assert not air.device.log


def test_an_event_that_makes_no_sense_is_reported_and_the_session_goes_on():
    air = paired()
    air.ask(Subscribe([ON]))
    air.indicate(0x33, b"\1\2\3")
    assert len(air.events(EventUnreadable)) == 1
    assert air.ask(Read([BRIGHTNESS])) == {BRIGHTNESS: ReadResult(50)}


def test_values_that_no_body_can_hold_are_refused():
    air = paired()
    air.ask(Read([ON]))
    with pytest.raises(ValueRefused):
        air.do(Write([Value(DATA, bytes(64001))]))
    assert air.ask(Write([Value(DATA, bytes(64000))])) is not None


def test_keys_are_told_to_who_writes_a_key_log():
    air = paired()
    air.engine.tells_keys = True
    air.ask(Read([ON]))
    air.run(60)
    air.ask(Read([ON]))
    told = air.events(SessionKeysMade)
    assert len(told) == 2
    assert told[0].keys != told[1].keys
    assert len(told[0].public) == 32
    assert told[0].accessory_id == PAIRING.accessory_id
    silent = paired()
    silent.ask(Read([ON]))
    assert not silent.events(SessionKeysMade)


def test_closing_forgets_what_waits_for_a_pause():
    air = paired()
    air.hook = lambda effect: "error" if isinstance(effect, GattConnect) else None
    number = air.do(Read([ON]))
    air.say(air.device.advert())
    assert air.engine.link is Link.WAITING
    air.ask(Close())
    assert isinstance(air.wait(number), Disconnected)
    assert air.engine.next_timeout() is None


def test_time_that_runs_back_changes_nothing():
    air = paired()
    air.ask(Read([ON]))
    air.time = -100.0
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


def test_a_removal_that_is_refused_leaves_everything_as_it_is():
    air = paired()
    air.device.statuses[Opcode.CHARACTERISTIC_WRITE, 0x25] = 5
    error = air.ask(RemovePairing(CONTROLLER.identifier.encode()))
    assert isinstance(error, HapError)
    assert air.stored
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


def test_remembered_numbers_that_are_refused_are_asked_for_again():
    """Another accessory in the same place, of the same shape and configuration number."""
    air = paired()
    air.ask(Read([ON]))
    cache = air.stored[air.engine.cache_key].replace(b",51,", b",151,").replace(b",67,", b",51,")
    air = Air(Peer(entropy=Draws("x"), pairing=PAIRING, cache=cache), air.device)
    air.device.closed()
    air.ask(Read([ON]))
    air.device.log.clear()
    assert air.ask(Write([Value(ON, True)])) == {ON: WriteResult()}
    assert air.device.values[0x33] == b"\1"
    assert air.ask(Read([SECOND])) == {SECOND: ReadResult(True)}
