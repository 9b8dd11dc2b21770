"""Where the foreign peers are. A plain test run does not come here (norecursedirs): `nox -s interop` does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.interop.foreign_peers import Peers


@pytest.fixture(scope="session")
def peers() -> Peers:
    """The installed peers."""
    directory = os.environ.get("HAPCORE_PEERS")
    if not directory:
        pytest.fail(
            "HAPCORE_PEERS is not set. Run `nox -s interop`, or `python tests/interop/setup_peers.py --into DIR` and "
            "then pytest with HAPCORE_PEERS=DIR in the environment."
        )
    found = Peers(Path(directory).resolve())
    if not found.complete:
        pytest.fail(f"there are no complete peers in HAPCORE_PEERS={directory}; run tests/interop/setup_peers.py")
    return found
