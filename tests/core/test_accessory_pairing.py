"""Pairing through the accessory engine: errors in place, storing before answering, sessions ending (HAP 4 to 6)."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import TLV8, Draws, Rig

from hapcore.discovery import Advertise
from hapcore.engine import Forget, Persist, SendBytes
from hapcore.errors import StateError
from hapcore.ip.accessory import (
    PairingAdded,
    PairingRemoved,
    PeerMisbehaved,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    Shutdown,
)
from hapcore.pairing.pairings import encode_add, encode_list, encode_remove
from hapcore.pairing.setup import PairSetupController
from hapcore.setup_code import SetupCode

M1 = bytes.fromhex("000100060101")
LIST = encode_list()


def try_code(line, code, seed="phone"):
    """M1 to M4; the answer to M3 as items."""
    setup = PairSetupController(Draws(seed))
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    return line.tlv("/pair-setup", setup.m3(code))


def test_pair_verify_use():
    rig = Rig()
    line = rig.line()
    pairing = line.pair()
    assert rig.said(PairingAdded) == [PairingAdded(pairing.controller_id.encode(), admin=True)]
    line.verify(pairing)
    (opened,) = rig.said(SessionOpened)
    assert opened.caller.pairing_id == pairing.controller_id.encode()
    assert line.get("1.10").status == 200
    rig.server.receive_eof(line.connection, rig.now)
    rig.drain()
    assert rig.said(SessionClosed) == [SessionClosed(opened.caller)]


def test_the_announcement_follows_the_answer():
    rig = Rig()
    assert [one.record.status_flags for one in rig.said(Advertise)] == [1]
    rig.line().pair()
    kinds = [type(one) for one in rig.outputs if isinstance(one, Persist | SendBytes | Advertise)][-3:]
    assert kinds == [Persist, SendBytes, Advertise]
    assert rig.said(Advertise)[-1].record.status_flags == 0


def test_paired_already():
    rig = Rig()
    rig.pairing()
    assert rig.line().tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x06"}


def test_one_pairing_at_a_time_and_the_way_out():
    rig = Rig()
    first, second = rig.line(), rig.line()
    assert 3 in first.tlv("/pair-setup", M1)
    assert second.tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x07"}
    rig.now += 29.9
    assert second.tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x07"}
    rig.now += 0.2
    assert 3 in second.tlv("/pair-setup", M1)
    assert first.tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x07"}
    rig.server.receive_eof(second.connection, rig.now)
    assert 3 in first.tlv("/pair-setup", M1)


def test_failed_attempts_are_counted_on_disk_before_the_answer():
    rig = Rig()
    assert try_code(rig.line(), "111-22-333") == {6: b"\x04", 7: b"\x02"}
    assert rig.state["attempts"] == b"1"
    assert rig.said(SetupAttemptFailed) == [SetupAttemptFailed(1, 100)]
    last = [one for one in rig.outputs if isinstance(one, Persist | SendBytes)][-2:]
    assert [type(one) for one in last] == [Persist, SendBytes]


def test_a_hundred_failures_lock_it_also_after_a_restart():
    rig = Rig()
    rig.state["attempts"] = b"99"
    rig = Rig(rig.state)
    assert try_code(rig.line(), "111-22-333") == {6: b"\x04", 7: b"\x02"}
    assert rig.line().tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x05"}
    assert Rig(rig.state).line().tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x05"}


def test_a_right_proof_clears_the_count():
    rig = Rig()
    rig.state["attempts"] = b"99"
    rig = Rig(rig.state)
    rig.line().pair()
    assert "attempts" not in rig.state


@pytest.mark.parametrize("full", ["attempt", "pairing"])
def test_what_cannot_be_stored_is_not_acknowledged(full):
    rig = Rig()
    line = rig.line()
    setup = PairSetupController(Draws())
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    if full == "attempt":
        rig.store_works = False
        answer = line.ask("POST", "/pair-setup", setup.m3("111-22-333"), TLV8)
    else:
        m5 = setup.m5(line.ask("POST", "/pair-setup", setup.m3("031-45-154"), TLV8).body)
        rig.store_works = False
        answer = line.ask("POST", "/pair-setup", m5, TLV8)
    assert (answer.status, answer.body) == (500, b"")
    assert not rig.server.paired
    assert not rig.said(PairingAdded)
    rig.store_works = True
    assert line.pair()
    assert rig.server.paired


def test_a_restart_keeps_everything():
    rig = Rig()
    line = rig.line()
    pairing = line.pair()
    again = Rig(rig.state, seed="another seed")
    assert again.server.device_id == rig.server.device_id
    assert again.server.config_number == rig.server.config_number == 1
    assert [one for one in again.effects() if isinstance(one, Persist)] == []
    assert again.line().verify(pairing).get("1.10").status == 200


def test_the_code_is_drawn_once_and_kept():
    rig = Rig(setup_code=None)
    code, uri = rig.server.setup_code.text, rig.server.setup_payload.uri()
    again = Rig(rig.state, setup_code=None, seed="another seed")
    assert (again.server.setup_code.text, again.server.setup_payload.uri()) == (code, uri)
    other = Rig(rig.state, setup_code=SetupCode("518-08-582"))
    assert other.server.setup_code.text == "518-08-582"
    assert other.line().pair(SetupCode("518-08-582"))


@pytest.mark.parametrize("key", ["identity", "setup", "database", "ids", "attempts", "pairing/6162"])
def test_damaged_state_is_refused_and_named(key):
    rig = Rig()
    rig.state[key] = b"{damaged"
    with pytest.raises(StateError, match=key):
        Rig(rig.state)


def test_pairings_want_a_session_and_an_admin():
    rig = Rig()
    assert rig.line().ask("POST", "/pairings", LIST, TLV8).status == 470
    assert rig.session(admin=False).tlv("/pairings", LIST) == {6: b"\x02", 7: b"\x02"}
    assert rig.session(seed="admin").ask("POST", "/pairings", LIST + b"\x06", TLV8).status == 400


def test_removing_another_ends_its_sessions_at_once():
    rig = Rig()
    admin, user = rig.session(seed="admin"), rig.session(admin=False, seed="user")
    identifier = rig.pairing(seed="user", admin=False).controller_id.encode()
    assert admin.tlv("/pairings", encode_remove(identifier)) == {6: b"\x02"}
    assert user.closed
    assert not admin.closed
    assert rig.said(PairingRemoved) == [PairingRemoved(identifier)]
    assert Forget(f"pairing/{identifier.hex()}") in rig.outputs


def test_removing_the_last_admin_removes_everybody_and_answers_first():
    rig = Rig()
    admin, user = rig.session(seed="admin"), rig.session(admin=False, seed="user")
    identifier = rig.pairing(seed="admin").controller_id.encode()
    assert admin.tlv("/pairings", encode_remove(identifier)) == {6: b"\x02"}
    assert admin.closed
    assert user.closed
    assert not rig.server.paired
    assert rig.said(Advertise)[-1].record.status_flags == 1
    assert rig.line().pair()


def test_the_broadcast_key_of_the_other_transport_goes_with_the_last_pairing():
    """An accessory that was served over Bluetooth LE before: who owned it must not read its broadcasts for ever."""
    rig = Rig()
    rig.session(seed="admin")
    rig.session(admin=False, seed="user")
    rig.state["ble/broadcast"] = b"{}"
    rig = Rig(rig.state)
    admin = rig.session(seed="admin")
    assert admin.tlv("/pairings", encode_remove(rig.pairing(seed="user", admin=False).controller_id.encode()))
    assert "ble/broadcast" in rig.state
    assert admin.tlv("/pairings", encode_remove(rig.pairing(seed="admin").controller_id.encode()))
    assert "ble/broadcast" not in rig.state


def test_removing_a_stranger_succeeds():
    rig = Rig()
    assert rig.session().tlv("/pairings", encode_remove(b"nobody")) == {6: b"\x02"}
    assert not rig.said(PairingRemoved)


def test_a_removal_that_cannot_be_stored_is_refused():
    rig = Rig()
    admin = rig.session()
    rig.store_works = False
    answer = admin.ask("POST", "/pairings", encode_add(b"new", bytes(31) + b"\x01", False), TLV8)
    assert answer.status == 500
    assert len(rig.server.pairings) == 1


def test_adding_until_full():
    rig = Rig(max_pairings=3)
    admin = rig.session()
    for number in (1, 2):
        assert admin.tlv("/pairings", encode_add(b"%d" % number, bytes(31) + b"\x01", False)) == {6: b"\x02"}
    assert admin.tlv("/pairings", encode_add(b"3", bytes(31) + b"\x01", False)) == {6: b"\x02", 7: b"\x04"}
    assert len(rig.server.pairings) == 3
    assert Rig(rig.state, max_pairings=3).server.pairings[-1].identifier == b"2"


def test_after_a_bad_verify_the_line_can_try_again():
    rig = Rig()
    pairing = rig.pairing()
    line = rig.line()
    assert line.ask("POST", "/pair-verify", b"\x06\x01\x03", TLV8).status == 400
    assert line.verify(pairing).get("1.10").status == 200


def test_frames_that_do_not_fit_end_the_session():
    rig = Rig()
    for garbage in (b"\x01\x00" + bytes(17), b"\xff\xff", b"GET / HTTP/1.1\r\n\r\n" + bytes(2000)):
        line = rig.session()
        rig.feed(line, garbage)
        assert line.closed
        assert not line.messages
    assert len(rig.said(PeerMisbehaved)) == 3


def test_a_replayed_frame_ends_the_session():
    rig = Rig()
    line = rig.session()
    frame = line.sealer.seal(b"GET /characteristics?id=1.10 HTTP/1.1\r\n\r\n")
    rig.feed(line, frame)
    assert line.take().status == 200
    rig.feed(line, frame)
    assert line.closed


def test_a_transient_session_may_do_nothing_else():
    rig = Rig()
    line = rig.line()
    setup = PairSetupController(Draws())
    flagged = setup.m1() + b"\x13\x01\x10"
    assert setup.receive_m2(line.ask("POST", "/pair-setup", flagged, TLV8).body)
    m4 = line.tlv("/pair-setup", setup.m3("031-45-154"))
    assert 4 in m4
    from hapcore.crypto.frames import FrameOpener, FrameSealer
    from hapcore.crypto.keys import hkdf

    key = setup._srp.session_key.reveal()
    line.opener = FrameOpener(hkdf(key, b"SplitSetupSalt", b"AccessoryEncrypt-Control"))
    line.sealer = FrameSealer(hkdf(key, b"SplitSetupSalt", b"ControllerEncrypt-Control"))
    for target in ("/accessories", "/characteristics?id=1.10"):
        assert line.ask("GET", target).status == 400
    assert line.ask("POST", "/pairings", LIST, TLV8).status == 400
    assert line.ask("POST", "/pair-setup", M1, TLV8).status == 400


def test_connections_are_bounded_and_the_idle_make_room():
    rig = Rig(max_connections=8)
    lines = [rig.line() for _ in range(8)]
    assert rig.line().closed
    rig.now += 61
    assert lines[3].tlv("/pair-verify", bytes.fromhex("0601010320") + b"\x09" + bytes(31))[6] == b"\x02"
    newcomer = rig.line()
    assert not newcomer.closed
    assert [line.closed for line in lines].count(True) == 1
    assert not lines[3].closed


def test_a_hundred_silent_connections_do_no_harm():
    rig = Rig()
    silent = [rig.line() for _ in range(100)]
    assert rig.session().get("1.10").status == 200
    assert not any(line.closed for line in silent)


def test_shutdown():
    rig = Rig()
    line = rig.session()
    rig.submit(Shutdown())
    assert line.closed
    assert rig.line().closed
