"""What somebody does who means no good, or has bad luck: floods, races with the store, lines cut at bad moments."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.accessory_rig import JSON, TLV8, Draws, Rig

from hapcore.codec.http import write_request
from hapcore.codec.http.request import MAX_REQUEST_BODY
from hapcore.engine import CloseConnection, Forget, Persist, SendBytes
from hapcore.errors import RemoteProtocolError, StateError
from hapcore.ids import HapStatus
from hapcore.ip.accessory import (
    AnswerRead,
    AnswerWrite,
    PeerMisbehaved,
    ReadRequested,
    SetupAttemptFailed,
    WriteRequested,
)
from hapcore.ip.accessory.asking import MAX_LATE
from hapcore.ip.accessory.handshakes import MAX_SETUP_MESSAGES
from hapcore.ip.accessory.room import UNPROVEN_SECONDS
from hapcore.ip.accessory.session import PLAIN_BODY
from hapcore.pairing.pairings import encode_add, encode_list, encode_remove
from hapcore.pairing.setup import PairSetupController
from hapcore.pairing.verify import PairVerifyController

EMPTY = b"POST %b H\nContent-Length:0\n\n"
KEY = bytes(31) + b"\x01"
M1 = bytes.fromhex("000100060101")


@pytest.mark.parametrize("path", [b"/pair-verify", b"/identify", b"/configured"])
def test_thousands_of_requests_sent_ahead_are_answered_one_by_one(path):
    rig = Rig()
    line = rig.line()
    line.send(EMPTY % path * 3000)
    assert len(line.messages) == 3000


def test_requests_sent_ahead_on_a_secured_connection_are_answered_one_by_one():
    rig = Rig()
    line = rig.session()
    line.send(EMPTY % b"/pairings" * 3000)
    assert [one.status for one in line.messages] == [400] * 3000


def test_the_next_answer_is_made_when_the_last_one_has_been_taken():
    """However much is sent ahead, one answer at a time is in memory, and a pause between two of them holds the rest."""
    rig = Rig()
    line = rig.session()
    rig.server.receive_data(line.connection, line.sealer.seal(b"GET /characteristics?id=1.10 H\n\n" * 50), rig.now)
    for _ in range(10):
        answer = rig.server.poll()
        assert isinstance(answer, SendBytes)
        line.receive(answer.data)
    rig.server.pause_sending(line.connection, rig.now)
    rig.drain()
    assert len(line.messages) == 10
    rig.server.resume_sending(line.connection, rig.now)
    rig.drain()
    assert len(line.messages) == 50


def test_others_are_served_between_two_requests_sent_ahead():
    rig = Rig()
    greedy, other = rig.session(), rig.session(seed="other")
    many, one = b"GET /characteristics?id=1.10 H\n\n" * 50, b"GET /characteristics?id=1.11 H\n\n"
    rig.server.receive_data(greedy.connection, greedy.sealer.seal(many), rig.now)
    rig.server.receive_data(other.connection, other.sealer.seal(one), rig.now)
    before = len(rig.outputs)
    rig.drain()
    order = [output.connection for output in rig.outputs[before:]]
    assert order == [greedy.connection, other.connection] + [greedy.connection] * 49


def test_pair_setup_without_end_is_ended():
    rig = Rig()
    line = rig.line()
    line.send(EMPTY % b"/pair-setup" * 3000)
    assert line.closed
    assert len(line.messages) == MAX_SETUP_MESSAGES
    assert [type(one.error) for one in rig.said(PeerMisbehaved)] == [RemoteProtocolError]
    assert rig.line().pair()


def test_who_has_not_proved_anything_is_not_given_a_megabyte():
    rig = Rig()
    stranger, friend = rig.line(), rig.session()
    head = b"PUT /prepare H\nContent-Length: %d\n\n"
    stranger.send(head % PLAIN_BODY)
    assert not stranger.closed
    stranger.send(bytes(PLAIN_BODY))
    assert stranger.take().status == 470
    stranger.send(head % (PLAIN_BODY + 1))
    assert stranger.closed
    friend.send(head % MAX_REQUEST_BODY)
    for _ in range(16):
        friend.send(bytes(MAX_REQUEST_BODY // 16))
    assert friend.take().status == 400


def test_connections_that_look_busy_but_prove_nothing_make_room():
    rig = Rig(max_connections=8)
    friend = rig.session()
    pairing = rig.line()
    rig.server.setup_desk.receive(pairing.connection, M1, paired=False, failed_attempts=0, now=rig.now)
    strangers = [rig.line() for _ in range(6)]
    rig.now += UNPROVEN_SECONDS
    assert rig.line().closed
    for line in strangers:
        line.send(b"GET /")
    rig.now += 1
    for _ in range(7):
        rig.line()
    assert all(line.closed for line in strangers)
    assert not friend.closed
    assert not pairing.closed


# The store takes its time, and requests go on meanwhile.


class SlowStore:
    """Lets requests in while the engine waits for the store; `finish` says what became of the storing."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.storing = None

    def send(self, line, path, body):
        data = write_request("POST", path, "h", TLV8, body)
        self.rig.server.receive_data(line.connection, line.sealer.seal(data) if line.sealer else data, self.rig.now)
        self.run()

    def run(self):
        while self.storing is None and (output := self.rig.server.poll()) is not None:
            self.rig.outputs.append(output)
            if isinstance(output, Persist | Forget):
                self.storing = output
            elif isinstance(output, SendBytes):
                self.rig.lines[output.connection].receive(output.data)
            elif isinstance(output, CloseConnection):
                self.rig.lines[output.connection].closed = True

    def finish(self, works=True):
        """Everything that is to be stored, one after the other."""
        while self.storing is not None:
            effect, self.storing = self.storing, None
            if not works:
                self.rig.server.effect_failed(effect, "disk full", self.rig.now)
            elif isinstance(effect, Persist):
                self.rig.state[effect.key] = effect.value
            else:
                self.rig.state.pop(effect.key, None)
            self.run()


def admins(rig, *seeds):
    return [(pairing := rig.pairing(seed=seed), rig.line().verify(pairing, seed))[::-1] for seed in seeds]


def name(pairing):
    return pairing.controller_id.encode()


def test_two_admins_removing_each_other_at_once_never_leave_an_accessory_without_admin():
    rig = Rig()
    (one, first), (two, second) = admins(rig, "one", "two")
    rig.pairing(admin=False, seed="guest")
    store = SlowStore(rig)
    store.send(one, "/pairings", encode_remove(name(second)))
    store.send(two, "/pairings", encode_remove(name(first)))
    assert not one.messages
    assert not two.messages
    store.finish()
    assert one.take().body == bytes.fromhex("060102")
    assert two.closed
    assert {entry.identifier for entry in rig.server.pairings if entry.admin} == {name(first)}
    assert len(rig.server.pairings) == 2


def test_two_admins_lowering_each_other_at_once():
    rig = Rig()
    (one, first), (two, second) = admins(rig, "one", "two")
    store = SlowStore(rig)
    store.send(one, "/pairings", encode_add(name(second), second.controller_ltpk, False))
    store.send(two, "/pairings", encode_add(name(first), first.controller_ltpk, False))
    store.finish()
    assert one.take().body == bytes.fromhex("060102")
    assert two.take().body == bytes.fromhex("060102070102")
    assert [entry.admin for entry in rig.server.pairings] == [True, False]


def test_two_pairings_added_at_once_do_not_overfill_the_table():
    rig = Rig(max_pairings=3)
    (one, _), (two, _) = admins(rig, "one", "two")
    store = SlowStore(rig)
    store.send(one, "/pairings", encode_add(b"third", KEY, False))
    store.send(two, "/pairings", encode_add(b"fourth", KEY, False))
    store.finish()
    assert one.take().body == bytes.fromhex("060102")
    assert two.take().body == bytes.fromhex("060102070104")
    assert len(rig.server.pairings) == 3


def test_who_waits_for_a_change_that_cannot_be_stored_is_judged_by_the_old_table():
    rig = Rig()
    (one, _), (two, second) = admins(rig, "one", "two")
    store = SlowStore(rig)
    store.send(one, "/pairings", encode_remove(name(second)))
    store.send(two, "/pairings", encode_list())
    store.finish(works=False)
    assert one.take().status == 500
    assert two.take().body.count(name(second)) == 1
    assert len(rig.server.pairings) == 2


def test_a_controller_verified_while_its_removal_is_stored_is_closed_after_it():
    rig = Rig()
    (one, _), (_, second) = admins(rig, "one", "two")
    store = SlowStore(rig)
    late = rig.line()
    verify = PairVerifyController(second, Draws("late"))
    m3 = verify.m3(late.ask("POST", "/pair-verify", verify.m1(), TLV8).body)
    store.send(one, "/pairings", encode_remove(name(second)))
    store.send(late, "/pair-verify", m3)
    store.finish()
    assert late.closed


def test_a_wrong_code_while_another_is_being_stored_counts_too():
    rig = Rig()
    store = SlowStore(rig)
    for _ in range(2):
        line = rig.line()
        setup = PairSetupController(Draws("wrong"))
        # What the engine answers while it stores stays in its queue: the desk itself says what M2 is.
        m2 = rig.server.setup_desk.receive(line.connection, setup.m1(), paired=False, failed_attempts=0, now=rig.now)
        setup.receive_m2(m2.reply)
        store.send(line, "/pair-setup", setup.m3("111-22-333"))
    store.finish()
    assert rig.state["attempts"] == b"2"
    assert [one.failures for one in rig.said(SetupAttemptFailed)] == [1, 2]
    assert Rig(rig.state).server.stored.attempts == 2


def test_an_attempt_that_cannot_be_stored_counts_all_the_same():
    rig = Rig()
    rig.store_works = False
    line = rig.line()
    setup = PairSetupController(Draws("wrong"))
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    assert line.ask("POST", "/pair-setup", setup.m3("111-22-333"), TLV8).status == 500
    assert rig.server.stored.attempts == 1


def test_a_removal_of_everybody_that_a_crash_cut_short_is_finished_at_the_next_start():
    rig = Rig()
    guest = rig.pairing(admin=False, seed="guest")
    key = f"pairing/{name(guest).hex()}"
    assert key in rig.state
    again = Rig(rig.state)
    assert not again.server.paired
    assert again.server.record.status_flags == 1
    assert key not in again.state


# The application takes its time, or makes mistakes.


def asked_write(rig, line, value):
    text = b'{"characteristics":[{"aid":1,"iid":17,"value":%d}]}' % value
    line.send(write_request("PUT", "/characteristics", "h", JSON, text))
    return rig.said(WriteRequested)[-1].request


def test_what_was_written_counts_although_the_writer_has_hung_up():
    rig = Rig()
    rig.lamp.asked.setter(lambda value, caller: None)
    writer, other = rig.session(), rig.session(seed="other")
    assert other.put({"aid": 1, "iid": 17, "ev": True}).status == 204
    request = asked_write(rig, writer, 9)
    rig.server.receive_eof(writer.connection, rig.now)
    assert rig.submit(AnswerWrite(request)) is False
    assert rig.lamp.asked.value == 9
    assert other.events() == [[{"aid": 1, "iid": 17, "value": 9}]]
    assert rig.submit(AnswerWrite(request)) is False


def test_what_was_written_late_counts_and_is_news_for_the_writer_too():
    rig = Rig(answer_deadline=2.0)
    rig.lamp.asked.setter(lambda value, caller: None)
    line = rig.session()
    assert line.put({"aid": 1, "iid": 17, "ev": True}).status == 204
    request = asked_write(rig, line, 9)
    rig.pass_time(2)
    assert b"-70408" in line.take().body
    assert rig.submit(AnswerWrite(request)) is False
    assert line.events() == [[{"aid": 1, "iid": 17, "value": 9}]]


def test_what_was_refused_late_stays_refused():
    rig = Rig(answer_deadline=2.0)
    rig.lamp.asked.setter(lambda value, caller: None)
    line = rig.session()
    request = asked_write(rig, line, 9)
    rig.pass_time(2)
    assert rig.submit(AnswerWrite(request, {rig.lamp.asked.id: HapStatus.BUSY})) is False
    assert rig.lamp.asked.value == 0


def test_handlers_that_never_answer_cost_little():
    rig = Rig(answer_deadline=2.0)
    rig.lamp.asked.setter(lambda value, caller: None)
    line = rig.session()
    requests = []
    for value in range(MAX_LATE + 1):
        requests.append(asked_write(rig, line, value % 200 + 1))
        rig.pass_time(2)
    assert rig.submit(AnswerWrite(requests[0])) is False
    assert rig.lamp.asked.value == 0, "the oldest is forgotten"
    rig.submit(AnswerWrite(requests[1]))
    assert rig.lamp.asked.value == 2


def repr_of(value):
    return type(value).__name__


@pytest.mark.parametrize("value", [10**5000, -(10**5000), float("nan"), "9", b"9", object(), [9], 1e300], ids=repr_of)
def test_a_getter_that_returns_nonsense_fails_alone(value):
    rig = Rig()
    rig.lamp.asked.getter(lambda caller: None)
    line = rig.session()
    line.send(b"GET /characteristics?id=1.10,1.17 H\n\n")
    rig.submit(AnswerRead(rig.said(ReadRequested)[-1].request, {rig.lamp.asked.id: value}))
    assert json.loads(line.take().body)["characteristics"][1] == {"aid": 1, "iid": 17, "status": -70402}


def test_a_pairing_is_not_acknowledged_before_the_identity_it_was_made_with_is_stored():
    rig = Rig(store_works=False)
    assert not rig.state
    line = rig.line()
    setup = PairSetupController(Draws("phone"))
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    m5 = setup.m5(line.ask("POST", "/pair-setup", setup.m3("031-45-154"), TLV8).body)
    assert line.ask("POST", "/pair-setup", m5, TLV8).status == 500
    rig.store_works = True
    pairing = rig.line().pair()
    assert {key.partition("/")[0] for key in rig.state} == {"identity", "setup", "database", "ids", "pairing"}
    again = Rig(rig.state, seed="other draws")
    assert again.line().verify(pairing).get("1.10").status == 200
    assert again.server.config_number == rig.server.config_number


def test_pairings_without_identity_are_no_state():
    rig = Rig()
    rig.line().pair()
    del rig.state["identity"]
    with pytest.raises(StateError, match="no identity"):
        Rig(rig.state)


ACTS = st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["remove", "lower", "raise", "store"]))


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, min_size=2, max_size=10))
def test_whatever_the_admins_do_to_each_other_there_is_an_admin_or_nobody(acts):
    rig = Rig()
    known = admins(rig, "one", "two")
    guest = rig.pairing(admin=False, seed="three")
    known.append((rig.line().verify(guest, "three"), guest))
    store = SlowStore(rig)
    for who, whom, what in acts:
        line, target = known[who][0], known[whom][1]
        if what == "store":
            store.finish()
        elif not line.closed:
            remove = what == "remove"
            entry = encode_add(name(target), target.controller_ltpk, what == "raise")
            store.send(line, "/pairings", encode_remove(name(target)) if remove else entry)
    store.finish()
    pairings = rig.server.pairings
    assert not pairings or any(entry.admin for entry in pairings)
    assert {key for key in rig.state if key.startswith("pairing/")} == {
        f"pairing/{entry.identifier.hex()}" for entry in pairings
    }
    open_lines = {name(pairing) for line, pairing in known if not line.closed}
    assert open_lines == {entry.identifier for entry in pairings} & open_lines
