"""A served accessory goes along with what becomes of its host's network, and so does who looks for it."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

import pytest
from tests.network.hosts import Host, Network, Program

ADAPTERS = ["trio", "asyncio", "sync"]
#: Seconds from a change of addresses to its announcement: a tenth of a second of ours, and a slow machine.
SOON = 2.0


def _found(browser: Program, *addresses: str, limit: float = 30.0) -> dict[str, object]:
    """The accessory at these addresses and no others, in any order."""
    return browser.wait_for(lambda told: _at(told) == set(addresses), limit, event="found")


def _at(told: dict[str, object]) -> set[str]:
    return set(cast("list[str]", told["addresses"]))


def _passed(host: Host, told: dict[str, object]) -> float:
    """Seconds from the last change of a host to what was told."""
    return cast("float", told["time"]) - host.changed


@contextmanager
def _lamp(host: Host, adapter: str = "trio", **settings: object) -> Generator[tuple[Program, str], None, None]:
    """An accessory on a host, and its device id."""
    with host.run("peer.py", "serve", adapter, json.dumps(settings)) as accessory:
        yield accessory, str(accessory.wait_for(event="serving")["device_id"])


@contextmanager
def _control(host: Host, device_id: str) -> Generator[Program, None, None]:
    """A controller on a host that has paired the accessory."""
    with host.run("peer.py", "control", "trio", json.dumps({"device_id": device_id})) as controller:
        controller.wait_for(event="paired")
        yield controller


def _read(controller: Program) -> object:
    controller.say("read")
    return controller.next()["event"]


@pytest.fixture
def pair(network: Network) -> tuple[Host, Host]:
    """Two hosts on one network."""
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    return lamp, phone


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_another_address_is_announced_without_a_restart(pair: tuple[Host, Host], adapter: str) -> None:
    lamp, phone = pair
    with phone.run("peer.py", "browse", adapter) as browser, _lamp(lamp, adapter):
        _found(browser, "10.0.0.2")
        lamp.ip("address", "del", "10.0.0.2/24", "dev", "eth0")
        lamp.ip("address", "add", "10.0.0.7/24", "dev", "eth0")
        assert _passed(lamp, browser.wait_for(lambda told: "10.0.0.7" in _at(told), event="found")) < SOON


def test_a_controller_goes_on_at_the_new_address(pair: tuple[Host, Host]) -> None:
    lamp, phone = pair
    with _lamp(lamp) as (_, device_id), _control(phone, device_id) as controller:
        assert _read(controller) == "read"
        lamp.ip("address", "flush", "dev", "eth0")
        lamp.ip("address", "add", "10.0.0.7/24", "dev", "eth0")
        # The connection that was there is dead and nobody has said so: the first read may be what finds that out.
        assert "read" in {_read(controller), _read(controller)}


def test_the_old_address_is_forgotten(pair: tuple[Host, Host]) -> None:
    lamp, phone = pair
    with phone.run("peer.py", "browse", "trio") as browser, _lamp(lamp) as (_, device_id):
        _found(browser, "10.0.0.2")
        with _control(phone, device_id):  # takes longer than the second in which a record is too new to be replaced
            lamp.ip("address", "flush", "dev", "eth0")
            lamp.ip("address", "add", "10.0.0.7/24", "dev", "eth0")
            _found(browser, "10.0.0.7")


def test_a_pulled_cable_and_another_network(network: Network) -> None:
    """The accessory is carried into another room: another switch, another subnet, another controller."""
    lamp, phone, tablet = network.host("lamp"), network.host("phone"), network.host("tablet")
    cable = lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    tablet.plug("eth0", "10.1.0.3/24", segment="annexe")
    with (
        phone.run("peer.py", "browse", "trio") as here,
        tablet.run("peer.py", "browse", "trio") as there,
        _lamp(lamp) as (_, device_id),
    ):
        _found(here, "10.0.0.2")
        cable.pull()
        lamp.ip("address", "flush", "dev", "eth0")
        cable.put_back("annexe")
        lamp.ip("address", "add", "10.1.0.2/24", "dev", "eth0")
        assert _passed(lamp, _found(there, "10.1.0.2")) < SOON
        with _control(tablet, device_id) as controller:
            assert _read(controller) == "read"


def test_a_cable_that_was_away_for_a_while(network: Network) -> None:
    """Neither side's addresses change. What was said meanwhile is heard afterwards."""
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    cable = phone.plug("eth0", "10.0.0.3/24")
    with phone.run("peer.py", "browse", "trio") as browser, _lamp(lamp):
        _found(browser, "10.0.0.2")
        cable.pull()
        lamp.ip("address", "flush", "dev", "eth0")
        lamp.ip("address", "add", "10.0.0.7/24", "dev", "eth0")
        network.settle(lamp)
        phone.touch()
        cable.put_back()
        assert _passed(phone, browser.wait_for(lambda told: "10.0.0.7" in _at(told), event="found")) < SOON


def test_started_before_there_is_any_network(network: Network) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    with phone.run("peer.py", "browse", "asyncio") as browser, _lamp(lamp, "asyncio"):
        browser.wait_for(event="browsing")
        phone.plug("eth0", "10.0.0.3/24")
        lamp.plug("eth0", "10.0.0.2/24")
        assert _passed(lamp, _found(browser, "10.0.0.2")) < SOON


# Several interfaces


def test_two_interfaces_of_which_one_goes(network: Network) -> None:
    lamp, phone, tablet = network.host("lamp"), network.host("phone"), network.host("tablet")
    lamp.plug("eth0", "10.0.0.2/24", segment="home")
    second = lamp.plug("eth1", "10.1.0.2/24", segment="annexe")
    phone.plug("eth0", "10.0.0.3/24", segment="home")
    tablet.plug("eth0", "10.1.0.3/24", segment="annexe")
    with (
        phone.run("peer.py", "browse", "trio") as here,
        tablet.run("peer.py", "browse", "trio") as there,
        _lamp(lamp) as (_, device_id),
    ):
        _found(here, "10.0.0.2", "10.1.0.2")
        _found(there, "10.0.0.2", "10.1.0.2")
        with _control(phone, device_id) as controller:
            second.pull()
            _found(here, "10.0.0.2")  # who is here shall not try what cannot be reached
            assert _read(controller) == "read"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_only_the_chosen_interface_is_listened_on_and_announced(network: Network, adapter: str) -> None:
    lamp, phone, stranger = network.host("lamp"), network.host("phone"), network.host("stranger")
    lamp.plug("eth0", "10.0.0.2/24", segment="home")
    lamp.plug("eth1", "10.1.0.2/24", segment="guests")
    phone.plug("eth0", "10.0.0.3/24", segment="home")
    stranger.plug("eth0", "10.1.0.3/24", segment="guests")
    with (
        phone.run("peer.py", "browse", adapter) as here,
        stranger.run("peer.py", "browse", adapter) as there,
        lamp.run("peer.py", "serve", adapter, json.dumps({"address": "eth0"})) as accessory,
    ):
        there.wait_for(event="browsing")
        port = accessory.wait_for(event="serving")["port"]
        _found(here, "10.0.0.2")
        assert phone.connects("10.0.0.2", port)
        for address in ("10.1.0.2", "10.0.0.2"):
            assert not stranger.connects(address, port)
        lamp.ip("address", "flush", "dev", "eth0")
        lamp.ip("address", "add", "10.0.0.7/24", "dev", "eth0")  # still the same interface
        here.wait_for(lambda told: "10.0.0.7" in _at(told), event="found")
        assert phone.connects("10.0.0.7", port)
        assert not there.pending()


# IPv6


def test_ipv6_only(network: Network) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "fd00::2/64")
    phone.plug("eth0", "fd00::3/64")
    with phone.run("peer.py", "browse", "trio") as browser, _lamp(lamp) as (_, device_id):
        _found(browser, "fd00::2")
        with _control(phone, device_id) as controller:
            lamp.ip("address", "add", "fd00::7/64", "dev", "eth0")
            lamp.ip("address", "del", "fd00::2/64", "dev", "eth0")
            told = browser.wait_for(lambda told: "fd00::7" in _at(told), event="found")
            assert _passed(lamp, told) < SOON
            assert "read" in {_read(controller) for _ in range(3)}


def test_ipv6_without_any_router(network: Network) -> None:
    """Link-local addresses mean nothing without the link; the controller knows on which it has heard them."""
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0")
    phone.plug("eth0")
    with phone.run("peer.py", "browse", "trio") as browser, _lamp(lamp) as (_, device_id):
        told = browser.wait_for(event="found")
        (address,) = _at(told)
        assert address.startswith("fe80::")
        assert "%" in address
        with _control(phone, device_id) as controller:
            assert _read(controller) == "read"


def test_an_address_that_is_still_checked_for_duplicates_comes_when_it_is_ready(network: Network) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    with phone.run("peer.py", "browse", "trio") as browser, _lamp(lamp):
        _found(browser, "10.0.0.2")
        lamp.set_ipv6("eth0", True, checked=True)
        lamp.ip("address", "add", "fd00::2/64", "dev", "eth0")
        assert "tentative" in lamp.ip("address", "show", "dev", "eth0")
        _found(browser, "10.0.0.2", "fd00::2")
        assert "tentative" not in lamp.ip("address", "show", "dev", "eth0", "scope", "global")


# Trouble


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_one_frame_in_ten_is_lost(network: Network, adapter: str) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24").lossy(0.1)
    phone.plug("eth0", "10.0.0.3/24")
    with _lamp(lamp, adapter) as (_, device_id), _control(phone, device_id) as controller:
        assert [_read(controller) for _ in range(5)] == ["read"] * 5


def test_a_controller_that_vanished_is_noticed(network: Network) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    cable = phone.plug("eth0", "10.0.0.3/24")
    keepalive = {"idle": 1, "interval": 1, "count": 2}
    with _lamp(lamp, keepalive=keepalive) as (accessory, device_id), _control(phone, device_id) as controller:
        assert _read(controller) == "read"
        accessory.wait_for(event="SessionOpened")
        lamp.touch()
        cable.pull()
        assert 2 < _passed(lamp, accessory.wait_for(event="SessionClosed")) < 10
