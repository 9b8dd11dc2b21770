"""Our controller asks what the recorded controllers asked, and accepts every recorded answer."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tests.replay.recordings import ADK, ALL, FOREIGN, script

from hapcore.crypto.srp import Padding
from hapcore.replay import bytewise, play_controller

#: Requests of Apple's recordings that no regular controller sends: malformed, out of order, transient, forged.
LEFT_OUT = {
    "ip-pair-setup": 26,
    "ip-pair-verify": 11,
    "ip-pairings": 14,
    "ip-read": 26,
    "ip-timed-write": 29,
}


@pytest.mark.parametrize("name", ALL)
def test_every_answer_is_accepted(name):
    outcome = play_controller(script(name))
    assert not outcome.differences, str(outcome.first)
    assert outcome.skipped == LEFT_OUT.get(name, 0)
    assert outcome.compared


@pytest.mark.parametrize("name", ALL)
def test_cut_into_single_bytes(name):
    assert play_controller(script(name), cut=bytewise) == play_controller(script(name))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["ip-read", "ip-pairings", "bridge121_aiohomekit_x_happython"])
def test_cut_anywhere(name, seed):
    chance = random.Random(seed)

    def cut(data):
        points = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(chance.randrange(6)))})
        return [data[start:stop] for start, stop in pairwise(points)]

    assert play_controller(script(name), cut=cut) == play_controller(script(name))


def test_something_is_compared():
    assert sum(play_controller(script(name)).compared for name in ADK) > 250
    assert sum(play_controller(script(name)).compared for name in FOREIGN) > 60


def test_the_padding_habit_can_be_given():
    """A recorded controller that keeps a leading zero of A is not reproduced by one that drops it."""
    name = "edge_A0_aiohomekit_x_hapnodejs"
    assert not play_controller(script(name), padding=Padding.PADDED).differences
    found = play_controller(script(name), padding=Padding.STRIPPED).differences
    assert found
    assert "item Proof different" in found[0].reason
