"""Whatever an accessory says of itself, the typed objects made of it can be looked at."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hapcore.catalogue import names
from hapcore.codec.json import JsonError, read_tolerant
from hapcore.controller.device import Device
from hapcore.model.remote import read_accessories
from hapcore.model.view import Missing

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([2**64, -(2**70), 10**400, "1" * 400, 1e308, "AQEB", "/w==", "\0\x1b[2J"]),
    st.lists(st.integers(), max_size=2),
)
FORMATS = st.sampled_from(["bool", "uint8", "uint64", "int", "float", "string", "tlv8", "data", "array", 7])
TYPES = st.one_of(st.sampled_from([*names.CHARACTERISTICS, *names.SERVICES]), st.text(max_size=40))
CHARACTERISTICS = st.fixed_dictionaries(
    {"iid": st.integers(0, 60), "type": TYPES},
    optional={"format": FORMATS, "value": ODD, "unit": ODD, "description": ODD, "perms": ODD, "maxValue": ODD},
)
SERVICES = st.fixed_dictionaries(
    {"iid": st.integers(0, 60), "type": TYPES, "characteristics": st.lists(CHARACTERISTICS, max_size=6)},
    optional={"linked": st.lists(st.integers(0, 60), max_size=3), "primary": ODD, "hidden": ODD},
)
ACCESSORIES = st.fixed_dictionaries({"aid": st.integers(0, 4), "services": st.lists(SERVICES, max_size=4)})


def look_at(device: Device) -> None:
    for accessory in device.accessories.values():
        assert repr(accessory).isprintable()
        for service in accessory.services:
            assert repr(service).isprintable()
            assert isinstance(service.label, str)
            assert set(service.linked) <= set(accessory.services)
            for one in service.characteristics:
                assert device[one] == one
                assert one.name.isprintable()
                for value in (one.description.value, True, 10**400, -(10**400), 1e308, float("nan"), "x", b"\x01"):
                    assert one.text(value).isprintable()
                    assert one.typed(value) is None or one.kind is None or isinstance(one.typed(value), one.kind.python)
                    assert one.fields(value) is None or isinstance(value, bytes)
            for attribute in dir(type(service)):
                with suppress(Missing):
                    getattr(service, attribute)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACCESSORIES, min_size=1, max_size=3))
def test_whatever_is_in_a_database(accessories: list[Any]) -> None:
    found = read_accessories({"accessories": accessories})
    if found:
        look_at(Device(found))


def test_numbers_longer_than_any_text_of_them() -> None:
    digits = b"9" * 5000
    body = b'{"accessories":[{"aid":1,"services":[{"iid":1,"type":"43","characteristics":['
    kinds = (
        (b"8", b"int"),
        (b"13", b"int"),
        (b"1D", b"uint8"),
        (b"23", b"uint64"),
        (b"999", b"float"),
        (b"25", b"int"),
    )
    entries = [
        b'{"iid":%d,"type":"%b","format":"%b","perms":["pr"],"value":%b}' % (iid, kind, form, digits)
        for iid, (kind, form) in enumerate(kinds, 2)
    ]
    try:
        found = read_tolerant(body + b",".join(entries) + b"]}]}]}")
    except JsonError:
        found = {"accessories": [{"aid": 1, "services": [{"iid": 1, "type": "43", "characteristics": []}]}]}
    look_at(Device(read_accessories(found)))
