from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hapcore import state
from hapcore.crypto.secret import Secret
from hapcore.discovery import Transport
from hapcore.errors import LocalProtocolError, StateError
from hapcore.pairing.records import Pairing
from hapcore.state import (
    PAIRINGS,
    STATE,
    PairedAccessory,
    decode_pairings,
    decode_state,
    encode_pairings,
    encode_state,
)

TABLE = {
    "identity": b'{"device_id":"AA:BB:CC:DD:EE:FF","ltsk":"00ff"}',
    "attempts": b"3",
    "name": "Küchenlicht".encode(),
    "key": bytes(range(256)),
    "empty": b"",
}


def _lamp(alias: str = "lamp", **changes: object) -> PairedAccessory:
    fields: dict[str, object] = {
        "alias": alias,
        "pairing": Pairing("AA:BB:CC:DD:EE:FF", bytes(range(32)), "7A0B-ID", Secret(bytes(range(32, 64)))),
        "name": "Desk lamp",
        "addresses": ("10.0.0.7", "fe80::1%2"),
        "port": 51826,
        "config_number": 3,
    }
    return PairedAccessory(**(fields | changes))  # type: ignore[arg-type]


# --- an accessory's state ---------------------------------------------------------------------------------------------


def test_a_state_comes_back_in_its_order() -> None:
    assert list(decode_state(encode_state(TABLE)).items()) == list(TABLE.items())
    assert decode_state(encode_state({})) == {}


def test_a_state_file_can_be_read_by_people() -> None:
    tree = json.loads(encode_state(TABLE))
    assert tree["format"] == "hapcore-state"
    assert tree["version"] == 1
    assert tree["entries"]["identity"] == {"json": {"device_id": "AA:BB:CC:DD:EE:FF", "ltsk": "00ff"}}
    assert tree["entries"]["attempts"] == {"text": "3"}
    assert encode_state(TABLE).endswith(b"}\n")


_TEXTS = st.text(max_size=20)
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_VALUES = st.binary(max_size=40) | _TREES.map(lambda tree: json.dumps(tree).encode()) | _TEXTS.map(str.encode)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), _VALUES, max_size=6))
def test_any_table_comes_back_unchanged(table: dict[str, bytes]) -> None:
    assert list(decode_state(encode_state(table)).items()) == list(table.items())


@pytest.mark.parametrize(
    "value",
    [
        b'{"a": 1}',
        b'{"a":1,"a":2}',
        b"[1.0,1e5]",
        b'["\\ud800"]',
        b"[NaN]",
        b"[" * 100_000,
        b"{",
        b"[" + b"9" * 5000 + b"]",
        b'{"json":1}',
        b"\xff",
    ],
)
def test_what_is_not_the_shortest_json_comes_back_too(value: bytes) -> None:
    assert decode_state(encode_state({"key": value})) == {"key": value}


# --- a controller's pairings ------------------------------------------------------------------------------------------


def test_pairings_come_back() -> None:
    pairings = {"lamp": _lamp(), "Tür": _lamp("Tür", name="", addresses=(), port=0, config_number=0)}
    assert decode_pairings(encode_pairings(pairings)) == pairings


def test_a_pairings_file_has_the_agreed_shape() -> None:
    tree = json.loads(encode_pairings({"lamp": _lamp()}))
    assert tree == {
        "format": "hapcore-pairings",
        "version": 2,
        "prepared": {},
        "knowledge": {},
        "pairings": {
            "lamp": {
                "accessory_id": "AA:BB:CC:DD:EE:FF",
                "accessory_ltpk": bytes(range(32)).hex(),
                "controller_id": "7A0B-ID",
                "controller_ltsk": bytes(range(32, 64)).hex(),
                "name": "Desk lamp",
                "addresses": ["10.0.0.7", "fe80::1%2"],
                "port": 51826,
                "config_number": 3,
            }
        },
    }


def test_the_table_form_holds_the_same_records() -> None:
    table = {"lamp": _lamp().encode(), "door": _lamp("door").encode()}
    content = PAIRINGS.encode(table)
    assert content == encode_pairings({"lamp": _lamp(), "door": _lamp("door")})
    assert PAIRINGS.decode(content) == table
    assert PairedAccessory.decode("lamp", table["lamp"]) == _lamp()


def test_what_is_learnt_stands_beside_the_pairings() -> None:
    lamp = evolve(_lamp(), transport=Transport.BLE, port=0)
    table = {"lamp": lamp.encode(), "ble/AA:BB:CC:DD:EE:FF": b'{"gsn":7}', "ble/AA:BB:CC:DD:EE:00": b"\xff\0"}
    content = PAIRINGS.encode(table)
    assert PAIRINGS.decode(content) == table
    assert decode_pairings(content) == {"lamp": lamp}  # other readers see the pairings only
    assert json.loads(content)["knowledge"]["ble/AA:BB:CC:DD:EE:FF"] == {"json": {"gsn": 7}}
    assert json.loads(content)["pairings"]["lamp"]["transport"] == "ble"


@pytest.mark.parametrize(
    ("knowledge", "what"),
    [([], "knowledge"), ({"ble/AA:BB:CC:DD:EE:FF": 3}, "AA:BB"), ({"ble/AA:BB:CC:DD:EE:FF": {"text": 3}}, "AA:BB")],
)
def test_damaged_knowledge_is_not_written_over(knowledge: object, what: str) -> None:
    tree = json.loads(encode_pairings({"lamp": _lamp()}))
    with pytest.raises(StateError, match=what):
        PAIRINGS.decode(json.dumps({**tree, "knowledge": knowledge}).encode())


def test_knowledge_of_what_nobody_knows_is_left_out() -> None:
    tree = json.loads(encode_pairings({"lamp": _lamp()}))
    table = PAIRINGS.decode(json.dumps({**tree, "knowledge": {"mesh/1": {"text": "x"}}}).encode())
    assert list(table) == ["lamp"]


def test_a_transport_that_nobody_knows() -> None:
    tree = json.loads(_lamp().encode())
    with pytest.raises(StateError, match="transport"):
        PairedAccessory.decode("lamp", json.dumps({**tree, "transport": "pigeon"}).encode())


def test_only_the_keys_are_needed() -> None:
    tree = json.loads(_lamp().encode())
    for optional in ("name", "addresses", "port", "config_number"):
        del tree[optional]
    bare = PairedAccessory.decode("lamp", json.dumps(tree | {"colour": "red"}).encode())
    assert bare == _lamp(name="", addresses=(), port=0, config_number=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accessory_id", None),
        ("accessory_id", ""),
        ("accessory_id", 5),
        ("accessory_ltpk", "00"),
        ("accessory_ltpk", "xy" * 32),
        ("controller_id", None),
        ("controller_ltsk", ""),
        ("controller_ltsk", "00" * 33),
        ("name", 7),
        ("addresses", "10.0.0.1"),
        ("addresses", [1]),
        ("port", -1),
        ("port", 65536),
        ("port", True),
        ("port", "80"),
        ("config_number", 1.5),
    ],
)
def test_a_damaged_record_is_refused_by_name(name: str, value: object) -> None:
    tree = json.loads(_lamp().encode())
    tree[name] = value
    if value is None:
        del tree[name]
    with pytest.raises(StateError, match=rf"'lamp'.*{name}"):
        PairedAccessory.decode("lamp", json.dumps(tree).encode())
    whole = {"format": "hapcore-pairings", "version": 1, "pairings": {"lamp": tree}}
    for decode in (decode_pairings, PAIRINGS.decode):
        with pytest.raises(StateError, match=name):
            decode(json.dumps(whole).encode())


@pytest.mark.parametrize("record", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_record_that_is_no_object_is_refused(record: bytes) -> None:
    with pytest.raises(StateError, match="no JSON object"):
        PairedAccessory.decode("lamp", record)


@pytest.mark.parametrize("alias", ["", " ", "a\nb", "\x1b[31m", "a" * 101])
def test_an_unusable_alias_is_the_callers_mistake(alias: str) -> None:
    with pytest.raises(LocalProtocolError, match="alias"):
        _lamp(alias)
    with pytest.raises(StateError, match="alias"):
        PairedAccessory.decode(alias, _lamp().encode())


def test_an_impossible_port_is_the_callers_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="port"):
        _lamp(port=65536)


def test_no_secret_shows() -> None:
    secret = bytes(range(32, 64)).hex()
    assert secret not in repr(_lamp())
    tree = json.loads(_lamp().encode()) | {"controller_ltsk": secret + "0"}
    with pytest.raises(StateError) as caught:
        PairedAccessory.decode("lamp", json.dumps(tree).encode())
    assert secret not in str(caught.value)


# --- both -------------------------------------------------------------------------------------------------------------


class File(NamedTuple):
    decode: Callable[[bytes], object]
    content: bytes
    section: str

    @property
    def version(self) -> int:
        return int(json.loads(self.content)["version"])

    def with_version(self, version: bytes) -> bytes:
        return self.content.replace(b'"version": %d' % self.version, b'"version": ' + version)


FILES = {
    "state": File(STATE.decode, encode_state(TABLE), "entries"),
    "pairings": File(PAIRINGS.decode, encode_pairings({"lamp": _lamp()}), "pairings"),
    "pairings-records": File(decode_pairings, encode_pairings({"lamp": _lamp()}), "pairings"),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
class TestRefusals:
    def test_cut_short_anywhere(self, file: File) -> None:
        for length in range(len(file.content.rstrip())):
            with pytest.raises(StateError):
                file.decode(file.content[:length])

    def test_empty_says_so(self, file: File) -> None:
        for nothing in (b"", b" \n"):
            with pytest.raises(StateError, match="empty"):
                file.decode(nothing)

    @pytest.mark.parametrize("junk", [b"\0" * 4096, b"\xff\xfe", b"[]", b"null", b"{}", b"[" * 100_000, b'"text"'])
    def test_junk(self, file: File, junk: bytes) -> None:
        with pytest.raises(StateError):
            file.decode(junk)

    def test_trailing_bytes(self, file: File) -> None:
        with pytest.raises(StateError):
            file.decode(file.content + file.content)

    def test_a_newer_version_says_which(self, file: File) -> None:
        newer = file.version + 1
        with pytest.raises(StateError, match=f"version {newer}, this program knows versions up to {file.version} only"):
            file.decode(file.with_version(b"%d" % newer))

    @pytest.mark.parametrize("version", [b"0", b"true", b'"1"', b"null", b"1.5", b"-1"])
    def test_a_nonsensical_version(self, file: File, version: bytes) -> None:
        with pytest.raises(StateError, match="version number"):
            file.decode(file.with_version(version))

    def test_the_other_files_mark(self, file: File) -> None:
        other = b"hapcore-pairings" if b"hapcore-state" in file.content else b"hapcore-state"
        with pytest.raises(StateError, match="is not a hapcore-"):
            file.decode(file.content.replace(b"hapcore-" + (b"state" if b"pair" in other else b"pairings"), other))

    def test_without_its_section(self, file: File) -> None:
        for value in (None, [], 1):
            tree = json.loads(file.content) | {file.section: value}
            with pytest.raises(StateError, match=file.section):
                file.decode(json.dumps(tree).encode())

    def test_a_key_twice(self, file: File) -> None:
        with pytest.raises(StateError):
            file.decode(file.with_version(b'%d, "version": %d' % (file.version, file.version)))


@pytest.mark.parametrize(
    "entry",
    ["text", 1, None, [], {}, {"text": 1}, {"base64": "*"}, {"base64": 5}, {"hex": "00"}, {"text": "a", "json": {}}],
)
def test_a_damaged_entry_is_refused_by_name(entry: object) -> None:
    tree = {"format": "hapcore-state", "version": 1, "entries": {"good": {"text": "x"}, "identity": entry}}
    with pytest.raises(StateError, match="'identity'"):
        decode_state(json.dumps(tree).encode())


# --- migrations -------------------------------------------------------------------------------------------------------

#: As version 1 of this library wrote it.
FIRST_PAIRINGS = {
    "format": "hapcore-pairings",
    "version": 1,
    "pairings": {
        "lamp": {
            "accessory_id": "AA:BB:CC:DD:EE:FF",
            "accessory_ltpk": bytes(range(32)).hex(),
            "controller_id": "7A0B-ID",
            "controller_ltsk": bytes(range(32, 64)).hex(),
            "name": "Desk lamp",
            "addresses": ["10.0.0.7", "fe80::1%2"],
            "port": 51826,
            "config_number": 3,
        }
    },
}


def test_a_pairings_file_of_version_1_is_read_and_written_as_version_2() -> None:
    content = json.dumps(FIRST_PAIRINGS).encode()
    assert decode_pairings(content) == {"lamp": _lamp()}
    table = PAIRINGS.decode(content)
    assert table == {"lamp": _lamp().encode()}
    assert PAIRINGS.encode(table) == encode_pairings({"lamp": _lamp()})
    assert json.loads(PAIRINGS.encode(table))["version"] == 2


def test_what_version_1_had_learnt_is_kept() -> None:
    learnt = {"ble/AA:BB:CC:DD:EE:FF": {"json": {"gsn": 7}}}
    table = PAIRINGS.decode(json.dumps({**FIRST_PAIRINGS, "knowledge": learnt}).encode())
    assert table["ble/AA:BB:CC:DD:EE:FF"] == b'{"gsn":7}'


@pytest.mark.parametrize("section", ["prepared", "knowledge"])
def test_version_2_has_all_its_sections(section: str) -> None:
    tree = json.loads(encode_pairings({"lamp": _lamp()}))
    del tree[section]
    with pytest.raises(StateError, match=section):
        PAIRINGS.decode(json.dumps(tree).encode())


def test_migrations_run_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """An accessory's file has had one version so far: two later ones are made up."""

    def rename(content: dict[str, Any]) -> dict[str, Any]:
        entries = {"tries" if key == "attempts" else key: value for key, value in content["entries"].items()}
        return {**content, "entries": entries}

    def mark(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "entries": {**content["entries"], "after": content["entries"]["tries"]}}

    first = encode_state(TABLE)
    monkeypatch.setitem(state._MIGRATIONS, "hapcore-state", (rename, mark))
    table = decode_state(first)
    assert table["tries"] == table["after"] == b"3"
    assert "attempts" not in table
    assert table["key"] == TABLE["key"]
    third = encode_state(table)
    assert json.loads(third)["version"] == 3
    assert decode_state(third) == table
    second = third.replace(b'"version": 3', b'"version": 2')
    assert decode_state(second) == table  # the first step is not taken again
    with pytest.raises(StateError, match="cannot be read as one of version 2"):
        decode_state(second.replace(b'"tries"', b'"lost"'))


def test_what_a_migration_stumbles_over_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(state._MIGRATIONS, "hapcore-state", (lambda content: content["entries"]["missing"],))
    with pytest.raises(StateError, match="damaged: it cannot be read as one of version 1"):
        decode_state(b'{"format": "hapcore-state", "version": 1, "entries": {}}')
