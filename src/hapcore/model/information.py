"""The two services every accessory server has: Accessory Information and HAP Protocol Information (HAP 10.4)."""

from __future__ import annotations

from unicodedata import category

from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata, Permission
from hapcore.model.service import Service, ServiceType
from hapcore.model.uuid import ACCESSORY_INFORMATION, BASE, PROTOCOL_INFORMATION

__all__ = [
    "FIRMWARE_REVISION",
    "HARDWARE_REVISION",
    "IDENTIFY",
    "INFORMATION",
    "MANUFACTURER",
    "MODEL",
    "NAME",
    "PROTOCOL",
    "PROTOCOL_VERSION",
    "SERIAL_NUMBER",
    "VERSION",
    "is_one_line",
    "protocol_information",
]

#: The version of the protocol over IP that we speak.
PROTOCOL_VERSION = "1.1.0"


def _uuid(short: str) -> str:
    return short.rjust(8, "0") + BASE


_TEXT = Metadata(Format.STRING, [Permission.READ])

IDENTIFY = CharacteristicType("Identify", _uuid("14"), Metadata(Format.BOOL, [Permission.WRITE]), bool)
MANUFACTURER = CharacteristicType("Manufacturer", _uuid("20"), _TEXT, str)
MODEL = CharacteristicType("Model", _uuid("21"), _TEXT, str)
NAME = CharacteristicType("Name", _uuid("23"), _TEXT, str)
SERIAL_NUMBER = CharacteristicType("SerialNumber", _uuid("30"), _TEXT, str)
VERSION = CharacteristicType("Version", _uuid("37"), _TEXT, str)
FIRMWARE_REVISION = CharacteristicType("FirmwareRevision", _uuid("52"), _TEXT, str)
HARDWARE_REVISION = CharacteristicType("HardwareRevision", _uuid("53"), _TEXT, str)

#: What Accessory Information must hold; the optional rest is in the catalogue.
INFORMATION = ServiceType(
    "AccessoryInformation",
    ACCESSORY_INFORMATION,
    required=tuple(one.uuid for one in (FIRMWARE_REVISION, IDENTIFY, MANUFACTURER, MODEL, NAME, SERIAL_NUMBER)),
    optional=(HARDWARE_REVISION.uuid,),
)
PROTOCOL = ServiceType("ProtocolInformation", PROTOCOL_INFORMATION, required=(VERSION.uuid,))


def protocol_information() -> Service:
    """The service that the accessory with aid 1 has to have."""
    return Service(PROTOCOL, [Characteristic(VERSION, PROTOCOL_VERSION)])


def is_one_line(name: str) -> bool:
    """Whether a name has no line ends or other control characters: controllers refuse the accessory else (HAP 10.4)."""
    return not any(category(one) == "Cc" for one in name)
