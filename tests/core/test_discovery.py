from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.discovery import (
    SERVICE_TYPE,
    DiscoveredAccessory,
    FeatureFlags,
    ServiceRecord,
    StatusFlags,
    device_key,
    host_label,
    instance_name,
    parse_txt,
)
from hapcore.errors import LocalProtocolError

ID = "E1:91:1A:70:85:AA"


def _record(**changes: object) -> ServiceRecord:
    fields: dict[str, object] = {
        "name": "Desk lamp",
        "device_id": ID,
        "config_number": 3,
        "category": 5,
        "status_flags": 1,
        "model": "Bench1,1",
        "setup_hash": "yf4bzw==",
    }
    return ServiceRecord(**(fields | changes))  # type: ignore[arg-type]


def _parsed(properties: dict[str, object] | dict[bytes, object], **changes: object) -> DiscoveredAccessory:
    fields: dict[str, object] = {"name": "Lamp", "addresses": ["10.0.0.1"], "port": 80}
    found = parse_txt(properties=properties, **(fields | changes))  # type: ignore[arg-type]
    assert found is not None
    return found


# --- what we announce -------------------------------------------------------------------------------------------------


def test_the_txt_record_as_apple_sends_it() -> None:
    assert list(_record().txt().items()) == [
        ("c#", "3"),
        ("ff", "0"),
        ("id", ID),
        ("md", "Bench1,1"),
        ("pv", "1.1"),
        ("s#", "1"),
        ("sf", "1"),
        ("ci", "5"),
        ("sh", "yf4bzw=="),
    ]
    assert SERVICE_TYPE == "_hap._tcp.local."


def test_without_a_setup_id_there_is_no_hash() -> None:
    assert list(_record(setup_hash=None).txt()) == ["c#", "ff", "id", "md", "pv", "s#", "sf", "ci"]


def test_flags_are_decimal_and_the_id_upper_case() -> None:
    record = _record(
        status_flags=StatusFlags.NOT_PAIRED | StatusFlags.PROBLEM,
        feature_flags=FeatureFlags.COPROCESSOR | FeatureFlags.SOFTWARE_TOKEN,
        device_id=ID.lower(),
    )
    txt = record.txt()
    assert (txt["sf"], txt["ff"], txt["id"]) == ("5", "3", ID)


def test_every_txt_string_fits_its_length_byte() -> None:
    txt = _record(model="ä\n" * 300).txt()
    assert txt["md"] == "ä" * 126
    assert all(len(f"{key}={value}".encode()) <= 255 for key, value in txt.items())


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("config_number", 0),
        ("config_number", 65536),
        ("state_number", 0),
        ("category", -1),
        ("category", 256),
        ("status_flags", 2**32),
        ("feature_flags", 2**32),
        ("device_id", ""),
    ],
)
def test_impossible_records_are_the_callers_mistake(argument: str, value: object) -> None:
    with pytest.raises(LocalProtocolError, match=argument):
        _record(**{argument: value})


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "attempt", "expected"),
    [
        ("Desk lamp", 1, "Desk lamp"),
        ("Desk lamp", 2, "Desk lamp (2)"),
        ("Desk lamp", 12, "Desk lamp (12)"),
        ("  Küche\t", 1, "Küche"),
        ("Dr. Lamp", 1, "Dr\u2024 Lamp"),
        ("a" * 64, 1, "a" * 63),
        ("a" * 64, 2, "a" * 59 + " (2)"),
        ("ä" * 40, 1, "ä" * 31),
        ("a" * 62 + "ä", 1, "a" * 62),
        ("", 1, "Accessory"),
        ("\x1b\n", 3, "Accessory (3)"),
        ("a" * 57 + "  bc", 2, "a" * 57 + " (2)"),
    ],
)
def test_instance_names(name: str, attempt: int, expected: str) -> None:
    assert instance_name(name, attempt) == expected


@given(st.text(), st.integers(1, 1000))
def test_any_name_becomes_one_label(name: str, attempt: int) -> None:
    label = instance_name(name, attempt)
    assert 1 <= len(label.encode()) <= 63
    assert "." not in label
    assert not any(unicodedata.category(character) == "Cc" for character in label)
    assert attempt == 1 or label.endswith(f" ({attempt})")


@pytest.mark.parametrize(
    ("device_id", "expected"), [(ID, "E1911A7085AA"), (ID.lower(), "E1911A7085AA"), ("::", "HAP"), ("a" * 99, "A" * 63)]
)
def test_host_labels(device_id: str, expected: str) -> None:
    assert host_label(device_id) == expected


def test_device_ids_compare_without_case() -> None:
    assert device_key(" e1:91:1a:70:85:aa ") == device_key(ID) == ID


# --- what we find -----------------------------------------------------------------------------------------------------


def test_what_we_announce_we_find() -> None:
    found = _parsed(dict(_record().txt()), name="Desk lamp")
    assert found == DiscoveredAccessory(
        name="Desk lamp",
        device_id=ID,
        addresses=("10.0.0.1",),
        port=80,
        model="Bench1,1",
        category=5,
        config_number=3,
        state_number=1,
        feature_flags=FeatureFlags(0),
        status_flags=StatusFlags.NOT_PAIRED,
        setup_hash="yf4bzw==",
        protocol_version="1.1",
    )
    assert not found.paired


def test_bytes_and_any_case_of_keys_are_read() -> None:
    found = _parsed({b"ID": ID.lower().encode(), b"C#": b"7", b"Sf": b"0", b"md": b"L\xc3\xa4mp\xff"})
    assert (found.device_id, found.config_number, found.paired, found.model) == (ID, 7, True, "Lämp\ufffd")


def test_the_first_of_equal_keys_counts() -> None:
    assert _parsed({"id": ID, "md": "one", "MD": "two"}).model == "one"


def test_only_the_id_is_needed() -> None:
    found = _parsed({"id": ID, "x-new": "1", "flag": None})
    assert (found.model, found.category, found.config_number, found.state_number) == ("", 1, 0, 1)
    assert (found.feature_flags, found.status_flags, found.setup_hash) == (FeatureFlags(0), StatusFlags(0), None)
    assert found.protocol_version == "1.0"


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "0x1", "99999999999", "\uff14", "²", None, "70000", "+1"])
def test_a_number_that_is_none_counts_as_missing(text: str | None) -> None:
    found = _parsed({"id": ID, "c#": text, "s#": text, "ci": text})
    assert (found.config_number, found.state_number, found.category) == (0, 1, 1)


def test_unknown_flags_are_kept() -> None:
    found = _parsed({"id": ID, "sf": "9", "ff": "6"})
    assert not found.paired
    assert (int(found.status_flags), int(found.feature_flags)) == (9, 6)


@pytest.mark.parametrize("properties", [{}, {"id": ""}, {"id": None}, {"id": " \x00"}, {"sf": "1"}])
def test_without_an_id_nothing_is_found(properties: dict[str, str | None]) -> None:
    assert parse_txt("Lamp", properties, ["10.0.0.1"], 80) is None


@pytest.mark.parametrize("port", [None, 0, -1, 65536])
def test_without_a_port_nothing_is_found(port: int | None) -> None:
    assert parse_txt("Lamp", {"id": ID}, ["10.0.0.1"], port) is None


def test_addresses_are_ranked_and_the_useless_ones_left_out() -> None:
    found = _parsed(
        {"id": ID},
        addresses=[
            "fe80::1",
            "fe80::1%3",
            "::1",
            "127.0.0.1",
            "169.254.7.7",
            "2001:db8::7",
            "nonsense",
            "0.0.0.0",  # noqa: S104 - nothing binds to it
            "::",
            "224.0.0.251",
            "ff02::fb",
            "10.0.0.7",
            "192.168.1.7",
            "10.0.0.7",
        ],
    )
    assert found.addresses == (
        "10.0.0.7",
        "192.168.1.7",
        "2001:db8::7",
        "fe80::1%3",
        "169.254.7.7",
        "::1",
        "127.0.0.1",
    )


def test_no_address_is_no_obstacle_and_hundreds_are_cut() -> None:
    assert _parsed({"id": ID}, addresses=[]).addresses == ()
    assert _parsed({"id": ID}, addresses=(f"10.0.{high}.1" for high in range(200))).addresses == tuple(
        f"10.0.{high}.1" for high in range(16)
    )


def test_control_characters_do_not_reach_a_terminal() -> None:
    found = _parsed({"id": ID, "md": "\x1b[2JLamp\x9b"}, name="\x1b]0;Lamp\x07")
    assert (found.name, found.model) == ("]0;Lamp", "[2JLamp")


@given(
    st.dictionaries(
        st.sampled_from([b"c#", b"ff", b"id", b"md", b"pv", b"s#", b"sf", b"ci", b"sh", b"ID"]) | st.binary(max_size=5),
        st.none() | st.binary(max_size=12) | st.integers().map(lambda number: str(number).encode()),
    ),
    st.lists(st.ip_addresses().map(str) | st.text(max_size=20), max_size=30),
    st.none() | st.integers(),
    st.text(max_size=80),
)
def test_any_announcement_is_read_or_left_out(
    properties: dict[bytes, bytes | None], addresses: list[str], port: int | None, name: str
) -> None:
    found = parse_txt(name, properties, addresses, port)
    if found is not None:
        assert found.device_id
        assert found.device_id == device_key(found.device_id)
        assert 1 <= found.port <= 65535
        assert len(found.addresses) <= 16
