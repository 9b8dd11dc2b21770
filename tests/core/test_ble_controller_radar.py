"""Advertisements of many: found for whom they are, and shown as accessories."""

from __future__ import annotations

import random

import pytest

from hapcore.ble.advert import EncryptedAdvert, RegularAdvert
from hapcore.ble.controller import Advertisement
from hapcore.ble.controller.discovery import MAX_FOUND, Gallery
from hapcore.ble.controller.radar import Radar
from hapcore.discovery import StatusFlags, Transport
from hapcore.setup_code import matches


def device(number: int) -> str:
    return number.to_bytes(6, "big").hex(":").upper()


def heard(number: int, *, gsn: int = 1, name: str = "", status: int = 0, setup_hash: bytes = b"") -> Advertisement:
    advert = RegularAdvert(device(number), 5, gsn, 1, status, setup_hash)
    return Advertisement(f"C0:{number}", advert.manufacturer_data(), name, -60)


FOREIGN = (
    b"",
    b"\x06",
    b"\x02\x15" + bytes(21),  # a beacon
    b"\x10\x05\x01\x18\x44\x55\x66",  # a phone nearby
    b"\x0c\x0e" + bytes(14),
    b"\x07\x19" + bytes(25),
    bytes(27),
)


def test_each_advertisement_finds_its_peer():
    radar: Radar[int] = Radar()
    for number in range(1000):
        radar.add(device(number), number)
    assert len(radar) == 1000
    for number in (0, 1, 999):
        assert radar.find(heard(number).manufacturer_data) == number
        encrypted = EncryptedAdvert(number.to_bytes(6, "big"), bytes(16))
        assert radar.find(encrypted.manufacturer_data()) == number
    assert radar.find(heard(1000).manufacturer_data) is None
    assert all(radar.find(data) is None for data in FOREIGN)


def test_another_advertising_identifier_and_removal():
    radar: Radar[str] = Radar()
    radar.add(device(1), "one")
    other = EncryptedAdvert(b"\xc0\xff\xee\0\0\3", bytes(16)).manufacturer_data()
    assert radar.find(other) is None
    radar.rename(device(1), b"\xc0\xff\xee\0\0\3")
    assert radar.find(other) == "one"
    assert radar.find(EncryptedAdvert((1).to_bytes(6, "big"), bytes(16)).manufacturer_data()) is None
    assert radar.find(heard(1).manufacturer_data) == "one"
    radar.remove(device(1))
    assert radar.find(other) is None
    assert radar.find(heard(1).manufacturer_data) is None
    radar.remove(device(1))


def test_a_gallery_tells_what_is_new():
    gallery = Gallery()
    first = gallery.hear(heard(1, name="La", status=1), 0.0)
    assert first is not None
    assert (first.name, first.device_id, first.addresses, first.port) == ("La", device(1), ("C0:1",), 0)
    assert (first.category, first.config_number, first.state_number) == (5, 1, 1)
    assert (first.transport, first.rssi, first.paired) == (Transport.BLE, -60, False)
    assert first.status_flags == StatusFlags.NOT_PAIRED
    assert gallery.hear(heard(1, name="La", status=1), 1.0) is None
    longer = gallery.hear(heard(1, name="Lamp", status=1), 2.0)
    assert longer is not None
    assert longer.name == "Lamp"
    assert gallery.hear(heard(1, name="La", status=1), 3.0) is None, "the longest name stays"
    paired = gallery.hear(heard(1, gsn=2), 4.0)
    assert paired is not None
    assert (paired.paired, paired.state_number, paired.name) == (True, 2, "Lamp")
    assert gallery.find(device(1).lower()) == paired
    assert gallery.found == (paired,)
    assert gallery.forget(3.0) == ()
    assert gallery.forget(5.0) == (paired,)
    assert gallery.find(device(1)) is None


def test_a_setup_code_is_matched_without_connecting():
    found = Gallery().hear(
        Advertisement(
            "x", RegularAdvert("C8:D8:58:C6:63:F5", 5, 1, 1, 1, bytes.fromhex("EF5D8E9B")).manufacturer_data()
        ),
        0.0,
    )
    assert found is not None
    assert found.setup_hash == "712Omw=="
    assert matches("7OSX", found.device_id, found.setup_hash)
    assert not matches("7OSY", found.device_id, found.setup_hash)
    assert Gallery().hear(heard(1), 0.0).setup_hash is None


def test_names_of_strangers_are_made_harmless():
    found = Gallery().hear(heard(1, name="a\x1b[31m\nb" + "x" * 500), 0.0)
    assert found is not None
    assert found.name.startswith("a[31mb")
    assert found.name.isprintable()
    assert len(found.name) <= 64


@pytest.mark.parametrize("data", FOREIGN)
def test_what_is_no_accessory_is_ignored(data):
    gallery = Gallery()
    assert gallery.hear(Advertisement("x", data), 0.0) is None
    assert gallery.found == ()


def test_any_bytes_are_ignored_or_understood():
    chance = random.Random(1)
    gallery, radar = Gallery(), Radar[int]()
    for _ in range(3000):
        data = chance.randbytes(chance.randrange(32))
        if chance.random() < 0.5 and data:
            data = bytes((chance.choice((6, 0x11)),)) + data[1:]
        gallery.hear(Advertisement("x", data), 0.0)
        radar.find(data)


def test_a_crowd_is_bounded():
    gallery = Gallery()
    for number in range(MAX_FOUND + 10):
        gallery.hear(heard(number), float(number))
    assert len(gallery.found) == MAX_FOUND
    assert gallery.find(device(0)) is None
