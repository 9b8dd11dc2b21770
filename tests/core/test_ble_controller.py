"""The controller's engine for Bluetooth LE against a scripted accessory, in virtual time."""

from __future__ import annotations

import pytest
from tests.core.ble_device import PAIRING, Air, Device, paired, unpaired
from tests.core.pairing_kit import ACCESSORY, CODE, CONTROLLER, STRANGER, Draws

from hapcore.ble.controller import (
    AvailabilityChanged,
    DatabaseChanged,
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattWrite,
    Link,
    PairingForgotten,
    Peer,
    State,
)
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode, Response
from hapcore.controller.commands import (
    AddPairing,
    CharacteristicWrite,
    Close,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    StartPairSetup,
    Subscribe,
    Unsubscribe,
    VerifyPairing,
    Write,
)
from hapcore.controller.events import CharacteristicChanged, SessionClosed
from hapcore.controller.results import ReadResult, WriteResult
from hapcore.crypto.secret import Secret
from hapcore.engine import Done, Failed, Persist
from hapcore.errors import (
    DesynchronisedError,
    Disconnected,
    EffectFailed,
    LocalProtocolError,
    PairingRefused,
    Refused,
    RemoteProtocolError,
    TimedOut,
    ValueRefused,
)
from hapcore.ids import HapStatus
from hapcore.model.metadata import Permission
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode

ON, BRIGHTNESS, SECOND, LOCK, BUTTON, DATA, CONTROL = ((1, iid) for iid in (0x33, 0x34, 0x43, 0x51, 0x52, 0x53, 0x54))


def changes(air: Air) -> list[tuple[int, object]]:
    return [(one.id.iid, one.value) for one in air.events(CharacteristicChanged)]


def opcodes(air: Air) -> list[int]:
    return [opcode for opcode, _, _ in air.device.log]


def connects(air: Air) -> int:
    return sum(isinstance(one, GattConnect) for one in air.effects)


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_pairs_and_goes_on_with_a_session_of_its_own_accord():
    air = unpaired()
    assert air.ask(Identify()) is None
    assert air.ask(StartPairSetup(identity=CONTROLLER)) is None
    assert air.engine.state is State.CODE_WANTED
    pairing = air.ask(FinishPairSetup(SetupCode(CODE)))
    assert pairing == PAIRING
    assert air.engine.state is State.PAIRED
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert connects(air) == 1


def test_the_link_waits_for_the_setup_code_and_is_left_alone():
    air = unpaired()
    air.ask(StartPairSetup(identity=CONTROLLER))
    air.run(600)
    assert air.engine.link is Link.CLEAR
    assert isinstance(air.ask(FinishPairSetup(SetupCode(CODE))), Pairing)


def test_a_wrong_setup_code_is_said_and_a_new_start_needed():
    air = unpaired()
    air.ask(StartPairSetup())
    error = air.ask(FinishPairSetup(SetupCode("111-22-333")))
    assert isinstance(error, PairingRefused)
    assert error.error == 2
    with pytest.raises(LocalProtocolError, match="start pair-setup first"):
        air.do(FinishPairSetup(SetupCode(CODE)))
    air.ask(StartPairSetup(identity=CONTROLLER))
    assert air.ask(FinishPairSetup(SetupCode(CODE))) == PAIRING


def test_a_link_lost_while_the_code_is_looked_for_fails_the_second_half():
    air = unpaired()
    air.ask(StartPairSetup())
    air.lose()
    assert isinstance(air.ask(FinishPairSetup(SetupCode(CODE))), Disconnected)
    assert air.engine.state is State.UNPAIRED


@pytest.mark.parametrize(("features", "method"), [(0, 0), (1, 1), (2, 0), (3, 1)])
def test_the_method_follows_the_pairing_features(features, method):
    air = unpaired()
    air.device.values[0x24] = bytes((features,))
    air.ask(StartPairSetup())
    opcode, iid, body = next(one for one in air.device.log if one[1] == 0x22)
    message = tlv8.first(tlv8.decode(body or b""), 1) or b""
    assert (opcode, iid) == (Opcode.CHARACTERISTIC_WRITE, 0x22)
    assert tlv8.first(tlv8.decode(message), 0) == bytes((method,))


def test_an_accessory_that_is_paired_already_refuses():
    air = unpaired(Device())
    error = air.ask(StartPairSetup())
    assert isinstance(error, PairingRefused)
    assert error.error == 6


def test_obsolete_fragments_of_pairing_messages_are_put_together():
    air = unpaired()
    rest = bytearray()

    def cut(opcode: int, iid: int, response: Response) -> Response:
        if iid != 0x22 or opcode != Opcode.CHARACTERISTIC_WRITE:
            return response
        body = air.device.log[-1][2] or b""
        if (tlv8.first(tlv8.decode(body), 1) or b"")[:1] != b"\x0c":
            rest[:] = tlv8.first(tlv8.decode(response.body), 1) or b""
        piece = bytes(rest[:100])
        del rest[:100]
        message = tlv8.encode([(0x0C if rest else 0x0D, piece)])
        return Response(response.tid, 0, tlv8.encode([(1, message)]))

    serve = air.device.serve

    def more(opcode: int, iid: int, request: object) -> Response:
        value = tlv8.first(tlv8.decode(getattr(request, "body", b"") or b""), 1)
        if iid == 0x22 and value == b"\x0c\0":
            return Response(getattr(request, "tid", 0), 0, b"")
        return serve(opcode, iid, request)

    air.device.serve = more
    air.device.responded = cut
    air.ask(StartPairSetup(identity=CONTROLLER))
    assert air.ask(FinishPairSetup(SetupCode(CODE))) == PAIRING


def test_an_accessory_that_has_its_answers_read_for_themselves_is_paired():
    air = unpaired()
    kept: dict[int, bytes] = {}

    def responded(opcode: int, iid: int, response: Response) -> Response:
        if iid not in (0x22, 0x23) or response.status:
            return response
        if opcode == Opcode.CHARACTERISTIC_WRITE:
            kept[iid] = response.body
            return Response(response.tid, 0)
        return Response(response.tid, 0, kept[iid])

    serve = air.device.serve
    air.device.serve = lambda opcode, iid, request: (
        Response(request.tid, 0)
        if opcode == Opcode.CHARACTERISTIC_READ and iid in (0x22, 0x23)
        else serve(opcode, iid, request)
    )
    air.device.responded = responded
    air.ask(StartPairSetup(identity=CONTROLLER))
    assert air.ask(FinishPairSetup(SetupCode(CODE))) == PAIRING


def test_endless_fragments_end():
    air = unpaired()
    message = tlv8.encode([(1, tlv8.encode([(0x0C, b"x")]))])
    air.device.responded = lambda opcode, iid, response: (
        Response(response.tid, 0, message) if iid == 0x22 and opcode == 2 else response
    )
    serve = air.device.serve
    air.device.serve = lambda opcode, iid, request: (
        Response(request.tid, 0) if iid == 0x22 and opcode == 2 else serve(opcode, iid, request)
    )
    assert isinstance(air.ask(StartPairSetup()), RemoteProtocolError)


def test_a_given_pairing_is_verified_by_command_and_another_is_refused():
    air = unpaired(Device())
    with pytest.raises(LocalProtocolError):
        air.do(VerifyPairing(Pairing("00:00:00:00:00:01", bytes(32), "x", Secret(bytes(32)))))
    assert air.ask(VerifyPairing(PAIRING)) is None
    assert air.engine.link is Link.SECURED
    other = Pairing(ACCESSORY.device_id, ACCESSORY.ltpk, STRANGER.identifier, STRANGER.ltsk)
    with pytest.raises(LocalProtocolError):
        air.do(VerifyPairing(other))


def test_a_controller_that_was_removed_is_told_so_and_the_peer_stays_usable():
    device = Device()
    device.pairings.clear()
    air = paired(device)
    first, second = air.do(Read([ON])), air.do(ListPairings())
    for number in (first, second):
        error = air.wait(number)
        assert isinstance(error, PairingRefused)
        assert error.error == 2
    device.pairings[CONTROLLER.identifier.encode()] = paired().device.pairings[CONTROLLER.identifier.encode()]
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_the_second_link_resumes_and_reads_no_database():
    air = paired()
    air.ask(Read([ON]))
    air.run(30)
    assert air.engine.link is Link.IDLE
    air.device.log.clear()
    air.effects.clear()
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert opcodes(air) == [Opcode.CHARACTERISTIC_WRITE, Opcode.CHARACTERISTIC_READ]
    assert not any(isinstance(one, GattReadDescriptor) for one in air.effects)


def test_a_session_that_is_not_known_any_more_is_verified_with_the_same_messages():
    air = paired()
    air.ask(Read([ON]))
    air.run(30)
    air.device.cache.clear()
    air.device.log.clear()
    air.ask(Read([ON]))
    assert opcodes(air) == [Opcode.CHARACTERISTIC_WRITE, Opcode.CHARACTERISTIC_WRITE, Opcode.CHARACTERISTIC_READ]


def test_a_resume_that_is_refused_is_followed_by_one_full_verify():
    air = paired()
    air.ask(Read([ON]))
    air.run(30)
    number, shared = next(iter(air.device.cache._entries.items()))
    air.device.cache.store(number, shared.controller, Secret(bytes(32)))
    air.device.log.clear()
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert opcodes(air) == [Opcode.CHARACTERISTIC_WRITE] * 3 + [Opcode.CHARACTERISTIC_READ]


def test_a_session_is_offered_once():
    air = paired()
    air.ask(Read([ON]))
    air.run(30)
    air.device.log.clear()
    spoilt: list[object] = []
    air.hook = lambda effect: spoilt.append(effect) or "lost" if isinstance(effect, GattRead) and not spoilt else None
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    messages = [tlv8.first(tlv8.decode(body or b""), 1) or b"" for _, iid, body in air.device.log if iid == 0x23]
    methods = [tlv8.first(tlv8.decode(message), 0) for message in messages]
    assert methods == [b"\x06", None, None], "what was offered may be used up"


def test_signatures_are_read_inside_the_session_and_the_pairing_service_is_left_alone():
    air = paired()
    air.ask(GetAccessories())
    assert set(air.device.clear_log) == {0x23}
    touched = {iid for opcode, iid, _ in air.device.log if opcode == Opcode.CHARACTERISTIC_SIGNATURE_READ}
    assert not touched & {0x22, 0x23, 0x24, 0x25}


@pytest.mark.parametrize("max_write", [0, 20, 36, 84, 97, 155, 182, 244, 509, 512, 514])
def test_fragments_keep_to_the_link(max_write):
    device = Device(paired=False, max_write=max_write)
    air = unpaired(device)
    air.ask(StartPairSetup(identity=CONTROLLER))
    assert air.ask(FinishPairSetup(SetupCode(CODE))) == PAIRING
    assert max(device.fragment_sizes) <= min(device.max_write, 512)
    device.fragment_sizes.clear()
    value = bytes(range(256)) * 2
    assert air.ask(Write([CharacteristicWrite(DATA, value)])) == {DATA: WriteResult()}
    assert device.values[0x53] == value
    assert max(device.fragment_sizes) == max(36, min(device.max_write, 512))
    assert air.ask(Read([DATA])) == {DATA: ReadResult(value)}


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 511, 512, 513])
def test_values_of_awkward_lengths(size):
    air = paired()
    value = bytes(index % 251 for index in range(size))
    assert air.ask(Write([CharacteristicWrite(DATA, value)])) == {DATA: WriteResult()}
    assert air.ask(Read([DATA])) == {DATA: ReadResult(value)}


# --- the database -----------------------------------------------------------------------------------------------------


def test_accessories_look_like_those_on_ip():
    air = paired()
    (accessory,) = air.ask(GetAccessories())
    assert accessory.aid == 1
    assert accessory.name == "Lamp"
    assert [one.iid for one in accessory.services] == [1, 0x10, 0x30, 0x40, 0x50]
    first, second = accessory.services[2:4]
    assert (first.primary, first.hidden, first.linked) == (True, False, (0x40,))
    assert (second.primary, second.linked) == (False, ())
    assert [(one.iid, one.value) for one in first.characteristics] == [(0x33, False), (0x34, 50)]
    assert second.characteristics[0].value is True
    lock = accessory.find(0x51)
    assert lock is not None
    assert {Permission.TIMED_WRITE, Permission.ADDITIONAL_AUTHORIZATION} <= lock.metadata.perms
    control = accessory.find(0x54)
    assert control is not None
    assert control.value is None, "not to be read before it is written"
    assert len(air.events(DatabaseChanged)) == 1
    assert air.engine.accessories == (accessory,)


def test_the_cache_saves_the_database_and_a_changed_configuration_is_read_anew():
    air = paired()
    air.ask(Read([ON]))
    cache = air.stored[air.engine.cache_key]
    air = paired(air.device, cache=cache)
    air.device.closed()
    air.device.log.clear()
    air.ask(Read([ON]))
    assert Opcode.CHARACTERISTIC_SIGNATURE_READ not in opcodes(air)
    air.run(30)
    air.device.cn = 2
    air.device.log.clear()
    air.ask(Read([ON]))
    assert opcodes(air).count(Opcode.CHARACTERISTIC_SIGNATURE_READ) > 5
    air.run(30)
    air.device.log.clear()
    air.ask(Read([ON]))
    assert Opcode.CHARACTERISTIC_SIGNATURE_READ not in opcodes(air)


@pytest.mark.parametrize(
    "cache", [b"", b"{", b"[]", b'{"format":1}', b'{"format":2}', b"\xff", b'{"format":1,"gsn":-1}']
)
def test_a_damaged_cache_is_no_cache(cache):
    air = paired(cache=cache)
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


def test_a_table_of_another_shape_is_read_anew_whatever_the_number_says():
    air = paired()
    air.ask(Read([SECOND]))
    air.run(30)
    air.device.build(skip=0x30)
    assert air.ask(Read([SECOND])) == {SECOND: ReadResult(True)}
    assert air.ask(Read([ON])) == {ON: ReadResult(None, HapStatus.DOES_NOT_EXIST)}


def test_a_refused_signature_costs_one_characteristic_its_metadata():
    device = Device()
    device.statuses[Opcode.CHARACTERISTIC_SIGNATURE_READ, 0x53] = 6
    device.statuses[Opcode.SERVICE_SIGNATURE_READ, 0x31] = 6
    air = paired(device)
    (accessory,) = air.ask(GetAccessories())
    found = accessory.find(0x53)
    assert found is not None
    assert not found.metadata.perms
    assert accessory.services[2].linked == ()


def test_the_same_service_twice_is_told_apart_by_number():
    air = paired()
    assert air.ask(Write([CharacteristicWrite(SECOND, False)])) == {SECOND: WriteResult()}
    assert (air.device.values[0x33], air.device.values[0x43]) == (b"\0", b"\0")
    air.ask(Write([CharacteristicWrite(ON, True)]))
    assert (air.device.values[0x33], air.device.values[0x43]) == (b"\1", b"\0")


# --- reading and writing ----------------------------------------------------------------------------------------------


def test_reads_carry_what_the_flags_ask_for():
    air = paired()
    result = air.ask(Read([BRIGHTNESS], meta=True, perms=True, type=True, ev=True))
    assert result == {
        BRIGHTNESS: ReadResult(
            50,
            fields={
                "format": "int",
                "minValue": 0,
                "maxValue": 100,
                "perms": ["ev", "pr", "pw"],
                "type": "8",
                "ev": False,
            },
        )
    }


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (1, HapStatus.UNABLE_TO_COMMUNICATE),
        (2, HapStatus.BUSY),
        (3, HapStatus.INSUFFICIENT_AUTHORIZATION),
        (4, HapStatus.DOES_NOT_EXIST),
        (5, HapStatus.INSUFFICIENT_PRIVILEGES),
        (6, HapStatus.INVALID_VALUE),
        (77, HapStatus.UNABLE_TO_COMMUNICATE),
    ],
)
def test_statuses_are_those_of_the_common_api(status, wanted):
    air = paired()
    air.device.statuses[Opcode.CHARACTERISTIC_READ, 0x33] = status
    air.device.statuses[Opcode.CHARACTERISTIC_WRITE, 0x33] = status
    assert air.ask(Read([ON, BRIGHTNESS])) == {ON: ReadResult(None, wanted), BRIGHTNESS: ReadResult(50)}
    assert air.ask(Write([CharacteristicWrite(ON, True)])) == {ON: WriteResult(wanted)}


def test_missing_permissions_have_names_of_their_own():
    air = paired()
    air.device.statuses[Opcode.CHARACTERISTIC_READ, 2] = 1
    air.device.statuses[Opcode.CHARACTERISTIC_WRITE, 3] = 1
    assert air.ask(Read([(1, 2)])) == {(1, 2): ReadResult(None, HapStatus.WRITE_ONLY)}
    assert air.ask(Write([CharacteristicWrite((1, 3), "x")])) == {(1, 3): WriteResult(HapStatus.READ_ONLY)}


@pytest.mark.parametrize("one", [(1, 0x22), (1, 0x24), (1, 0x25), (1, 0x11), (1, 0x999), (2, 0x33), (1, 2**40)])
def test_what_applications_do_not_see_does_not_exist(one):
    air = paired()
    air.ask(Read([ON]))
    air.device.log.clear()
    assert air.ask(Read([one])) == {one: ReadResult(None, HapStatus.DOES_NOT_EXIST)}
    assert air.ask(Write([CharacteristicWrite(one, 1)])) == {one: WriteResult(HapStatus.DOES_NOT_EXIST)}
    assert air.ask(Subscribe([one])) == {one: HapStatus.DOES_NOT_EXIST}
    assert not air.device.log


def test_timed_writes_come_in_two_pdus_and_plain_ones_in_one():
    air = paired()
    air.ask(Read([ON]))
    air.device.log.clear()
    assert air.ask(Write([CharacteristicWrite(LOCK, 1, auth_data=b"\xaa\xbb", remote=True)])) == {LOCK: WriteResult()}
    assert air.device.log == [
        (Opcode.CHARACTERISTIC_TIMED_WRITE, 0x51, bytes.fromhex("0101010801640202aabb030101")),
        (Opcode.CHARACTERISTIC_EXECUTE_WRITE, 0x51, None),
    ]
    air.device.log.clear()
    air.ask(Write([CharacteristicWrite(ON, True)], timed_ms=250))
    assert air.device.log[0] == (Opcode.CHARACTERISTIC_TIMED_WRITE, 0x33, bytes.fromhex("010101080103"))
    air.device.log.clear()
    air.ask(Write([CharacteristicWrite(ON, True)]))
    assert air.device.log == [(Opcode.CHARACTERISTIC_WRITE, 0x33, bytes.fromhex("010101"))]


def test_a_timed_write_that_comes_too_late_is_an_invalid_value_as_on_ip():
    air = paired()
    air.device.statuses[Opcode.CHARACTERISTIC_EXECUTE_WRITE, 0x51] = 1
    assert air.ask(Write([CharacteristicWrite(LOCK, 1)])) == {LOCK: WriteResult(HapStatus.INVALID_VALUE)}


def test_write_responses_and_those_who_only_say_they_answer():
    air = paired()
    write = Write([CharacteristicWrite(CONTROL, b"\x01\x01\x05", response=True)])
    assert air.ask(write) == {CONTROL: WriteResult(value=b"\x01\x01\x05")}
    assert air.device.log[-1][2] == bytes.fromhex("0103010105090101")
    air.device.responded = lambda opcode, iid, response: (
        Response(response.tid, 0) if opcode == Opcode.CHARACTERISTIC_WRITE else response
    )
    assert air.ask(write) == {CONTROL: WriteResult(value=b"\x01\x01\x05")}
    assert opcodes(air)[-1] == Opcode.CHARACTERISTIC_READ


def test_values_are_checked_before_anything_is_written():
    air = paired()
    number = air.do(Write([CharacteristicWrite(ON, True), CharacteristicWrite(BRIGHTNESS, 101)]))
    assert isinstance(air.wait(number), ValueRefused)
    assert air.device.values[0x33] == b"\0"
    with pytest.raises(ValueRefused):
        air.do(Write([CharacteristicWrite(BRIGHTNESS, 101)]))


def test_impossible_arguments_are_the_callers_mistake():
    air = paired()
    for command in (
        Read([]),
        Read([(0, 1)]),
        Write([]),
        Write([CharacteristicWrite(ON, True)] * 2),
        Write([CharacteristicWrite(ON, True)], timed_ms=0),
        Identify(aid=0),
        AddPairing(b"", bytes(32)),
    ):
        with pytest.raises(LocalProtocolError):
            air.do(command)
    with pytest.raises(LocalProtocolError):
        unpaired().do(Read([ON]))
    with pytest.raises(LocalProtocolError):
        paired().do(StartPairSetup())


def test_identify_in_a_session_writes_the_characteristic():
    air = paired()
    assert air.ask(Identify()) is None
    assert air.device.log[-1] == (Opcode.CHARACTERISTIC_WRITE, 2, bytes.fromhex("010101"))
    assert isinstance(air.ask(Identify(aid=2)), LocalProtocolError)
    air.device.statuses[Opcode.CHARACTERISTIC_WRITE, 2] = 6
    error = air.ask(Identify())
    assert isinstance(error, Refused)
    assert error.hap_status == HapStatus.INVALID_VALUE


# --- pairings ---------------------------------------------------------------------------------------------------------


def test_pairings_are_listed_added_and_removed():
    air = paired()
    stranger = STRANGER.identifier.encode()
    assert air.ask(AddPairing(stranger, STRANGER.ltpk)) is None
    assert {one.identifier for one in air.ask(ListPairings())} == {CONTROLLER.identifier.encode(), stranger}
    assert air.ask(RemovePairing(stranger)) is None
    assert len(air.device.pairings) == 1


def test_removing_ourselves_ends_the_life_of_the_peer():
    air = paired()
    air.ask(Read([ON]))
    assert air.ask(RemovePairing(CONTROLLER.identifier.encode())) is None
    assert air.engine.state is State.CLOSED
    assert air.events(SessionClosed) == [SessionClosed(None)]
    assert not air.stored
    assert isinstance(air.ask(Read([ON])), Disconnected)


def test_the_answer_to_our_removal_may_get_lost_with_the_link():
    air = paired()
    air.ask(Read([ON]))

    def hook(effect: object) -> str | None:
        if isinstance(effect, GattRead) and not air.device.pairings:
            air.hook = lambda effect: None
            return "lost"
        return None

    air.hook = hook
    assert air.ask(RemovePairing(CONTROLLER.identifier.encode())) is None
    assert air.engine.state is State.CLOSED


# --- events -----------------------------------------------------------------------------------------------------------


def test_indications_are_read_and_told():
    air = paired()
    assert air.ask(Subscribe([ON, SECOND])) == {ON: HapStatus.SUCCESS, SECOND: HapStatus.SUCCESS}
    air.indicate(0x33, b"\1")
    air.indicate(0x43, b"\0")
    assert changes(air) == [(0x33, True), (0x43, False)]


def test_values_are_read_before_indications_are_switched_on():
    air = paired()
    air.ask(Subscribe([ON]))
    order = [type(one).__name__ for one in air.effects]
    subscribed = order.index("GattSubscribe")
    assert (Opcode.CHARACTERISTIC_READ, 0x33, None) in air.device.log
    assert order[:subscribed].count("GattWrite") > 0
    assert changes(air) == []


def test_many_indications_of_one_characteristic_cost_two_reads():
    air = paired()
    air.ask(Subscribe([ON]))
    air.device.log.clear()
    handle = next(iter(air.device.indicating))
    waiting: list[object] = []
    air.hook = lambda effect: waiting.append(effect) or "silent" if isinstance(effect, GattWrite) else None
    for _ in range(20):
        air.engine.receive_indication(handle, air.time)
        air.pump()
    air.hook = lambda effect: None
    assert len(waiting) == 1
    air._carry_out(waiting[0])
    air.pump()
    assert opcodes(air) == [Opcode.CHARACTERISTIC_READ] * 2


def test_what_has_no_events_refuses_and_unsubscribing_is_quiet():
    air = paired()
    assert air.ask(Subscribe([DATA])) == {DATA: HapStatus.NOTIFICATION_NOT_SUPPORTED}
    air.ask(Subscribe([ON]))
    assert air.ask(Unsubscribe([ON])) == {ON: HapStatus.SUCCESS}
    assert not air.device.indicating
    assert not air.device.casting
    count = len(air.effects)
    air.run(60)
    air.device.gsn += 1
    air.run(60)
    assert len(air.effects) <= count + 3, "nobody listens, nobody connects"


def test_a_change_while_away_moves_the_state_number_and_is_told():
    air = paired()
    air.ask(Subscribe([ON, BRIGHTNESS, SECOND]))
    air.run(40)
    assert air.engine.link is Link.IDLE
    assert air.scanning
    air.device.gsn += 1
    air.device.values[0x34] = (80).to_bytes(4, "little")
    air.run(3)
    assert changes(air) == [(0x34, 80)]
    assert len(air.device.indicating) == 3
    air.run(60)
    assert air.engine.link is Link.IDLE
    assert changes(air) == [(0x34, 80)]
    assert connects(air) == 2, "our own connection is no news"


def test_what_moves_no_state_number_is_read_on_every_new_link():
    air = paired()
    air.ask(Subscribe([SECOND]))
    air.run(40)
    air.device.values[0x43] = b"\0"
    air.run(60)
    assert changes(air) == []
    air.ask(Read([ON]))
    assert changes(air) == [(0x43, False)]


def test_a_link_lost_between_indication_and_read_loses_no_change():
    air = paired()
    air.ask(Subscribe([ON]))
    air.hook = lambda effect: "lost" if isinstance(effect, GattWrite) else None
    air.indicate(0x33, b"\1")
    air.hook = lambda effect: None
    air.run(5)
    assert changes(air) == [(0x33, True)]


def test_changes_that_wait_for_their_turn_outlive_the_link():
    air = paired()
    air.ask(Subscribe([ON, BRIGHTNESS]))
    air.hook = lambda effect: "silent"
    air.indicate(0x33, b"\1")
    air.indicate(0x34, (9).to_bytes(4, "little"))
    air.hook = lambda effect: None
    air.lose()
    air.run(5)
    assert sorted(changes(air)) == [(0x33, True), (0x34, 9)]


def test_a_change_that_waits_behind_a_command_outlives_the_link():
    air = paired()
    air.ask(Subscribe([ON]))
    air.hook = lambda effect: "silent"
    number = air.do(Write([CharacteristicWrite(BRIGHTNESS, 1)]))
    air.indicate(0x33, b"\1")
    air.hook = lambda effect: None
    air.lose()
    air.run(5)
    assert changes(air) == [(0x33, True)]
    assert isinstance(air.wait(number), Disconnected)


def test_commands_and_changes_take_turns():
    air = paired()
    air.ask(Subscribe([ON, BRIGHTNESS]))
    held: list[object] = []
    air.hook = lambda effect: held.append(effect) or "silent"
    numbers = [air.do(Read([SECOND])) for _ in range(6)]
    air.indicate(0x33, b"\1")
    air.indicate(0x34, (9).to_bytes(4, "little"))
    air.hook = lambda effect: None
    air._carry_out(held[0])
    air.pump()
    told = [one for one in air.outputs if isinstance(one, CharacteristicChanged | Done)][-8:]
    assert [isinstance(one, CharacteristicChanged) for one in told] == [False, True, False, True] + [False] * 4
    assert all(air.replies(number) for number in numbers)


def test_a_button_is_told_at_each_press():
    air = paired()
    air.ask(Subscribe([BUTTON]))
    air.indicate(0x52, b"\0")
    air.indicate(0x52, b"\0")
    assert changes(air) == [(0x52, 0), (0x52, 0)]


def test_broadcasts_are_configured_once_and_heard_without_a_connection():
    air = paired()
    air.ask(Subscribe([ON]))
    assert air.device.casting == {0x33}
    air.run(40)
    count = connects(air)
    packet = air.device.broadcast(0x33, b"\1")
    for _ in range(5):
        air.say(packet)
    air.say(air.device.advert())
    assert changes(air) == [(0x33, True)]
    assert connects(air) == count
    configured = opcodes(air).count(Opcode.CHARACTERISTIC_CONFIGURATION)
    air.ask(Read([BRIGHTNESS]))
    air.run(1)
    assert opcodes(air).count(Opcode.CHARACTERISTIC_CONFIGURATION) == configured
    # The key outlives the program.
    air.run(40)
    cache = air.stored[air.engine.cache_key]
    again = Air(Peer(entropy=Draws("again"), pairing=PAIRING, cache=cache), air.device)
    again.ask(Subscribe([ON]))
    again.run(40)
    again.say(air.device.broadcast(0x33, b"\0"))
    assert changes(again) == [(0x33, False)]


@pytest.mark.parametrize("gsn", [1, 65533, 65534, 65535])
@pytest.mark.parametrize("missed", [0, 1, 50, 98])
def test_broadcasts_are_found_behind_missed_ones_and_over_the_wrap(gsn, missed):
    device = Device()
    device.gsn = gsn
    air = paired(device)
    air.ask(Subscribe([ON]))
    air.run(40)
    count = connects(air)
    for _ in range(missed):
        device.broadcast(0x33, b"\0")
    air.say(device.broadcast(0x33, b"\1"))
    assert changes(air) == [(0x33, True)]
    assert connects(air) == count


def test_a_broadcast_beyond_the_window_or_with_another_key_is_a_reason_to_connect():
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    air.device.key = Secret(b"k" * 32)  # another controller made a new one
    packet = air.device.broadcast(0x33, b"\1")
    air.say(packet)
    air.say(packet)
    air.run(40)
    assert changes(air) == [(0x33, True)]
    count = connects(air)
    air.say(air.device.broadcast(0x33, b"\0"))
    assert changes(air) == [(0x33, True), (0x33, False)], "the accessory's key was adopted"
    assert connects(air) == count


def test_after_a_broadcast_what_does_not_broadcast_is_looked_at_some_time():
    air = paired()
    air.ask(Subscribe([ON, BRIGHTNESS]))
    air.run(40)
    air.device.values[0x34] = (7).to_bytes(4, "little")
    air.say(air.device.broadcast(0x33, b"\1"))
    assert changes(air) == [(0x33, True)]
    air.run(90)
    assert changes(air) == [(0x33, True), (0x34, 7)]


def test_a_forged_broadcast_changes_nothing():
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    packet = bytearray(air.device.broadcast(0x33, b"\1"))
    packet[-1] ^= 1
    air.device.values[0x33] = b"\0"
    air.say(bytes(packet))
    air.run(60)
    assert changes(air) == []


def test_a_broadcast_that_an_earlier_run_has_heard_is_no_news():
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    packet = air.device.broadcast(0x33, b"\1")
    air.say(packet)
    assert changes(air) == [(0x33, True)]
    again = Air(Peer(entropy=Draws("x"), pairing=PAIRING, cache=air.stored[air.engine.cache_key]), air.device)
    again.ask(Subscribe([ON]))
    again.run(40)
    again.say(packet)
    assert changes(again) == []


def test_a_broadcast_that_cannot_be_read_is_a_reason_to_connect_once():
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    packet = bytearray(air.device.broadcast(0x33, b"\1"))
    air.device.gsn -= 1
    packet[-1] ^= 1
    before = connects(air)
    for _ in range(20):
        air.say(bytes(packet))
        air.run(30)
    assert connects(air) == before + 1


def test_a_key_that_soon_ends_is_made_anew():
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    first = air.device.key
    air.device.gsn = 32000
    air.run(60)
    assert air.device.key != first
    air.say(air.device.broadcast(0x33, b"\1"))
    assert (0x33, True) in changes(air)


def test_broadcasts_alone_lead_to_a_new_key_in_time():
    air = paired()
    air.ask(Subscribe([ON]))
    air.run(40)
    first = air.device.key
    air.device.gsn = 31700
    air.run(60)
    assert air.device.key == first
    said = 0
    while air.device.key == first:
        said += 1
        assert said < 60
        air.say(air.device.broadcast(0x33, bytes((said % 2,))))
    assert [value for _, value in changes(air)] == [bool(index % 2) for index in range(1, said + 1)]
    air.run(60)
    air.say(air.device.broadcast(0x33, bytes((1 - said % 2,))))
    assert len(changes(air)) == said + 1


def test_with_stay_the_link_is_kept_alive_for_subscriptions():
    air = paired(stay=True)
    air.ask(Subscribe([ON]))
    air.run(300)
    assert air.engine.link is Link.SECURED
    assert connects(air) == 1
    gaps = [one for one in opcodes(air) if one == Opcode.PROTOCOL_CONFIGURATION]
    assert len(gaps) >= 10


# --- advertisements ---------------------------------------------------------------------------------------------------


def test_an_accessory_that_was_reset_is_told_once():
    air = paired()
    air.device.pairings.clear()
    for _ in range(3):
        air.say(air.device.advert())
    assert len(air.events(PairingForgotten)) == 1


def test_what_is_not_ours_is_ignored_quietly():
    air = paired()
    for data in (b"", b"\x06", b"\x10\x05\x01", b"\x06\x31" + bytes(17), b"\x11\x36" + bytes(22), bytes(40)):
        air.say(data)
    assert not air.outputs


# --- failures ---------------------------------------------------------------------------------------------------------


def test_silence_is_told_after_a_while():
    """BlueZ tells of an unchanged advertisement only every 10.9 s while somebody else scans: ten would be too short."""
    air = paired()
    air.advertising = False
    error = air.ask(Read([ON]))
    assert isinstance(error, TimedOut)
    assert air.time == pytest.approx(15.0)
    assert [one.reachable for one in air.events(AvailabilityChanged)] == [False]
    assert not air.scanning
    air.advertising = True
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert [one.reachable for one in air.events(AvailabilityChanged)] == [False, True]


def test_a_connection_is_tried_five_times_with_pauses():
    air = paired()
    air.hook = lambda effect: "error" if isinstance(effect, GattConnect) else None
    error = air.ask(Read([ON]))
    assert isinstance(error, Disconnected)
    assert "not today" in str(error)
    assert connects(air) == 5
    assert 3.0 < air.time < 10.0
    air.hook = lambda effect: None
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


@pytest.mark.parametrize("how", ["lost", "error", "late lost", "silent"])
def test_a_read_is_tried_again_on_a_new_link_and_a_write_is_not(how):
    for command, again in ((Read([ON]), True), (Write([CharacteristicWrite(ON, True)]), False)):
        air = paired()
        air.ask(Read([BRIGHTNESS]))
        spoilt: list[object] = []

        def hook(effect: object, spoilt: list[object] = spoilt) -> str | None:
            if isinstance(effect, GattWrite) and not spoilt:
                spoilt.append(effect)
                return how
            return None

        air.hook = hook
        result = air.ask(command)
        assert (result == {ON: ReadResult(False)}) if again else isinstance(result, Disconnected), result
        assert isinstance(result, TimedOut) is (not again and how == "silent")
        assert len([one for one in air.effects if isinstance(one, GattDisconnect)]) == (how in ("error", "silent"))
        # The next session is as good as the first.
        assert air.ask(Read([BRIGHTNESS])) == {BRIGHTNESS: ReadResult(50)}


def test_a_host_that_does_not_say_that_a_link_is_gone_is_not_waited_for():
    air = paired()
    air.ask(Read([ON]))
    air.hook = lambda effect: "silent" if isinstance(effect, GattDisconnect) else None
    air.run(25)
    assert air.engine.link is Link.CLOSING
    began = air.time
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}
    assert air.time - began < 10


def test_a_read_that_fails_twice_fails():
    air = paired()
    air.ask(Read([BRIGHTNESS]))
    handle = next(handle for handle, iid in air.device.by_handle.items() if iid == 0x33)
    air.hook = lambda effect: "lost" if isinstance(effect, GattWrite) and effect.handle == handle else None
    assert isinstance(air.ask(Read([ON])), Disconnected)
    assert air.ask(Read([BRIGHTNESS])) == {BRIGHTNESS: ReadResult(50)}


def test_a_write_that_never_began_is_carried_out_on_the_next_link():
    air = paired()
    air.hook = lambda effect: "lost" if isinstance(effect, GattReadDescriptor) and connects(air) == 1 else None
    assert air.ask(Write([CharacteristicWrite(ON, True)])) == {ON: WriteResult()}
    assert connects(air) == 2


def test_a_wrong_tag_ends_the_link_and_the_next_one_resumes():
    air = paired()
    air.ask(Read([BRIGHTNESS]))
    read = air.device.read
    air.device.read = lambda handle: bytes(40)
    number = air.do(Write([CharacteristicWrite(ON, True)]))
    air.device.read = read
    error = air.wait(number)
    assert isinstance(error, DesynchronisedError)
    air.device.log.clear()
    assert air.ask(Read([ON])) == {ON: ReadResult(True)}
    assert opcodes(air) == [Opcode.CHARACTERISTIC_WRITE, Opcode.CHARACTERISTIC_READ]


@pytest.mark.parametrize("answer", [b"", b"\x02", b"\x02\x00\x00", b"\x82\x01", bytes(3), b"\x02\x01\x00\xff"])
def test_answers_that_are_none_end_the_link(answer):
    air = unpaired()
    air.hook = lambda effect: None
    read = air.device.read
    air.device.read = lambda handle: answer if handle not in air.device.descriptors else read(handle)
    assert isinstance(air.ask(Identify()), RemoteProtocolError)


def test_a_link_lost_in_every_handshake_is_given_up_after_five():
    air = paired()
    air.hook = lambda effect: "lost" if isinstance(effect, GattWrite) else None
    assert isinstance(air.ask(Read([ON])), Disconnected)
    assert connects(air) == 5


def test_a_radio_that_is_gone_is_said():
    air = paired()
    number = air.engine.submit(Read([ON]), 0.0)
    scan = air.engine.poll()
    assert scan is not None
    air.engine.effect_failed(scan, "no adapter", 0.0)
    air.pump()
    assert isinstance(air.wait(number), EffectFailed)
    number = air.engine.submit(Read([ON]), 1.0)
    air.engine.poll()
    air.engine.receive_advertisement(_advert(air), 1.0)
    for _ in range(50):
        while (output := air.engine.poll()) is not None:
            if hasattr(output, "operation"):
                air.engine.effect_failed(output, "unplugged", air.time)
            else:
                air.outputs.append(output)
        if air.replies(number):
            break
        air.time = air.engine.next_timeout() or air.time
        air.engine.handle_timeout(air.time)
        air.engine.receive_advertisement(_advert(air), air.time)
    assert "unplugged" in str(air.wait(number))


def _advert(air: Air):
    from hapcore.ble.controller import Advertisement

    return Advertisement("C0:FF:EE:00:00:01", air.device.advert())


def test_an_error_status_is_read_to_its_end_and_the_session_goes_on():
    air = paired(Device(max_write=36))
    air.device.responded = lambda opcode, iid, response: (
        Response(response.tid, 6, bytes(100)) if opcode == Opcode.CHARACTERISTIC_READ and iid == 0x33 else response
    )
    assert air.ask(Read([ON, BRIGHTNESS])) == {
        ON: ReadResult(None, HapStatus.INVALID_VALUE),
        BRIGHTNESS: ReadResult(50),
    }
    assert connects(air) == 1


def test_values_that_make_no_sense_cost_their_own_result():
    air = paired()
    air.device.values[0x33] = b"\1\2\3"
    air.device.values[0x34] = b""
    assert air.ask(Read([ON, BRIGHTNESS, SECOND])) == {
        ON: ReadResult(None, HapStatus.UNABLE_TO_COMMUNICATE),
        BRIGHTNESS: ReadResult(None),
        SECOND: ReadResult(True),
    }


# --- life -------------------------------------------------------------------------------------------------------------


def test_an_idle_link_is_dropped_before_the_accessory_does():
    air = paired()
    air.ask(Read([ON]))
    began = air.time
    air.run(19)
    assert air.engine.link is Link.SECURED
    air.run(2)
    assert air.engine.link is Link.IDLE
    assert air.time - began < 30
    assert not air.scanning
    assert air.engine.next_timeout() is None


def test_the_accessory_may_drop_an_idle_link_and_nobody_is_told():
    air = paired()
    air.ask(Read([ON]))
    before = len(air.events(Failed))
    air.lose()
    assert len(air.events(Failed)) == before
    assert not air.events(SessionClosed)
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


@pytest.mark.parametrize("when", ["idle", "seeking", "connecting", "secured", "reading"])
def test_close_ends_everything_in_every_state(when):
    air = paired()
    if when in ("secured", "reading"):
        air.ask(Read([ON]))
    if when == "connecting":
        air.hook = lambda effect: "silent"
    numbers = []
    if when in ("seeking", "connecting", "reading"):
        if when == "reading":
            air.hook = lambda effect: "silent"
        numbers.append(air.do(Read([ON])))
        numbers.append(air.do(Read([BRIGHTNESS])))
        if when == "connecting":
            air.say(air.device.advert())
    assert air.ask(Close()) is None
    for number in numbers:
        assert isinstance(air.wait(number), Disconnected)
    assert air.engine.state is State.CLOSED
    assert not air.scanning
    assert air.engine.next_timeout() is None
    assert air.events(SessionClosed) == [SessionClosed(None)]
    assert isinstance(air.ask(Read([ON])), Disconnected)
    assert air.ask(Close()) is None
    assert not air.device.connected


def test_commands_end_exactly_once_and_in_order():
    air = paired()
    numbers = [air.do(Read([ON])) for _ in range(50)]
    for number in numbers:
        air.wait(number)
    ended = [one.command for one in air.outputs if isinstance(one, Done | Failed)]
    assert ended == numbers


def test_too_many_commands_are_refused():
    air = paired()
    air.advertising = False
    for _ in range(256):
        air.do(Read([ON]))
    with pytest.raises(LocalProtocolError, match="waiting"):
        air.do(Read([ON]))


def test_late_results_of_dead_operations_are_ignored():
    from hapcore.ble.controller import GattResult

    air = paired()
    held: list[object] = []
    air.ask(Read([ON]))
    air.hook = lambda effect: held.append(effect) or "silent" if isinstance(effect, GattRead) else None
    number = air.do(Read([BRIGHTNESS]))
    air.hook = lambda effect: None
    assert air.wait(number) == {BRIGHTNESS: ReadResult(50)}
    air.engine.receive_gatt(GattResult(getattr(held[0], "operation", 0), b"late"), air.time)
    air.pump()
    assert air.ask(Read([ON])) == {ON: ReadResult(False)}


def test_nothing_secret_is_shown():
    air = paired()
    air.ask(Subscribe([ON]))
    shown = " ".join(repr(one) for one in air.outputs)
    key = air.device.key.reveal()
    for secret in (key, CONTROLLER.ltsk.reveal(), air.device.session.shared_secret.reveal()):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert any(isinstance(one, Persist) for one in air.outputs)


@pytest.mark.parametrize("identity", ["", "12:34", "not an id of any kind"])
def test_a_peer_has_a_name(identity):
    with pytest.raises(LocalProtocolError):
        Peer(entropy=Draws("x"), device_id=identity)
