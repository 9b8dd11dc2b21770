"""Known answers for Bluetooth LE: HAP-BLE A.3.7 and E."""

from __future__ import annotations

import pytest

from hapcore.ble import signature as sig
from hapcore.ble.advert import (
    EncryptedAdvert,
    RegularAdvert,
    advertising_data,
    broadcast_key,
    fold_config_number,
    open_broadcast,
    parse_manufacturer_data,
    scan_response,
    seal_broadcast,
)
from hapcore.ble.values import read_strict, read_value, write_value
from hapcore.codec.pdu import PduError, Request, RequestReader, Response, ResponseReader, write_request, write_response
from hapcore.crypto.frames import session_keys
from hapcore.crypto.records import RecordCipher
from hapcore.crypto.secret import Secret
from hapcore.model.metadata import Format, Metadata, Permission, Unit
from hapcore.pairing.records import PairedController, Pairing
from hapcore.pairing.resume import PairResumeController, ResumeCache, ResumeDesk, session_id
from hapcore.pairing.verify import PairVerifyController

S = Secret(bytes(range(32)))
LTPK = bytes(range(0x40, 0x60))
BASE = "-0000-1000-8000-0026BB765291"


def full(short: str) -> str:
    return short.rjust(8, "0") + BASE


def packed(short: str) -> str:
    return "91 52 76 BB 26 00 00 80 00 10 00 00 " + short.zfill(2) + " 00 00 00"


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


# --- PDUs -------------------------------------------------------------------------------------------------------------

REQUESTS = [
    (Request(1, 55, 1), 512, ["00 01 37 01 00"]),
    (Request(1, 44, 1, b"SOMEDATA"), 512, ["00 01 2C 01 00 08 00 53 4F 4D 45 44 41 54 41"]),
    (
        Request(1, 44, 1, b"ABCD" * 64),
        256,
        ["00 01 2C 01 00 00 01" + (b"ABCD" * 64)[:249].hex(), "80 2C 42 43 44 41 42 43 44"],
    ),
    (Request(2, 0x19, 0x34, hexed("01 04 32 00 00 00")), 512, ["00 02 19 34 00 06 00 01 04 32 00 00 00"]),
]


@pytest.mark.parametrize(("request_", "limit", "fragments"), REQUESTS)
def test_requests(request_, limit, fragments):
    written = write_request(request_, limit)
    assert written == [hexed(one) for one in fragments]
    reader = RequestReader()
    assert [reader.feed(one) for one in written] == [None] * (len(written) - 1) + [request_]
    assert reader.feed(bytes((0x80, request_.tid))) is None
    with pytest.raises(PduError):
        reader.feed(bytes((0x80, request_.tid, 0)))


@pytest.mark.parametrize(
    ("tid", "fragments", "expected"),
    [
        (23, ["00 17 00"], Response(23, 0)),
        (23, ["00 17 00 08 00" + b"SOMEDATA".hex()], Response(23, 0, b"SOMEDATA")),
        (23, ["00 17 01"], Response(23, 1)),
        (23, ["02 17 00 08 00", "80 17" + b"SOMEDATA".hex()], Response(23, 0, b"SOMEDATA")),
        (0x17, ["02 17 00 06 00 01 04 4B 00 00 00"], Response(0x17, 0, hexed("01 04 4B 00 00 00"))),
    ],
)
def test_responses(tid, fragments, expected):
    reader = ResponseReader(tid)
    assert [reader.feed(hexed(one)) for one in fragments] == [None] * (len(fragments) - 1) + [expected]


def test_a_continuation_must_say_so():
    reader = ResponseReader(0x17)
    assert reader.feed(hexed("00 17 00 08 00")) is None
    with pytest.raises(PduError):
        reader.feed(hexed("00 17") + b"SOMEDATA")


def test_a_signature_in_fragments_of_20_bytes():
    body = hexed(f"04 10 {packed('25')} 07 02 30 00 06 10 {packed('43')} 0A 02 B0 03 0C 07 01 00 00 27 01 00 00")
    assert write_response(Response(0x12, 0, body), 20) == [
        hexed("02 12 00 35 00 04 10 91 52 76 BB 26 00 00 80 00 10 00 00 25"),
        hexed("82 12 00 00 00 07 02 30 00 06 10 91 52 76 BB 26 00 00 80 00"),
        hexed("82 12 10 00 00 43 00 00 00 0A 02 B0 03 0C 07 01 00 00 27 01"),
        hexed("82 12 00 00"),
    ]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "value", "data"),
    [
        (Format.INT, 1234, "D2 04 00 00"),
        (Format.INT, -1, "FF FF FF FF"),
        (Format.FLOAT, 3.141, "25 06 49 40"),
        (Format.FLOAT, 360.0, "00 00 B4 43"),
        (Format.FLOAT, 3.4028235e38, "FF FF 7F 7F"),
        (Format.UINT8, 42, "2A"),
        (Format.UINT16, 42, "2A 00"),
        (Format.UINT64, 2**64 - 1, "FF" * 8),
        (Format.BOOL, True, "01"),
        (Format.BOOL, False, "00"),
        (Format.TLV8, hexed("06 01 03"), "06 01 03"),
        (Format.STRING, "Bück", "42 C3 BC 63 6B"),
    ],
)
def test_values(form, value, data):
    assert write_value(value, form) == hexed(data)
    assert read_strict(hexed(data), form) == value
    assert read_value(hexed(data), form) == value


def test_numbers_of_another_width():
    assert read_value(hexed("2A"), Format.UINT32) == 42
    assert read_value(hexed("2A 00 00 00"), Format.UINT8) == 42
    for bad, form in (("2A 01", Format.UINT8), ("00 00", Format.FLOAT)):
        with pytest.raises(ValueError, match="bytes for"):
            read_value(hexed(bad), form)
    for bad, form in (
        ("02", Format.BOOL),
        ("2A", Format.UINT16),
        ("00 00 C0 7F", Format.FLOAT),
        ("41 00", Format.STRING),
    ):
        with pytest.raises(ValueError):
            read_strict(hexed(bad), form)


# --- signatures -------------------------------------------------------------------------------------------------------

EVERYDAY = (Permission.READ, Permission.WRITE, Permission.EVENTS, Permission.BROADCAST)


@pytest.mark.parametrize(
    ("kind", "service", "iid", "properties", "metadata", "rest"),
    [
        ("25", "43", 0x30, 0x3B0, Metadata(Format.BOOL, EVERYDAY), "0C 07 01 00 00 27 01 00 00"),
        (
            "8",
            "43",
            0x30,
            0x3B0,
            Metadata(Format.INT, EVERYDAY, Unit.PERCENTAGE, 0, 100, 1),
            "0C 07 10 00 AD 27 01 00 00 0D 08 00 00 00 00 64 00 00 00",
        ),
        (
            "13",
            "43",
            0x30,
            0x3B0,
            Metadata(Format.FLOAT, EVERYDAY, Unit.ARCDEGREES, 0, 360, 1),
            "0C 07 14 00 63 27 01 00 00 0D 08 00 00 00 00 00 00 B4 43 0E 04 00 00 80 3F",
        ),
        (
            "1E",
            "45",
            0x40,
            0x3BC,
            Metadata(
                Format.UINT8,
                (*EVERYDAY, Permission.ADDITIONAL_AUTHORIZATION, Permission.TIMED_WRITE),
                min=0,
                max=3,
                valid_values=(0, 1),
            ),
            "0C 07 04 00 00 27 01 00 00 0D 02 00 03 11 02 00 01",
        ),
    ],
)
def test_characteristic_signatures(kind, service, iid, properties, metadata, rest):
    told = sig.CharacteristicSignature(full(kind), iid, full(service), properties, metadata)
    body = hexed(
        f"04 10 {packed(kind)} 07 02 {iid.to_bytes(2, 'little').hex()} 06 10 {packed(service)}"
        f" 0A 02 {properties.to_bytes(2, 'little').hex()} {rest}"
    )
    assert sig.write_characteristic_signature(told) == body
    read = sig.read_characteristic_signature(body)
    told = (read.type, read.service_iid, read.service_type, read.properties)
    assert told == (full(kind), iid, full(service), properties)
    # A step of 1 is not sent: it is what whole numbers have.
    plain = Metadata(Format.INT, EVERYDAY, Unit.PERCENTAGE, 0, 100)
    assert read.metadata == (plain if metadata.format is Format.INT else metadata)


def test_service_signatures():
    primary = sig.ServiceSignature(sig.ServiceProperties.PRIMARY)
    assert sig.write_service_signature(primary) == hexed("0F 02 01 00 10 00")
    assert sig.write_service_signature(sig.ServiceSignature()) == hexed("10 00")
    assert sig.read_service_signature(hexed("0F 02 05 00 10 06 30 00 00 00 40 00")) == sig.ServiceSignature(
        5, (0x30, 0x40)
    )
    assert sig.read_service_signature(b"") == sig.ServiceSignature()


# --- advertisements ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            "06 31 00 80 E7 14 6A 37 34 06 00 9F 21 04 02 3C B9 EB 0E",
            RegularAdvert("80:E7:14:6A:37:34", 6, 8607, 4, 0, hexed("3CB9EB0E")),
        ),
        ("06 CD 00 99 99 99 99 99 99 09 00 91 0F 02 02", RegularAdvert("99:99:99:99:99:99", 9, 3985, 2, 0)),
        (
            "06 31 00 4A 4D 00 00 00 00 0A 00 0B 00 02 02 52 66 59 F8",
            RegularAdvert("4A:4D:00:00:00:00", 10, 11, 2, 0, hexed("526659F8")),
        ),
        (
            "06 31 01 7B 21 21 49 23 3C 07 00 42 00 02 02 B6 66 E1 1D",
            RegularAdvert("7B:21:21:49:23:3C", 7, 0x42, 2, 1, hexed("B666E11D")),
        ),
        ("06 2D 00 80 E7 14 6A 37 34 06 00 9F 21 04 02", RegularAdvert("80:E7:14:6A:37:34", 6, 8607, 4)),
        ("06 31 00 80 E7 14 6A 37 34", None),
        ("10 05 01 02", None),
        ("", None),
    ],
)
def test_advertisements(data, expected):
    found = parse_manufacturer_data(hexed(data))
    assert found == expected
    if isinstance(found, RegularAdvert) and data[3:5] != "CD":
        assert found.manufacturer_data() == hexed(data)


def test_whole_advertisement():
    advert = RegularAdvert("2E:77:C9:DF:6A:8F", 5, 1, 1, 1, hexed("c7eb71c8"))
    assert advertising_data(advert, "Bench") == hexed("02010616ff4c000631012e77c9df6a8f050001000102c7eb71c8040842656e")
    assert scan_response("Bench") == hexed("060942656e6368")
    assert advertising_data(advert, "Zoë")[-4:] == b"\x03\x08Zo"
    assert scan_response("x" * 40) == bytes((30, 8)) + b"x" * 29
    assert max(len(advertising_data(advert, name)) for name in ("", "B", "Bench")) == 31


@pytest.mark.parametrize(("number", "folded"), [(1, 1), (255, 255), (256, 1), (65535, 255), (65536, 1), (65537, 2)])
def test_config_number(number, folded):
    assert fold_config_number(number) == folded


def test_broadcast():
    key = broadcast_key(S, LTPK)
    assert key.reveal().hex() == "04d153b42d76ec84f883f67ce291f3b39ded021111142e045c72145726cc374c"
    identifier = hexed("E7146A37340A")
    payload = seal_broadcast(key, identifier, 0x0102, 0x000B, b"\x01")
    advert = EncryptedAdvert(identifier, payload)
    assert (b"\x1b\xff\x4c\x00" + advert.manufacturer_data()).hex() == (
        "1bff4c001136e7146a37340ab5e514a7f6db4c4205dc3ffca623b780"
    )
    assert parse_manufacturer_data(advert.manufacturer_data()) == advert
    assert open_broadcast(key, identifier, payload, 0x0102) == (0x0B, b"\x01" + bytes(7))
    assert open_broadcast(key, identifier, payload, 0x0103) is None
    assert open_broadcast(key, bytes(6), payload, 0x0102) is None
    assert open_broadcast(key, identifier, payload[:-1] + b"\0", 0x0102) is None


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_records():
    keys = session_keys(S.reveal())
    assert keys.read.reveal().hex() == "c09403ef8aa6c5045cbd8cf9bf3e665b2caed623af2be0e87c8f80f519914d3d"
    assert keys.write.reveal().hex() == "c3ca130c7033dbe5e7ff7f91d117ead869bac476994c7a48ca170c111136ed96"
    records = [
        (keys.write, ["00 03 37 0A 00", "00 02 38 0A 00 03 00 01 01 00"]),
        (keys.read, ["02 37 00 03 00 01 01 01", "02 38 00"]),
    ]
    sealed = [
        ["298d28aedee8e82479bad3f7c24b95b072c6a62873", "81336d962383c893da4b5592f1078b833c0cd1a089cdef457398"],
        ["467d405487958ff387553945d29f829395a4d6fc9891cfa2", "101019c5c00112307e09e9d0e3d249c3f536b4"],
    ]
    for (key, plain), wanted in zip(records, sealed, strict=True):
        sealer, opener = RecordCipher(key), RecordCipher(key)
        assert [sealer.seal(hexed(one)).hex() for one in plain] == wanted
        assert [opener.open(hexed(one)) for one in wanted] == [hexed(one) for one in plain]
        assert opener.open(hexed(wanted[0])) is None


class Draws:
    def __init__(self, **values: bytes) -> None:
        self._values = {key.replace("_", "."): value for key, value in values.items()}

    def __call__(self, label: str, size: int) -> bytes:
        value = self._values[label.replace("-", ".")]
        assert len(value) == size
        return value


def test_resume():
    assert session_id(S).hex() == "6ad7e215bad6aa8a"
    seed = Secret(bytes(range(1, 33)))
    pairing = Pairing("AA:BB:CC:DD:EE:FF", bytes(32), "controller", seed)
    verify = PairVerifyController(pairing, Draws(pair_verify_x25519=bytes(range(0x60, 0x80))))
    resume = PairResumeController(verify, session_id(S), S)
    m1 = resume.m1()
    assert m1.hex() == (
        "0601010001060320675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f"
        "0e086ad7e215bad6aa8a0510a6775e74bfae96ed47f07aa0cd2b4e87"
    )
    known = {b"controller": PairedController(b"controller", bytes(32), admin=True)}
    cache = ResumeCache()
    cache.store(session_id(S), b"controller", S)
    desk = ResumeDesk(cache, Draws(pair_resume_session_id=hexed("8081828384858687")))
    step = desk.receive(m1, known)
    assert not isinstance(step, bytes)
    assert step.reply is not None
    assert step.reply.hex() == "0601020001060e088081828384858687051037624286ffaa7db311d56f57c9f51149"
    assert step.session is not None
    found = resume.finish(step.reply)
    assert found is not None
    number, keys = found
    assert number == hexed("8081828384858687")
    assert keys.shared_secret.reveal().hex() == "95a361a6a2f8909d3204ba0c56c66e53a04403d3154f1eed3f4da8681acd7b7e"
    assert keys.keys.read.reveal().hex() == "33bed0ec4e56989ced3c6bce57e8ea4432c8100324ed3ee19ea33872418d6018"
    assert keys.keys.write.reveal().hex() == "dc0edeaa9f64781835867a50fcfaceace79997a8c48849075a2c6b7a7a2ce0f9"
    assert step.session.keys == keys.keys
    # An id is good for one try; what is unknown is verified in full, with the same key.
    assert desk.receive(m1, known) == hexed("060101 0320") + verify.public
