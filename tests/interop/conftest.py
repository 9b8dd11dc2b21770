"""The interop tests run only when asked for: `nox -s interop`, or this directory named on pytest's command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from foreign_peers import Peers

HERE = Path(__file__).parent


def _asked_for(config: pytest.Config) -> bool:
    for argument in config.args:
        path = (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        if path == HERE or HERE in path.parents:
            return True
    return False


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A plain test run does not need Node.js and a package index."""
    return None if _asked_for(config) else True


@pytest.fixture(scope="session")
def peers() -> Peers:
    """Where the foreign peers are installed."""
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
