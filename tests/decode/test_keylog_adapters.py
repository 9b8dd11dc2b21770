"""HAPKEYLOGFILE with each adapter, in both roles: each writes the keys of every session."""

from __future__ import annotations

import pytest
from tests.scenarios.homes import KINDS
from tests.scenarios.test_scenarios import House

from hap_sync.keylog import VARIABLE
from hapcore.pairing.keylog import read_key_log


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_write_the_same_keys(kind, tmp_path, monkeypatch):
    log = tmp_path / "keys.log"
    monkeypatch.setenv(VARIABLE, str(log))
    house = House(kind, kind, tmp_path)
    try:
        _, lamp = house.visit()
        assert lamp.value(house.on.id) is False
    finally:
        house.close()
    found = read_key_log(log.read_bytes())
    assert found.problems == ()
    one, other = found.sessions
    assert (one.public, one.accessory_id, one.controller_id) == (
        other.public,
        other.accessory_id,
        other.controller_id,
    )
    assert one.keys == other.keys
    assert len(one.public) == 32
    assert len(one.accessory_id) == 17
    assert one.time > 1_600_000_000
