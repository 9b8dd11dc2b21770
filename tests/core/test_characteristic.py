"""One characteristic: its flags, its value, who hears of a change, how it is written."""

from __future__ import annotations

import pytest

from hapcore.catalogue import characteristics as c
from hapcore.catalogue import values as v
from hapcore.catalogue.services import Lightbulb, StatelessProgrammableSwitch, Thermostat
from hapcore.engine import ConnectionId
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.ids import Caller, HapStatus, Transport
from hapcore.model.characteristic import Characteristic, HapStatusError
from hapcore.model.database import Database
from hapcore.model.metadata import Format, Permission


def test_flags_follow_the_permissions() -> None:
    on = Characteristic(c.ON)
    assert (on.readable, on.writable, on.notifies) == (True, True, True)
    assert (on.timed, on.write_response, on.authorized, on.hidden) == (False, False, False, False)
    lock = Characteristic(c.LOCK_TARGET_STATE, perms=["pw", "tw", "aa", "hd", "wr"])
    assert (lock.readable, lock.notifies) == (False, False)
    assert (lock.writable, lock.timed, lock.write_response, lock.authorized, lock.hidden) == (True,) * 5


def test_timed_and_authorized_are_added_to_what_the_type_permits() -> None:
    plain = Characteristic(c.LOCK_TARGET_STATE)
    lock = Characteristic(c.LOCK_TARGET_STATE, timed=True, authorized=True)
    assert lock.perms == plain.perms | {Permission.TIMED_WRITE, Permission.ADDITIONAL_AUTHORIZATION}
    assert lock.timed
    assert lock.authorized
    assert Characteristic(c.LOCK_TARGET_STATE, timed=True).perms == plain.perms | {Permission.TIMED_WRITE}
    assert Characteristic(c.LOCK_TARGET_STATE, authorized=False).metadata is c.LOCK_TARGET_STATE.metadata


def test_timed_and_authorized_go_beside_permissions_of_ones_own() -> None:
    lock = Characteristic(c.LOCK_TARGET_STATE, perms=["pr", "pw", "tw"], timed=False, authorized=True)
    assert sorted(lock.perms) == ["aa", "pr", "pw"]
    assert sorted(Characteristic(c.LOCK_TARGET_STATE, perms=["pw"]).perms) == ["pw"]


def test_setting_checks_and_stores() -> None:
    brightness = Characteristic(c.BRIGHTNESS, 40)
    assert (brightness.value, brightness.to_wire()) == (40, b"40")
    brightness.value = 70
    assert (brightness.value, brightness.to_wire()) == (70, b"70")
    with pytest.raises(ValueRefused, match="Brightness") as caught:
        brightness.value = 101
    assert caught.value.argument == "Brightness"
    assert brightness.value == 70


def test_a_binding_decides_what_happens_to_a_new_value() -> None:
    on = Characteristic(c.ON)
    told: list[tuple[Characteristic[bool], bool]] = []
    on.bind(lambda one, value: told.append((one, value)))
    on.value = True
    assert told == [(on, True)]
    assert on.value is False
    on.store(True)
    assert on.value is True
    assert len(told) == 1
    on.bind(None)
    on.value = False
    assert on.value is False
    assert len(told) == 1


def test_a_refused_value_reaches_no_binding() -> None:
    brightness = Characteristic(c.BRIGHTNESS)
    told: list[int] = []
    brightness.bind(lambda _, value: told.append(value))
    with pytest.raises(ValueRefused):
        brightness.value = -1
    assert told == []


def test_named_values_come_as_their_names() -> None:
    door = Characteristic(c.TARGET_DOOR_STATE, v.TargetDoorState.CLOSED)
    assert door.value is v.TargetDoorState.CLOSED
    assert door.to_wire() == b"1"
    assert door.from_wire(0) is v.TargetDoorState.OPEN
    assert door.coerce(1) is v.TargetDoorState.CLOSED
    status = Characteristic(c.THREAD_STATUS, v.ThreadStatus(16 | 1))
    assert status.to_wire() == b"17"


def test_a_value_without_a_name_is_a_number_all_the_same() -> None:
    key = Characteristic(c.REMOTE_KEY)
    found = key.from_wire(12)
    assert found == 12
    assert isinstance(found, v.RemoteKey)
    assert repr(found) == "<RemoteKey.VALUE_12: 12>"


def test_limits_of_its_own() -> None:
    target = Characteristic(c.TARGET_TEMPERATURE, 21.04, min=10, max=30, step=0.5)
    assert target.value == 21.0
    with pytest.raises(ValueRefused):
        target.value = 31.0
    assert c.TARGET_TEMPERATURE.metadata.max == 38
    with pytest.raises(LocalProtocolError):
        Characteristic(c.TARGET_TEMPERATURE, min=30, max=10)
    modes = Characteristic(c.TARGET_HEATING_COOLING_STATE, valid_values=[1, 0, 1])
    assert modes.metadata.valid_values == (0, 1)
    assert modes.fragments.choices == b',"valid-values":[0,1]'


def test_buttons_read_null_and_speak_at_once() -> None:
    button = StatelessProgrammableSwitch().programmable_switch_event
    assert button.immediate
    button.value = v.ProgrammableSwitchEvent.LONG_PRESS
    assert button.to_wire() == b"null"
    assert button.event_to_wire() == b"2"
    remote = Characteristic(c.BUTTON_EVENT, b"\x01\x01\x01")
    assert remote.immediate
    assert remote.to_wire() == b'"AQEB"'
    assert not Characteristic(c.ON).immediate


def test_control_points() -> None:
    assert Characteristic(c.SETUP_DATA_STREAM_TRANSPORT).control_point
    assert not Characteristic(c.SETUP_ENDPOINTS).control_point
    assert Characteristic(c.SETUP_ENDPOINTS, control_point=True).control_point
    assert not Characteristic(c.SETUP_DATA_STREAM_TRANSPORT, control_point=False).control_point


def test_handlers() -> None:
    on = Lightbulb().on
    assert not on.read_handled
    assert not on.write_handled

    @on.setter
    def write(value: bool, caller: Caller) -> None:
        if not caller.admin:
            raise HapStatusError(HapStatus.INSUFFICIENT_PRIVILEGES)

    @on.getter
    async def read(_: Caller) -> bool:
        return True

    assert (on.read_handled, on.write_handled) == (True, True)
    assert (on.getter_fn, on.setter_fn) == (read, write)
    with pytest.raises(HapStatusError) as caught:
        write(True, Caller(b"x", False, Transport.IP, ConnectionId(1)))
    assert caught.value.status is HapStatus.INSUFFICIENT_PRIVILEGES


def test_the_text_is_kept_until_the_value_changes() -> None:
    brightness = Characteristic(c.BRIGHTNESS, 40)
    assert brightness.to_wire() is brightness.to_wire()
    brightness.store(41)
    assert brightness.to_wire() == b"41"


def test_fixed_parts_are_shared() -> None:
    assert Characteristic(c.ON).fragments is Characteristic(c.ON).fragments
    known = Thermostat().target_temperature.fragments
    assert known.type + known.format == b',"type":"35","format":"float"'
    assert known.perms == b',"perms":["pr","pw","ev"]'
    assert known.limits == b',"unit":"celsius","minValue":10.0,"maxValue":38.0,"minStep":0.1'
    assert known.choices + known.description == b""


def test_broadcast_is_no_word_of_ip() -> None:
    assert Permission.BROADCAST in c.ON.metadata.perms
    assert b"bn" not in Characteristic(c.ON).fragments.perms


def test_limits_equal_to_those_of_the_format_are_left_out() -> None:
    assert Characteristic(c.IDENTIFIER, min=0, max=2**32 - 1).metadata.format is Format.UINT32
    assert Characteristic(c.IDENTIFIER, min=0, max=2**32 - 1).fragments.limits == b""
    assert Characteristic(c.NAME, max_len=64).fragments.limits == b""
    assert Characteristic(c.NAME, max_len=32).fragments.limits == b',"maxLen":32'


def test_the_number_comes_from_the_database() -> None:
    light = Lightbulb()
    assert light.on.id == (0, 0)
    Database.of(light)
    assert light.on.id == (1, light.on.iid)
    assert light.on.wire_prefix == b'{"aid":1,"iid":%d' % light.on.iid


def test_no_value_in_the_repr() -> None:
    assert repr(Characteristic(c.NAME, "secret place")) == "<Characteristic 0.0 Name>"
