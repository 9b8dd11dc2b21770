"""These run on a Linux of their own (norecursedirs): `nox -s bluez` starts it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing of this makes sense, or is safe, on a Linux with Bluetooth adapters of somebody's."""
    inside = os.environ.get("HAPCORE_MACHINE") == "uml" and Path("/dev/vhci").exists()
    if items and not inside:
        raise pytest.UsageError(
            "these tests need a Linux of their own: run `nox -s bluez`, or `python tests/bluez/machine.py COMMAND`"
        )
