"""Recorded controllers speak to our accessory: given the same draws, every answer means what was recorded."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tests.replay.differences import DIFFERENCES, page
from tests.replay.recordings import ADK, ALL, DATA, FOREIGN, script, to_accessory

from hapcore.replay import bytewise


def rows(outcome):
    return [(one.scene, one.track, one.step, one.reason) for one in outcome.differences]


@pytest.mark.parametrize("name", ALL)
def test_every_answer_means_the_same(name):
    """But for the differences in the table, each of which must really occur."""
    outcome = to_accessory(script(name))
    known = [(row.case, row.connection, row.step, row.differs) for row in DIFFERENCES if row.recording == name]
    unknown = [str(one) for one, row in zip(outcome.differences, rows(outcome), strict=True) if row not in known]
    assert not unknown, "\n\n".join(unknown)
    assert rows(outcome) == known, "the table lists a difference that does not occur"
    assert outcome.compared


def test_every_recording_of_the_table_exists():
    assert {row.recording for row in DIFFERENCES} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_cut_into_single_bytes(name):
    assert to_accessory(script(name), bytewise).sent == to_accessory(script(name)).sent


@pytest.mark.parametrize("name", [*ADK, "bridge121_aiohomekit_x_happython"])
@pytest.mark.parametrize("seed", range(3))
def test_cut_anywhere(name, seed):
    chance = random.Random(seed)

    def cut(data):
        points = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(chance.randrange(6)))})
        return [data[start:stop] for start, stop in pairwise(points)]

    assert to_accessory(script(name), cut).sent == to_accessory(script(name)).sent


@pytest.mark.parametrize("name", [name for name in ADK if script(name).announced])
def test_announcements(name):
    """sf tells when the accessory is paired and when no more (HAP 11.2)."""
    assert to_accessory(script(name)).announced == script(name).announced


def test_something_is_compared():
    """The replays would also pass if they compared nothing."""
    assert sum(to_accessory(script(name)).compared for name in ADK) > 450
    assert sum(to_accessory(script(name)).compared for name in FOREIGN) > 80


def test_the_page_of_differences_is_up_to_date():
    """`python -m tests.replay.differences > docs/differences.md` makes it so."""
    assert (DATA.parents[2] / "docs" / "differences.md").read_text() == page()
    assert all(row.differs in page() and row.why in page() for row in DIFFERENCES)
