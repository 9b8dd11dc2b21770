"""A backlog of which nothing may be lost without a word."""

from __future__ import annotations

import pytest

from hapcore.errors import LocalProtocolError
from hapcore.feed import Backlog


def test_who_is_too_far_behind_is_told_so() -> None:
    backlog = Backlog[int](3)
    backlog.complete = True
    for number in range(6):
        backlog.put(number)
    assert [backlog.take(StopIteration) for _ in range(3)] == [0, 1, 2]
    assert backlog.ready
    with pytest.raises(LocalProtocolError, match="3 items behind"):
        backlog.take(StopIteration)
    assert backlog.lost == 0
