"""Each row of the table of database quirks: what such an accessory sends, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hapcore.codec.json import JsonValue
from hapcore.model.metadata import Format, Permission
from hapcore.model.quirks import DATABASE_QUIRKS, DatabaseQuirk
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription, ServiceDescription, read_accessories

ON = "00000025-0000-1000-8000-0026BB765291"
VENDOR = "12345678-AAAA-BBBB-CCCC-1234567890AB"

Check = Callable[[], None]
CHECKS: dict[str, Check] = {}


def quirk(name: str) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        assert name not in CHECKS, name
        CHECKS[name] = check
        return check

    return keep


def accessory(*services: JsonValue) -> AccessoryDescription:
    (found,) = read_accessories({"accessories": [{"aid": 1, "services": list(services)}]})
    return found


def service(*characteristics: JsonValue, iid: JsonValue = 8, **more: JsonValue) -> ServiceDescription:
    (found,) = accessory({"iid": iid, "type": "43", "characteristics": list(characteristics), **more}).services
    return found


def one(**members: JsonValue) -> CharacteristicDescription:
    given: dict[str, JsonValue] = {"iid": 9, "type": VENDOR, "format": "int", "perms": ["pr", "pw", "ev"], **members}
    (found,) = service({name: value for name, value in given.items() if value != "left out"}).characteristics
    return found


@quirk("linked-zero")
def _() -> None:
    first: JsonValue = {"iid": 8, "type": "43", "linked": [0, 20, 20, 8]}
    assert accessory(first, {"iid": 20, "type": "49"}).services[0].linked == (20,)


@quirk("linked-missing")
def _() -> None:
    assert service(linked=[77]).linked == ()


@quirk("no-object")
def _() -> None:
    entries: list[JsonValue] = [
        True,
        {"aid": 1, "services": [None, {"iid": 8, "type": "43", "characteristics": [False]}]},
    ]
    (found,) = read_accessories({"accessories": entries})
    assert [each.iid for each in found.services] == [8]


@quirk("large-ids")
def _() -> None:
    (found,) = read_accessories({"accessories": [{"aid": 2**64 - 1, "services": [{"iid": 2**63, "type": "43"}]}]})
    assert (found.aid, found.services[0].iid) == (2**64 - 1, 2**63)
    assert read_accessories({"accessories": [{"aid": 2**64, "services": []}, {"aid": 0, "services": []}]}) == ()


@quirk("full-uuid")
def _() -> None:
    assert one(type=ON).type == one(type="25").type == ON


@quirk("lower-uuid")
def _() -> None:
    assert one(type=VENDOR.lower()).type == VENDOR
    assert one(type="8a").type.startswith("0000008A-")


@quirk("plain-uuid")
def _() -> None:
    assert one(type=VENDOR.replace("-", "")).type == VENDOR


@quirk("cut-uuid")
def _() -> None:
    assert one(type=ON.lstrip("0")).type == ON


@quirk("no-format")
def _() -> None:
    assert one(type="13", format="left out").metadata.format is Format.FLOAT
    guesses = [(True, Format.BOOL), (2, Format.INT), (1.5, Format.FLOAT), ("x", Format.STRING), (None, Format.STRING)]
    for value, guess in guesses:
        assert one(format="left out", value=value).metadata.format is guess


@quirk("no-perms")
def _() -> None:
    assert one(type="11", perms="left out").metadata.perms == {Permission.READ, Permission.EVENTS}
    assert one(perms="left out").metadata.perms == frozenset()


@quirk("identify-data")
def _() -> None:
    assert one(type="14", format="data").metadata.format is Format.BOOL


@quirk("unknown-format")
def _() -> None:
    assert one(type="8", format="dictionary").metadata.format is Format.INT


@quirk("unknown-unit")
def _() -> None:
    assert one(unit="ppm").metadata.unit is None
    assert one(unit=7).metadata.unit is None


@quirk("unknown-perms")
def _() -> None:
    assert one(perms=["pr", "xx", 3]).metadata.perms == {Permission.READ}


@quirk("flat-range")
def _() -> None:
    assert one(**{"valid-values-range": [1, 3]}).metadata.valid_ranges == ((1, 3),)
    assert one(**{"valid-values-range": [[1, 3], [10, 12]]}).metadata.valid_ranges == ((1, 3), (10, 12))
    assert one(**{"valid-values-range": [1, "x"]}).metadata.valid_ranges is None


@quirk("inner-aid")
def _() -> None:
    assert one(aid=5).id == (1, 9)


@quirk("number-for-bool")
def _() -> None:
    found = one(type="25", format="bool", value=1, ev=0)
    assert found.value is True
    assert found.ev is False
    assert service(primary=1).primary is True


@quirk("point-zero")
def _() -> None:
    found = one(iid=9.0, value=21.0, minValue=1.0, maxValue=30.0)
    assert (found.iid, found.value, found.metadata.min) == (9, 21, 1)
    assert type(found.value) is type(found.metadata.min) is int


@quirk("text-for-number")
def _() -> None:
    found = one(iid="9", value="21", minValue="1")
    assert (found.iid, found.value, found.metadata.min) == (9, 21, 1)


@quirk("unpadded-base64")
def _() -> None:
    assert one(format="data", value="_-8").value == b"\xff\xef"
    assert one(format="tlv8", value="AQ\nEF").value == b"\x01\x01\x05"


@quirk("beyond-limits")
def _() -> None:
    assert one(format="float", minValue=0, maxValue=100, value=-12.5).value == -12.5


@quirk("upside-down")
def _() -> None:
    metadata = one(minValue=10, maxValue=5).metadata
    assert (metadata.min, metadata.max) == (None, None)


@quirk("negative-step")
def _() -> None:
    assert one(minStep=-1).metadata.step is None
    assert one(minStep=[]).metadata.step is None


@quirk("null-value")
def _() -> None:
    assert one(value=None).value is None
    assert one(value="left out").value is None


@quirk("number-twice")
def _() -> None:
    twice: list[JsonValue] = [{"iid": 9, "type": "25"}, {"iid": 9, "type": "8"}]
    assert [each.type for each in service(*twice).characteristics] == [ON]


@quirk("more-members")
def _() -> None:
    assert one(events=True, bonjour={"x": []}, hd=1).iid == 9


@quirk("no-list")
def _() -> None:
    assert read_accessories({"accessories": [{"aid": 1}]})[0].services == ()
    assert accessory({"iid": 8, "type": "43"}).services[0].characteristics == ()
    assert service(linked=0).linked == ()


@pytest.mark.parametrize("row", DATABASE_QUIRKS, ids=lambda row: row.id)
def test_quirk(row: DatabaseQuirk) -> None:
    CHECKS[row.id]()


def test_no_check_without_a_row() -> None:
    assert set(CHECKS) == {row.id for row in DATABASE_QUIRKS}
