"""A pytest plugin for people who write HomeKit products: your accessory and a controller, in memory.

Fixtures: `hap_accessory` is what is served, override it with your own; `hap_pair` is the accessory and a paired
controller, in virtual time; `hap_controller` is that controller. `hap_air_pair` is such a pair over Bluetooth LE, on an
air without hardware, in real time. pytest finds the plugin by itself once the package is installed; nothing but this
file is imported until a test uses one of them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from hap_sync.testing import AirPair
    from hapcore.ip.accessory.settings import Served
    from hapcore.testing import Pair, Remote

__all__ = ["hap_accessory", "hap_air_pair", "hap_controller", "hap_pair"]


@pytest.fixture
def hap_accessory() -> Served:
    """What is served: an accessory, a service or several. Override it; the one here is a lamp to try things with."""
    from hapcore.catalogue.services import Lightbulb

    return Lightbulb("Test lamp", on=False, brightness=40)


@pytest.fixture
def hap_pair(hap_accessory: Served) -> Generator[Pair, None, None]:
    """`hap_accessory` and a controller that is paired with it, a `hapcore.testing.Pair`.

    An exception of one of your handlers fails the test, unless the test takes it out of `hap_pair.errors`.
    """
    from hapcore.testing import Pair

    pair = Pair(hap_accessory)
    pair.pair()
    yield pair
    pair.close()
    if pair.errors:
        raise pair.errors[0]


@pytest.fixture
def hap_controller(hap_pair: Pair) -> Remote:
    """The controller of `hap_pair`, a `hapcore.testing.Remote`: `read`, `write`, `subscribe` and the rest."""
    return hap_pair.controller


@pytest.fixture
def hap_air_pair(hap_accessory: Served, tmp_path: Path) -> Generator[AirPair, None, None]:
    """`hap_accessory` over Bluetooth LE and a controller that is paired with it, a `hap_sync.testing.AirPair`.

    Needs the extras `ble` and `ble-accessory`. An exception of one of your handlers fails the test, unless the test
    takes it out of `hap_air_pair.errors`.
    """
    from hap_sync.testing import open_air_pair

    with open_air_pair(hap_accessory, state=tmp_path / "hap_air_pair.json") as pair:
        yield pair
    if pair.errors:
        raise pair.errors[0]
