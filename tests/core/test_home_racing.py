"""Several addresses at a time: what comes of the attempts, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from hapcore.errors import Disconnected, LocalProtocolError, PairingRefused
from hapcore.home.link import Stopped
from hapcore.home.procedure import Agenda, Procedure, Promise, Task
from hapcore.home.racing import HEAD_START, MAX_ATTEMPTS, PATIENCE, Race
from hapcore.home.target import Address
from hapcore.home.timers import Timers

HERE, THERE = ("192.0.2.1", 1), ("192.0.2.2", 1)


class Ring:
    """A race whose attempts end when they are told to."""

    def __init__(self, *addresses: Address) -> None:
        self.agenda, self.timers = Agenda(), Timers()
        self.begun: list[tuple[float, Address]] = []
        self.promises: list[Promise[Any]] = []
        self.closed: list[Any] = []
        self.race = Race(self.agenda, self.timers, self._prove, self.closed.append)
        self.race.add(addresses)
        self.task: Task[Any] = self.agenda.start(self.race.run())
        self.work()

    def _prove(self, address: Address) -> Procedure[Any]:
        self.begun.append((self.timers.now, address))
        promise = Promise[Any](self.agenda)
        self.promises.append(promise)
        return (yield from promise.wait())

    def work(self) -> None:
        self.agenda.work(lambda _: None)

    def pass_time(self, seconds: float) -> None:
        end = self.timers.now + seconds
        while (
            due := min((due for due, _ in self.timers.entries.values()), default=end)
        ) <= end and self.timers.entries:
            self.timers.now = max(due, self.timers.now)
            self.timers.expire()
            self.work()
        self.timers.now = end

    def settle(self, number: int, result: Any) -> None:
        if isinstance(result, Exception):
            self.promises[number].fail(result)  # type: ignore[arg-type]
        else:
            self.promises[number].keep(result)

    @property
    def result(self) -> Any:
        assert self.task.outcome.settled
        if self.task.outcome.error is not None:
            raise self.task.outcome.error
        return self.task.outcome.result


def test_a_failure_starts_the_next_at_once() -> None:
    ring = Ring(HERE, THERE)
    ring.settle(0, Disconnected("refused"))
    ring.work()
    assert ring.begun == [(0.0, HERE), (0.0, THERE)]
    ring.settle(1, "link")
    ring.work()
    assert ring.result == "link"
    assert list(ring.race.failures) == [HERE]


def test_two_in_the_same_moment() -> None:
    ring = Ring(HERE, THERE)
    ring.pass_time(HEAD_START)
    ring.settle(0, "first")
    ring.settle(1, "second")
    ring.work()
    assert ring.result == "first"
    assert ring.closed == ["second"]


def test_none_is_there() -> None:
    ring = Ring(HERE)
    ring.settle(0, Disconnected("refused"))
    ring.work()
    assert ring.result is None
    ring.race.add([HERE, THERE])  # only what was not tried
    ring.task = ring.agenda.start(ring.race.run())
    ring.work()
    assert [address for _, address in ring.begun] == [HERE, THERE]


def test_whoever_says_no_before_it_has_proved_anything_is_not_believed() -> None:
    ring = Ring(HERE, THERE)
    ring.settle(0, PairingRefused("no", error=6, step=2))
    ring.work()
    assert [address for _, address in ring.begun] == [HERE, THERE]
    ring.settle(1, PairingRefused("no", error=2, step=4))
    ring.work()
    with pytest.raises(PairingRefused):
        assert ring.result


def test_our_own_limits_end_it() -> None:
    ring = Ring(HERE, THERE)
    ring.settle(0, LocalProtocolError("too many connections"))
    ring.work()
    assert len(ring.begun) == 1
    with pytest.raises(LocalProtocolError):
        assert ring.result


def test_an_address_that_is_announced_meanwhile_is_tried_anew() -> None:
    ring = Ring(HERE)
    ring.race.add([HERE])
    ring.race.add([HERE], again=True)
    ring.work()
    ring.pass_time(PATIENCE - 0.1)
    assert len(ring.begun) == 1
    ring.pass_time(0.2)
    assert ring.begun == [(0.0, HERE), (PATIENCE, HERE)]


def test_attempts_have_an_end() -> None:
    ring = Ring(*((f"192.0.2.{number}", 1) for number in range(MAX_ATTEMPTS + 10)))
    ring.pass_time(60)
    assert len(ring.begun) == MAX_ATTEMPTS


def test_nobody_wants_it_any_more() -> None:
    ring = Ring(HERE, THERE)
    ring.pass_time(HEAD_START)
    ring.task.stop(Stopped())
    ring.work()
    with pytest.raises(Stopped):
        assert ring.result
    assert not ring.timers.entries
    ring.settle(0, "late")
    ring.work()
    assert not ring.closed  # its attempt was given up, with what it had
