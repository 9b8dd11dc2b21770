"""A controller watches over an accessory while its program, its host and its network fail, for real.

Each settles with: available, everything the accessory says is told again, what was lost is within a `Gap`, and the last
value is known. benchmarks/homes/faults.py prints the same faults' figures.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.network import watched
from tests.network.hosts import Network
from tests.network.watched import open_watched

#: Seconds more than an answer takes, on a slow machine: an announcement, a connection, Pair Verify, reading everything.
SOON = 6.0
#: Seconds within which an accessory that is said to be elsewhere must answer.
PROBE = 3.0


def test_a_restart(network: Network, tmp_path: Path) -> None:
    with open_watched(network, tmp_path) as home:
        for how in (signal.SIGKILL, signal.SIGTERM):
            home.restart(how)
            figures = home.settle()
            assert figures.noticed is not None
            assert figures.noticed < SOON
            assert figures.gaps == 1
        assert {reason.partition(":")[0] for reason in home.journal.reasons} == {"Disconnected"}


def test_another_port(network: Network, tmp_path: Path) -> None:
    with open_watched(network, tmp_path) as home:
        before = home.port
        watched.elsewhere(home)
        assert home.port != before
        assert home.settle().gaps == 1


def test_another_address(network: Network, tmp_path: Path) -> None:
    """The old connection is dead and nobody says so; the announcement does."""
    with open_watched(network, tmp_path) as home:
        watched.moved(home)
        figures = home.settle()
        assert figures.noticed is not None
        assert figures.noticed < PROBE + SOON
        assert figures.gaps == 1


def test_another_address_while_nobody_listened(network: Network, tmp_path: Path) -> None:
    with open_watched(network, tmp_path) as home:
        home.fault()
        home.phones.pull()
        watched.readdress(home.lamp, "10.0.0.7/24")
        network.settle(home.lamp)
        home.phones.put_back()
        home.over()
        assert home.settle(60).gaps == 1


@pytest.mark.parametrize("seconds", [1, 10])
def test_a_cable_is_pulled(network: Network, tmp_path: Path, seconds: float) -> None:
    """TCP outlasts it, with all that was said meanwhile; or the connection is another one, and a `Gap` says so."""
    with open_watched(network, tmp_path) as home:
        watched.pulled(seconds)(home)
        figures = home.settle(60)
        assert figures.said > 0
        assert (figures.lost > 0) <= (figures.gaps > 0)


def test_a_cable_is_away_for_longer_than_is_waited(network: Network, tmp_path: Path) -> None:
    """Who is asked every other second is missed when an answer is ten seconds late: 300 s, shortened."""
    with open_watched(network, tmp_path, poll=2.0) as home:
        home.accessory.say("stop")  # who is heard is not asked
        home.fault()
        home.cable.pull()
        home.wait(lambda: not home.available())
        home.accessory.say("go")
        home.over()
        home.cable.put_back()
        figures = home.settle(90)
        assert figures.noticed is not None
        assert figures.noticed < 2.0 + 10.0 + SOON
        assert figures.gaps == 1
        assert "TimedOut" in home.journal.reasons[0]


def test_frames_are_lost(network: Network, tmp_path: Path) -> None:
    with open_watched(network, tmp_path) as home:
        watched.lossy(home)
        home.settle(60)


def test_another_accessory_takes_the_address(network: Network, tmp_path: Path) -> None:
    """It answers where ours was, and does not know us; ours is elsewhere."""
    with open_watched(network, tmp_path) as home:
        device_id, port = home.device_id, home.port
        watched.displaced(home)
        assert (home.device_id, home.port) == (device_id, port)
        assert home.settle(60).gaps == 1
        assert home.phone.connects("10.0.0.2", port)


@pytest.mark.parametrize("adapter", ["asyncio", "sync"])
def test_the_other_adapters(network: Network, tmp_path: Path, adapter: str) -> None:
    with open_watched(network, tmp_path, adapter) as home:
        for fault in (watched.killed, watched.elsewhere, watched.moved, watched.pulled(1)):
            fault(home)
            home.settle(60)


def test_what_is_lost_without_a_gap_is_seen() -> None:
    """The judge of all these: an untold number passes only within a `Gap`."""
    journal = watched.Journal()
    journal.states.append((0.0, "Available"))
    journal.said.update({1: 1.0, 2: 2.0, 3: 3.0})
    journal.told.update({1: 1.1})
    journal.gaps.append((2.5, 4.0))
    assert journal.untold() == [2, 3]
    assert journal.unexplained() == [2]


def test_a_fault_that_never_ends_is_no_success(network: Network, tmp_path: Path) -> None:
    with open_watched(network, tmp_path) as home:
        home.fault()
        home.stop(signal.SIGKILL)
        with pytest.raises(AssertionError, match="not within 1 s"):
            home.settle(1.0)
