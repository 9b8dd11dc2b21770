"""A served accessory goes along with what becomes of its host's network, and so does who looks for it."""

from __future__ import annotations

import json
import time
from typing import cast

import pytest
from tests.network.hosts import Network, Program

ADAPTERS = ["trio", "asyncio", "sync"]


def _found(browser: Program, *addresses: str) -> dict[str, object]:
    """The accessory at these addresses and no others, in any order."""
    return browser.wait_for(lambda told: _at(told) == set(addresses), event="found")


def _at(told: dict[str, object]) -> set[str]:
    return set(cast("list[str]", told["addresses"]))


def _settings(**settings: object) -> str:
    return json.dumps(settings)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_another_address_is_announced_without_a_restart(network: Network, adapter: str) -> None:
    lamp, phone = network.host("lamp"), network.host("phone")
    lamp.plug("eth0", "10.0.0.2/24")
    phone.plug("eth0", "10.0.0.3/24")
    with phone.run("peer.py", "browse", adapter) as browser, lamp.run("peer.py", "serve", adapter) as accessory:
        accessory.wait_for(event="serving")
        _found(browser, "10.0.0.2")
        began = time.monotonic()
        lamp.ip("address", "del", "10.0.0.2/24", "dev", "eth0")
        lamp.ip("address", "add", "10.0.0.7/24", "dev", "eth0")
        told = browser.wait_for(lambda told: "10.0.0.7" in _at(told), event="found")
        assert isinstance(told["time"], float)
        assert told["time"] - began < 2
