"""Values in and out: strict for what a controller writes, friendly for the application, patient for what comes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.codec.json import read_strict
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.ids import Value
from hapcore.model import values
from hapcore.model.values import Format, Metadata

REFUSED = object()
LARGEST = 3.4028235e38

META: Mapping[str, Metadata] = {
    "bool": Metadata(Format.BOOL, ["pr", "pw"]),
    "uint8": Metadata(Format.UINT8, ["pr", "pw"], min=10, max=200, step=5),
    "uint16": Metadata(Format.UINT16, ["pr", "pw"]),
    "uint32": Metadata(Format.UINT32, ["pr", "pw"], min=5, max=4_000_000_000, step=0),
    "uint64": Metadata(Format.UINT64, ["pr", "pw"]),
    "int": Metadata(Format.INT, ["pr", "pw"], min=-100, max=100, step=10),
    "plain int": Metadata(Format.INT, ["pr", "pw"]),
    "float": Metadata(Format.FLOAT, ["pr", "pw"], min=-1.5, max=1.5, step=0.1),
    "hue": Metadata(Format.FLOAT, ["pr", "pw"], min=0, max=360, step=1),
    "wide float": Metadata(Format.FLOAT, ["pr", "pw"], min=-LARGEST, max=LARGEST, step=0.0),
    "plain float": Metadata(Format.FLOAT, ["pr", "pw"]),
    "string": Metadata(Format.STRING, ["pr", "pw"]),
    "long string": Metadata(Format.STRING, ["pr", "pw"], max_len=256),
    "tlv8": Metadata(Format.TLV8, ["pr", "pw"]),
    "data": Metadata(Format.DATA, ["pr", "pw"]),
    "short data": Metadata(Format.DATA, ["pr", "pw"], max_data_len=3),
    "values": Metadata(Format.UINT8, ["pr", "pw"], min=0, max=3, step=1, valid_values=(0, 1, 3)),
    "ranges": Metadata(Format.UINT8, ["pr", "pw"], min=0, max=20, step=1, valid_ranges=((1, 3), (10, 12))),
}

FROM_WIRE: list[tuple[str, str, object]] = [
    # The JSON text as it stands in a request, and what becomes of it.
    ("bool", "true", True),
    ("bool", "false", False),
    ("bool", "1", True),
    ("bool", "0", False),
    ("bool", "2", REFUSED),
    ("bool", "-1", REFUSED),
    ("bool", "1.0", REFUSED),
    ("bool", '"true"', REFUSED),
    ("bool", "null", REFUSED),
    ("uint8", "15", 15),
    ("uint8", "16", REFUSED),
    ("uint8", "200", 200),
    ("uint8", "201", REFUSED),
    ("uint8", "9", REFUSED),
    ("uint8", "15.0", REFUSED),
    ("uint8", "true", REFUSED),
    ("uint8", '"15"', REFUSED),
    ("uint16", "65535", 65535),
    ("uint16", "65536", REFUSED),
    ("uint16", "-1", REFUSED),
    ("uint16", "true", 1),
    ("uint16", "false", 0),
    ("uint32", "4000000000", 4_000_000_000),
    ("uint32", "4000000001", REFUSED),
    ("uint32", "4", REFUSED),
    ("uint64", "18446744073709551615", 2**64 - 1),
    ("int", "-50", -50),
    ("int", "5", REFUSED),
    ("int", "110", REFUSED),
    ("plain int", "-2147483648", -(2**31)),
    ("plain int", "-2147483649", REFUSED),
    ("plain int", "2147483648", REFUSED),
    ("plain int", "true", 1),
    ("float", "0.3", 0.3),
    ("float", "-1.5", -1.5),
    ("float", "1.6", REFUSED),
    ("float", "0.15", REFUSED),
    ("float", "0.1001", 0.1),
    ("float", "0.11", 0.1),
    ("float", "0.111", REFUSED),
    ("float", "0.09", 0.1),
    ("float", "-1.49", -1.5),
    ("float", "1.50000001", 1.5),
    ("float", "1.51", REFUSED),
    ("float", "1", 1.0),
    ("float", "true", 1.0),
    ("float", '"1"', REFUSED),
    ("hue", "120.0", 120.0),
    ("hue", "120.05", 120.0),
    ("hue", "359.95", 360.0),
    ("hue", "360.5", REFUSED),
    ("hue", "120.5", REFUSED),
    ("wide float", "0.1001", 0.1001),
    ("wide float", "340282350000000000000000000000000000000.0", LARGEST),
    ("wide float", "1.0e39", REFUSED),
    ("plain float", "1.0e39", REFUSED),
    ("plain float", "18446744073709551615", float(2**64)),
    ("string", '"hello"', "hello"),
    ("string", '""', ""),
    ("string", '"' + "a" * 64 + '"', "a" * 64),
    ("string", '"' + "a" * 65 + '"', REFUSED),
    ("string", '"' + "é" * 32 + '"', "é" * 32),
    ("string", '"' + "é" * 33 + '"', REFUSED),
    ("string", '"nul\\u0000x"', "nul"),
    ("string", '"\\u0000' + "a" * 70 + '"', ""),
    ("string", "1", REFUSED),
    ("string", "true", REFUSED),
    ("long string", '"' + "b" * 256 + '"', "b" * 256),
    ("long string", '"' + "b" * 257 + '"', REFUSED),
    ("tlv8", '"AQEF"', b"\x01\x01\x05"),
    ("tlv8", '""', b""),
    ("tlv8", '"AQUB"', REFUSED),
    ("tlv8", '"AQ=="', REFUSED),
    ("tlv8", "5", REFUSED),
    ("data", '"AQID"', b"\x01\x02\x03"),
    ("data", '"/+8="', b"\xff\xef"),
    ("data", '"/+8"', REFUSED),
    ("data", '"_-8="', REFUSED),
    ("data", '"AQ\\nID"', REFUSED),
    ("data", '"AQID\\u0000"', REFUSED),
    ("data", '"é"', REFUSED),
    ("data", '"="', REFUSED),
    ("data", "1", REFUSED),
    ("short data", '"AQID"', b"\x01\x02\x03"),
    ("short data", '"AQIDBA=="', REFUSED),
    ("values", "3", 3),
    ("values", "2", REFUSED),
    ("ranges", "10", 10),
    ("ranges", "4", REFUSED),
    ("ranges", "13", REFUSED),
]


@pytest.mark.parametrize(("kind", "text", "wanted"), FROM_WIRE)
def test_what_a_controller_writes(kind: str, text: str, wanted: object) -> None:
    given_value = read_strict(text.encode())
    if wanted is REFUSED:
        with pytest.raises(ValueRefused) as caught:
            values.from_wire(META[kind], given_value)
        assert caught.value.status == -70410
    else:
        found = values.from_wire(META[kind], given_value)
        assert found == wanted
        assert type(found) is type(wanted)


@pytest.mark.parametrize("kind", META)
@pytest.mark.parametrize("junk", [None, [], {}, [1], float("nan"), float("inf"), 10**400, -(10**400)])
def test_junk_is_refused_by_every_format(kind: str, junk: object) -> None:
    with pytest.raises(ValueRefused):
        values.from_wire(META[kind], junk)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("bool", True, b"1"),
        ("bool", False, b"0"),
        ("uint64", 2**64 - 1, b"18446744073709551615"),
        ("int", -50, b"-50"),
        ("float", -0.3, b"-0.3"),
        ("float", 1, b"1.0"),
        ("plain float", 1e-7, b"0.0000001"),
        ("plain float", 16777216.0, b"16777216.0"),
        ("plain float", float("nan"), b"null"),
        ("string", 'a"\\\n', b'"a\\"\\\\\\n"'),
        ("data", b"\xff\xef", b'"/+8="'),
        ("tlv8", b"", b'""'),
        ("uint8", None, b"null"),
    ],
)
def test_values_on_the_wire(kind: str, value: Value, text: bytes) -> None:
    assert values.to_wire(META[kind], value) == text


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("bool", 1, True),
        ("bool", "on", REFUSED),
        ("bool", 2, REFUSED),
        ("uint8", 15.0, 15),
        ("uint8", 15.5, REFUSED),
        ("uint8", "15", REFUSED),
        ("float", 0.3000001, 0.3),
        ("float", 0.14, 0.1),
        ("float", 2, REFUSED),
        ("plain float", 10**400, REFUSED),
        ("float", "1", REFUSED),
        ("string", "x" * 65, REFUSED),
        ("string", "\ud800", REFUSED),
        ("string", b"x", REFUSED),
        ("data", bytearray(b"x"), b"x"),
        ("data", "x", REFUSED),
        ("values", 2, REFUSED),
        ("bool", None, None),
    ],
)
def test_what_the_application_sets(kind: str, value: object, wanted: object) -> None:
    if wanted is REFUSED:
        with pytest.raises(ValueRefused):
            values.coerce(META[kind], value)
    else:
        found = values.coerce(META[kind], value)
        assert found == wanted
        assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("bool", False),
        ("uint8", 10),
        ("uint32", 5),
        ("int", 0),
        ("float", 0.0),
        ("string", ""),
        ("tlv8", b""),
        ("ranges", 1),
    ],
)
def test_the_first_value(kind: str, wanted: object) -> None:
    found = values.default(META[kind])
    assert found == wanted
    assert type(found) is type(wanted)
    assert values.coerce(META[kind], found) == found


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        ("bool", True, 1),
        ("bool", False, 0),
        ("uint8", 17, 15),
        ("uint8", 18, 20),
        ("uint8", 17.5, 20),
        ("uint8", 12.5, 15),
        ("uint8", 201, 200),
        ("uint8", 203, REFUSED),
        ("uint8", float("nan"), REFUSED),
        ("plain int", -7, -7),
        ("plain float", 22.200001, 22.2),
        ("plain float", 123456.789, 123457.0),
        ("hue", 0.5, 1.0),
        ("hue", 120.4, 120.0),
        ("hue", 361, REFUSED),
        ("hue", "1", REFUSED),
        ("string", "x", "x"),
        ("data", b"\xff\xef", "/+8="),
        ("data", None, REFUSED),
        ("values", 2, REFUSED),
    ],
)
def test_what_a_controller_sends(kind: str, value: object, sent: object) -> None:
    if sent is REFUSED:
        with pytest.raises(ValueRefused):
            values.for_write(META[kind], value)
    else:
        found = values.for_write(META[kind], value)
        assert found == sent
        assert type(found) is type(sent)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("bool", 1, True),
        ("bool", "false", False),
        ("uint8", 21.0, 21),
        ("uint8", "300", 300),
        ("uint8", float("inf"), None),
        ("uint8", "x", None),
        ("float", 21, 21.0),
        ("float", 10**400, None),
        ("float", float("nan"), None),
        ("float", "nan", None),
        ("float", "-Infinity", None),
        ("float", "1e999", None),
        ("bool", "nan", None),
        ("string", 5, "5"),
        ("data", "/-8", b"\xff\xef"),
        ("data", "!", None),
        ("data", 5, None),
        ("bool", [], None),
        ("bool", None, None),
    ],
)
def test_what_an_accessory_sends(kind: str, value: object, wanted: object) -> None:
    found = values.from_remote(META[kind], value)
    assert found == wanted
    assert type(found) is type(wanted)


def test_without_metadata_a_value_is_what_it_looks_like() -> None:
    assert values.from_remote(None, "AQ==") == "AQ=="
    assert values.from_remote(None, 1) == 1
    assert values.from_remote(None, {"a": 1}) is None


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("bool", "On", True),
        ("bool", "0", False),
        ("bool", "maybe", REFUSED),
        ("uint8", " 15 ", 15),
        ("uint8", "15.5", REFUSED),
        ("uint16", "true", 1),
        ("float", "0.3", 0.3),
        ("float", "warm", REFUSED),
        ("float", "nan", REFUSED),
        ("string", " as it is ", " as it is "),
        ("data", "AQID", b"\x01\x02\x03"),
        ("data", "AQI", REFUSED),
    ],
)
def test_what_people_type(kind: str, text: str, wanted: object) -> None:
    if wanted is REFUSED:
        with pytest.raises(ValueRefused):
            values.parse_text(META[kind], text)
    else:
        assert values.parse_text(META[kind], text) == wanted


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary().map(lambda b: base64.b64encode(b).decode()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@given(st.sampled_from(sorted(META)), ANYTHING)
def test_readers_give_a_value_or_refuse(kind: str, value: object) -> None:
    values.from_remote(META[kind], value)
    for reader in (values.from_wire, values.coerce):
        try:
            found = reader(META[kind], value)
        except ValueRefused:
            continue
        # What was taken is fit to be set, shown, sent and taken again.
        assert values.coerce(META[kind], found) == found
        shown = json.loads(values.to_wire(META[kind], found))
        if found is not None:
            again = values.from_remote(META[kind], shown)
            assert again == pytest.approx(found) if isinstance(found, float) else again == found


@given(st.integers(0, 30), st.floats(-0.0999, 0.0999), st.sampled_from([0.1, 0.5, 0.01, 1.0, 5.0]))
def test_floats_near_the_grid_land_on_it(steps: int, beside: float, step: float) -> None:
    meta = Metadata(Format.FLOAT, ["pw"], min=-1.5, max=1000, step=step)
    exact = round(-1.5 + steps * step, 6)
    if exact + beside * step < -1.5:
        return
    assert values.from_wire(meta, exact + beside * step) == exact


@pytest.mark.parametrize(
    "changes",
    [
        {"min": 5, "max": 1},
        {"step": -1},
        {"min": 1.5},
        {"max": 256},
        {"valid_values": (3, 1)},
        {"valid_ranges": ((3, 1),)},
    ],
)
def test_metadata_that_contradicts_itself(changes: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        Metadata(Format.UINT8, ["pr"]).but(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Format.BOOL, Format.STRING, Format.DATA, Format.TLV8])
def test_limits_of_things_that_have_none(kind: Format) -> None:
    with pytest.raises(LocalProtocolError):
        Metadata(kind, ["pr"]).but(min=1)


def test_a_refusal_does_not_repeat_text() -> None:
    with pytest.raises(ValueRefused) as caught:
        values.from_wire(META["string"], "my secret " * 10)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "limits", "given", "sent"),
    [
        (Format.INT, {"step": 1}, 2.5, 3),
        (Format.INT, {"step": 1}, -2.5, -2),
        (Format.INT, {"step": 5}, 2.5, 5),
        (Format.INT, {"step": 6}, 2.5, 0),  # not rounded twice
        (Format.INT, {"min": 0, "max": 50, "step": 20}, 50, 40),  # the grid ends below the maximum
        (Format.FLOAT, {"step": 1}, 2.5, 3.0),
        (Format.FLOAT, {"step": 0.1}, 0.15, 0.2),
        (Format.FLOAT, {"step": 0.1}, 0.35, 0.4),
        (Format.FLOAT, {"step": 0.1}, -0.15, -0.1),
        (Format.FLOAT, {"step": 0.1}, 0.1 + 0.2, 0.3),
        (Format.FLOAT, {"min": 10, "max": 38, "step": 0.5}, 21.25, 21.5),
        (Format.FLOAT, {"min": 10, "max": 38, "step": 0.1}, 21.05, 21.1),
        (Format.FLOAT, {"step": 0.10000000149011612}, 22.200001, 22.2),  # a step that has been single precision
    ],
)
def test_what_a_controller_writes_is_rounded_half_up_to_the_step(form, limits, given, sent):
    written = values.for_write(Metadata(form, (), **limits), given)
    assert repr(written) == repr(sent)
