"""A foreign database served again says the same."""

from __future__ import annotations

import json

import pytest

from hapcore.errors import RemoteProtocolError
from hapcore.model.remote import read_accessories
from hapcore.proxy import mirror
from hapcore.proxy.mirror import category_of, revision


def characteristic(iid, kind, form="bool", perms=("pr",), value=None, **rest):
    return {"iid": iid, "type": kind, "format": form, "perms": list(perms), "value": value, **rest}


def limits(least, most, step):
    return {"minValue": least, "maxValue": most, "minStep": step}


def service(iid, kind, *characteristics, **rest):
    flags = {"primary": False, "hidden": False, "linked": []}
    return {"iid": iid, "type": kind, "characteristics": list(characteristics), **flags, **rest}


INFORMATION = service(
    1000,
    "3E",
    characteristic(30, "14", perms=["pw"]),
    characteristic(4, "23", "string", value="Odd one"),
    characteristic(77, "52", "string", value="v1.beta"),
)
OWN = "E863F007-079E-48FF-8F27-9C2605A29F52"
ODD = [
    {
        "aid": 1,
        "services": [
            service(
                17,
                "43",
                characteristic(18, "25", perms=["pr", "pw", "ev"], value=1),
                characteristic(2, "8", "int", ["pr", "pw", "ev"], 300, unit="percentage", **limits(0, 100, 1)),
                characteristic(5, "25", perms=["pr", "ev"], value=0),
                characteristic(9, OWN, "string", ["pr", "hd"], "x", maxLen=250, description="Ours"),
                primary=True,
                linked=[1000],
            ),
            INFORMATION,
            service(
                20,
                "129",
                characteristic(21, "130", "tlv8", ["pr"], "AQEA"),
                characteristic(22, "131", "tlv8", ["pr", "pw", "wr"], ""),
                characteristic(23, OWN, "tlv8", ["pr", "pw", "wr"], "AQEA"),
                hidden=True,
            ),
            service(
                40,
                "4A",
                characteristic(41, "33", "uint8", ["pr", "pw", "ev"], 1, **{"valid-values": [0, 1]}),
                characteristic(42, "11", "float", ["pr", "ev"], 21.3, unit="celsius", **limits(-40.0, 100.0, 0.1)),
                characteristic(43, "35", "float", ["pw", "tw", "aa"]),
            ),
            service(50, "55", characteristic(51, "4C", "tlv8", ["pr", "pw"], "")),
            service(60, "A2", characteristic(61, "A5", "data", ["pr"], "")),
        ],
    },
    {"aid": 77777777777, "services": [INFORMATION, service(8, "49", characteristic(9, "25", perms=["pr"], value=0))]},
    {"aid": 7, "services": [INFORMATION]},
]  # fmt: skip


def normal(accessories):
    """What controllers make of it, in an order that means nothing left out."""
    return {
        one.aid: (
            [(s.iid, s.type, s.primary, s.hidden, s.linked, [c.iid for c in s.characteristics]) for s in one.services],
            {
                c.iid: (c.type, c.metadata, c.value)
                for s in one.services
                for c in s.characteristics
            },
        )
        for one in accessories
    }  # fmt: skip


def test_the_same_comes_out():
    theirs = read_accessories({"accessories": ODD})
    ours = read_accessories(json.loads(b"".join(mirror(theirs).pieces())))
    assert normal(ours) == normal(theirs)
    assert len(normal(ours)[1][1]) == 15


def test_a_value_beyond_its_limits_is_shown_as_it_is():
    found = mirror(read_accessories({"accessories": ODD})).find(1, 2)
    assert found.to_wire() == b"300"
    assert found.coerce("12") == 12
    assert found.coerce(12.0) == 12
    with pytest.raises(ValueError, match="wanted int"):
        found.coerce(b"12")


def test_the_configuration_number_moves_with_structure_and_firmware_only():
    def made(accessories):
        return revision(mirror(read_accessories({"accessories": accessories})))

    other = json.loads(json.dumps(ODD))
    other[0]["services"][0]["characteristics"][0]["value"] = 0
    assert made(other) == made(ODD)
    other[0]["services"][1]["characteristics"][2]["value"] = "v2"
    assert made(other) != made(ODD)
    assert made(ODD[:2]) != made(ODD)


@pytest.mark.parametrize(
    ("accessories", "why"),
    [
        ([], "id 1"),
        ([{"aid": 2, "services": [INFORMATION]}], "id 1"),
        ([{"aid": 1, "services": []}], "Accessory Information"),
        ([{"aid": 1, "services": [INFORMATION]}, {"aid": 3, "services": []}], "in accessory 3"),
        ([{"aid": 1, "services": [service(1, "3E", characteristic(4, "23", "string"))]}], "Identify"),
        ([{"aid": one, "services": [INFORMATION]} for one in range(1, 200)], "wanted 1 to 150"),
    ],
)
def test_what_cannot_be_served(accessories, why):
    with pytest.raises(RemoteProtocolError, match=why):
        mirror(read_accessories({"accessories": accessories}))


def test_categories():
    lamp = [{"aid": 1, "services": [INFORMATION, service(8, "43")]}]
    assert category_of(read_accessories({"accessories": ODD})) == 2
    assert category_of(read_accessories({"accessories": lamp})) == 5
    assert category_of(read_accessories({"accessories": ODD[2:]})) is None
    assert mirror(read_accessories({"accessories": lamp}), category=9).accessories[0].category == 9
