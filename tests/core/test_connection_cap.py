"""When all connections of an accessory are in use: who yields, who is refused, who waits (HAP 8.1)."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import Line, Rig

from hapcore.accessory.commands import Shutdown
from hapcore.accessory.config import Config, WhenFull
from hapcore.engine import ConnectionId
from hapcore.ip.accessory.room import MAX_WAITING, UNPROVEN_SECONDS
from hapcore.ip.accessory.session import PLAIN_BODY

CAP = 8
ASK = b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n"


def _full(**config: object) -> tuple[Rig, list[Line]]:
    """A server without a free place; each second of the past one controller has come."""
    rig = Rig(max_connections=CAP, **config)
    sessions = []
    for number in range(CAP):
        sessions.append(rig.session(seed=f"phone {number}"))
        rig.now += 1
    return rig, sessions


def _leave(rig: Rig, line: Line) -> None:
    """The controller closes its connection."""
    rig.server.receive_eof(ConnectionId(line.connection), rig.now)
    rig.drain()


def test_the_longest_silent_yields_and_nobody_before_its_time() -> None:
    rig, sessions = _full()
    rig.now = sessions_began = 1000.0 + 60
    assert rig.line().closed
    rig.now = sessions_began + 1.5
    assert sessions[0].get("1.10").status == 200
    newcomer = rig.line()
    assert not newcomer.closed
    assert [session.closed for session in sessions] == [False, True, *[False] * 6]
    assert rig.line().closed


def test_nobody_is_closed_for_being_silent_while_there_is_room() -> None:
    rig = Rig(max_connections=CAP)
    sessions = [rig.session(seed=str(number)) for number in range(CAP - 1)]
    rig.pass_time(1e6)
    assert not rig.line().closed
    assert not any(session.closed for session in sessions)


def test_how_long_is_a_setting() -> None:
    rig, sessions = _full(idle_seconds=3600)
    rig.now += 3590
    assert rig.line().closed
    rig.now += 20
    assert not rig.line().closed
    assert sessions[0].closed


def test_it_can_be_that_nobody_yields_but_who_never_proved_anything() -> None:
    rig, sessions = _full(idle_seconds=None)
    rig.pass_time(1e6)
    assert rig.line().closed
    _leave(rig, sessions[0])
    stranger = rig.line()
    rig.now += UNPROVEN_SECONDS + 1
    assert not rig.line().closed
    assert stranger.closed


@pytest.mark.parametrize("wrong", [{"idle_seconds": 0}, {"max_connections": 7}, {"when_full": "explode"}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|not a valid"):
        Config(name="Lamp", **wrong)  # type: ignore[arg-type]  # that is the point


# Waiting


def test_who_waits_is_answered_once_another_has_gone() -> None:
    rig, sessions = _full(when_full=WhenFull.WAIT)
    first, second = rig.line(), rig.line()
    first.send(ASK)
    second.send(ASK)
    assert [first.closed, second.closed] == [False, False]
    assert (first.messages, second.messages) == ([], [])
    _leave(rig, sessions[3])
    assert first.take().status == 470
    assert second.messages == []
    _leave(rig, first)
    assert second.take().status == 470


def test_nobody_overtakes_who_waits() -> None:
    rig, sessions = _full(when_full="wait")
    waiting = rig.line()
    rig.server.receive_eof(ConnectionId(sessions[0].connection), rig.now)
    late = rig.server.connection_opened(rig.now)  # before the engine was asked for anything
    rig.lines[late] = line = Line(rig, late)
    rig.drain()
    waiting.send(ASK)
    line.send(ASK)
    assert waiting.take().status == 470
    assert line.messages == []


def test_who_waits_gets_the_place_of_one_that_falls_silent_at_that_time() -> None:
    rig, sessions = _full(when_full="wait")
    waiting = rig.line()
    waiting.send(ASK)
    due = rig.server.next_timeout()
    assert due == pytest.approx(1000 + 60, abs=0.01)
    rig.pass_time(1059 - rig.now)
    assert waiting.messages == []
    rig.pass_time(2)
    assert waiting.take().status == 470
    assert sessions[0].closed
    assert not sessions[2].closed
    assert rig.server.next_timeout() is None


def test_who_waits_may_go_again_and_leaves_nothing() -> None:
    rig, sessions = _full(when_full="wait")
    waiting = rig.line()
    waiting.send(ASK)
    _leave(rig, waiting)
    assert waiting.closed
    assert rig.server.next_timeout() is None
    _leave(rig, sessions[0])
    assert waiting.messages == []


def test_waiting_is_bounded_in_number_and_in_bytes() -> None:
    rig, _ = _full(when_full="wait")
    waiting = [rig.line() for _ in range(MAX_WAITING)]
    assert not any(line.closed for line in waiting)
    assert rig.line().closed
    for _ in range(PLAIN_BODY // 1024):
        waiting[0].send(bytes(1024))
    assert not waiting[0].closed
    waiting[0].send(b"x")
    assert waiting[0].closed
    assert not rig.line().closed


def test_the_end_is_the_end_for_who_waits_too() -> None:
    rig, _ = _full(when_full="wait")
    waiting = rig.line()
    rig.submit(Shutdown())
    assert waiting.closed
