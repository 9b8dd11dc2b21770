"""These need root's rights on a Linux (norecursedirs): `nox -s network` runs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.network.hosts import Network, missing, open_network


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Said once and clearly, not by each test."""
    if items and (lacking := missing()):
        raise pytest.UsageError(f"these tests cannot run here: {lacking}")


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of its own for each test."""
    with open_network() as network:
        yield network
