"""Two hosts with one name, and how an accessory takes its leave."""

from __future__ import annotations

import json
import signal

import pytest
from tests.network.hosts import Network, Program

ADAPTERS = ["trio", "asyncio", "sync"]


class Names:
    """Who is there, as a browser tells."""

    def __init__(self, browser: Program) -> None:
        self._browser = browser
        self._there: dict[object, str] = {}

    def become(self, *names: str) -> None:
        """Wait until these are the names that are there, each of one accessory."""
        while sorted(self._there.values()) != sorted(names):
            told = self._browser.next()
            if told["event"] == "found":
                self._there[told["device_id"]] = str(told["name"])
            elif told["event"] == "gone":
                self._there.pop(told["device_id"], None)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_second_of_one_name_gets_a_number(network: Network, adapter: str) -> None:
    first, second, phone = (network.host(name) for name in ("first", "second", "phone"))
    for number, host in enumerate((first, second, phone), 2):
        host.plug("eth0", f"10.0.0.{number}/24")
    with phone.run("peer.py", "browse", adapter) as browser, first.run("peer.py", "serve", adapter):
        names = Names(browser)
        names.become("Test lamp")
        with second.run("peer.py", "serve", adapter):
            names.become("Test lamp", "Test lamp (2)")


def test_two_networks_of_which_each_has_one_become_one(network: Network) -> None:
    """Nobody asks for a name any more then: both hear the other use it."""
    first, second, phone = (network.host(name) for name in ("first", "second", "phone"))
    first.plug("eth0", "10.0.0.2/24", segment="home")
    phone.plug("eth0", "10.0.0.3/24", segment="home")
    cable = second.plug("eth0", "10.0.0.4/24", segment="annexe")
    with (
        phone.run("peer.py", "browse", "trio") as browser,
        first.run("peer.py", "serve", "trio") as one,
        second.run("peer.py", "serve", "asyncio") as other,
    ):
        names = Names(browser)
        names.become("Test lamp")
        one.wait_for(event="serving")
        other.wait_for(event="serving")
        cable.pull()
        cable.put_back("home")
        names.become("Test lamp", "Test lamp (2)")
        with phone.run("peer.py", "browse", "trio") as newcomer:
            Names(newcomer).become("Test lamp", "Test lamp (2)")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_sigterm_says_goodbye(network: Network, adapter: str) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    with phone.run("peer.py", "browse", "trio") as browser, lamp.run("peer.py", "serve", adapter) as accessory:
        found = browser.wait_for(event="found")
        assert accessory.end(signal.SIGTERM) == 0
        assert browser.wait_for(event="gone", limit=5)["device_id"] == found["device_id"]


def test_the_command_says_goodbye_too(network: Network) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    lamp.plug("eth1", "10.1.0.2/24", segment="guests")
    command_line = ("hap", "serve", "switch", "--address", "eth0", "--json")
    with phone.run("peer.py", "browse", "trio") as browser, lamp.run(*command_line) as command:
        assert browser.wait_for(event="found")["addresses"] == ["10.0.0.2"]
        assert command.end(signal.SIGTERM) == 0
        browser.wait_for(event="gone", limit=5)


def test_a_program_that_fails_says_goodbye(network: Network) -> None:
    """A task of the nursery that crashes takes the program with it, but not without this."""
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    with phone.run("peer.py", "browse", "trio") as browser, lamp.run("peer.py", "serve", "trio") as accessory:
        browser.wait_for(event="found")
        assert accessory.end(signal.SIGUSR1) == 1
        browser.wait_for(event="gone", limit=5)
        assert "as it was told to" in accessory.said()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_announcement_says_paired_and_unpaired_again(network: Network, adapter: str) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    with phone.run("peer.py", "browse", adapter) as browser, lamp.run("peer.py", "serve", adapter) as accessory:
        device_id = accessory.wait_for(event="serving")["device_id"]
        browser.wait_for(event="found", paired=False)
        with phone.run("peer.py", "control", "trio", json.dumps({"device_id": device_id})) as controller:
            controller.wait_for(event="paired")
            browser.wait_for(event="found", paired=True, limit=5)
            controller.say("remove")
            controller.wait_for(event="removed")
            browser.wait_for(event="found", paired=False, limit=5)
