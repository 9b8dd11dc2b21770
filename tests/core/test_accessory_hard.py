"""What somebody does who means no good, or has bad luck: floods, races with the store, connections cut at bad moments."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import Rig

from hapcore.engine import SendBytes

EMPTY = b"POST %b H\nContent-Length:0\n\n"


@pytest.mark.parametrize("path", [b"/pair-setup", b"/pair-verify", b"/identify"])
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
