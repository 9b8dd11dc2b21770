"""The controller's view: our own databases read back, and whatever a hostile accessory may send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.catalogue.services import Lightbulb
from hapcore.errors import LocalProtocolError
from hapcore.model.database import Database
from hapcore.model.remote import read_accessories
from hapcore.replay.bench import bench


def test_what_we_show_is_what_is_read() -> None:
    database = bench()
    (found,) = read_accessories(json.loads(b"".join(database.pieces())))
    assert (found.aid, found.name) == (1, "Bench")
    described = {one.id: one for service in found.services for one in service.characteristics}
    assert set(described) == {one.id for one in database.characteristics}
    for one in database.characteristics:
        there = described[one.id]
        assert there.type == one.type.uuid
        assert {p.value for p in there.metadata.perms} == {p.value for p in one.perms} - {"bn"}
        assert there.metadata.format is one.metadata.format
        assert (there.metadata.low, there.metadata.high) == (one.metadata.low, one.metadata.high)
        assert there.metadata.valid_values == one.metadata.valid_values
        assert there.metadata.valid_ranges == one.metadata.valid_ranges
        assert there.metadata.description == one.metadata.description
        assert there.value == (None if not one.readable else one.value)
        assert there.ev is (False if one.readable else None)
    assert [service.linked for service in found.services if service.linked] == [(96,), (48, 64)]
    assert [service.primary for service in found.services].count(True) == 1


def test_lookups() -> None:
    light = Lightbulb("x", on=True)
    (found,) = read_accessories(json.loads(b"".join(Database.of(light).pieces())))
    on = found.find(light.on.iid)
    assert on is not None
    assert on.value is True
    assert found.find(999) is None
    service = next(one for one in found.services if one.iid == light.iid)
    assert service.find("25") is on
    assert service.find("13") is None
    with pytest.raises(LocalProtocolError):
        service.find("what?")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MEMBERS = ["iid", "type", "format", "perms", "value", "ev", "minValue", "maxValue", "minStep", "maxLen", "unit"]
MEMBERS += ["valid-values", "valid-values-range", "description", "maxDataLen"]
SENSIBLE = st.sampled_from([1, 9, "25", "14", "bool", "uint64", ["pr"], [1, 2], [[1, 2]], "1e400", 1e308, "data"])
CHARACTERISTIC = st.dictionaries(st.sampled_from(MEMBERS), SENSIBLE | JSON)
SERVICE = st.fixed_dictionaries(
    {"iid": st.just(8) | JSON, "type": st.just("43") | JSON},
    optional={"characteristics": st.lists(CHARACTERISTIC | JSON, max_size=3) | JSON, "linked": JSON, "primary": JSON},
)
ACCESSORY = st.fixed_dictionaries({"aid": st.just(1) | JSON, "services": st.lists(SERVICE | JSON, max_size=3) | JSON})


@given(JSON | st.fixed_dictionaries({"accessories": st.lists(ACCESSORY | JSON, max_size=3) | JSON}))
def test_no_answer_makes_the_reader_raise(body: object) -> None:
    for accessory in read_accessories(body):  # type: ignore[arg-type]
        assert 1 <= accessory.aid < 2**64
        numbers = [one.iid for service in accessory.services for one in service.characteristics]
        numbers += [service.iid for service in accessory.services]
        assert len(numbers) == len(set(numbers))


@given(CHARACTERISTIC)
def test_whatever_a_characteristic_says_it_is_described(entry: dict[str, object]) -> None:
    body = {
        "accessories": [
            {"aid": 1, "services": [{"iid": 8, "type": "43", "characteristics": [{**entry, "iid": 9, "type": "25"}]}]}
        ]
    }
    (found,) = read_accessories(body)  # type: ignore[arg-type]
    assert found.find(9) is not None
