"""Signatures: how an accessory describes its services and characteristics over Bluetooth LE (HAP-BLE A.4)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from math import isfinite

from attrs import field, frozen

from hapcore.ble import uuids
from hapcore.ble.values import WIDTHS, read_value, write_value
from hapcore.catalogue.lookup import characteristic_type
from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter
from hapcore.codec.tlv8 import TlvError
from hapcore.model.metadata import STRING_LENGTH, Format, Metadata, Permission, Unit
from hapcore.model.uuid import BASE

__all__ = [
    "CharacteristicProperties",
    "CharacteristicSignature",
    "ServiceProperties",
    "ServiceSignature",
    "read_characteristic_signature",
    "read_service_signature",
    "write_characteristic_signature",
    "write_service_signature",
]


class CharacteristicProperties(IntFlag):
    """What may be done with a characteristic (HAP-BLE A.4.3)."""

    CLEAR_READ = 0x0001
    CLEAR_WRITE = 0x0002
    AUTHORIZATION = 0x0004
    TIMED_WRITE = 0x0008
    READ = 0x0010
    WRITE = 0x0020
    HIDDEN = 0x0040
    EVENTS = 0x0080
    DISCONNECTED_EVENTS = 0x0100
    BROADCAST = 0x0200


class ServiceProperties(IntFlag):
    """What a service is (HAP-BLE A.4.3)."""

    PRIMARY = 0x0001
    HIDDEN = 0x0002
    CONFIGURATION = 0x0004


def _numbers(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(numbers)


@frozen
class CharacteristicSignature:
    """A characteristic as its signature tells it; UUIDs full and upper-case, empty where they are missing."""

    type: str
    service_iid: int
    service_type: str
    properties: CharacteristicProperties = field(converter=CharacteristicProperties)
    metadata: Metadata


@frozen
class ServiceSignature:
    """Properties of a service and the numbers of the services it is linked with."""

    properties: ServiceProperties = field(default=ServiceProperties(0), converter=ServiceProperties)
    linked: tuple[int, ...] = field(default=(), converter=_numbers)


_CODES: dict[Format, int] = {
    Format.BOOL: 0x01,
    Format.UINT8: 0x04,
    Format.UINT16: 0x06,
    Format.UINT32: 0x08,
    Format.UINT64: 0x0A,
    Format.INT: 0x10,
    Format.FLOAT: 0x14,
    Format.STRING: 0x19,
    Format.TLV8: 0x1B,
    Format.DATA: 0x1B,
}
_FORMATS = {code: form for form, code in _CODES.items()}
_UNITS: dict[Unit | None, int] = {
    None: 0x2700,
    Unit.SECONDS: 0x2703,
    Unit.CELSIUS: 0x272F,
    Unit.LUX: 0x2731,
    Unit.ARCDEGREES: 0x2763,
    Unit.PERCENTAGE: 0x27AD,
}
_UNIT_CODES = {code: unit for unit, code in _UNITS.items()}

_RIGHTS = (
    (CharacteristicProperties.READ, Permission.READ),
    (CharacteristicProperties.WRITE, Permission.WRITE),
    (CharacteristicProperties.EVENTS, Permission.EVENTS),
    (CharacteristicProperties.AUTHORIZATION, Permission.ADDITIONAL_AUTHORIZATION),
    (CharacteristicProperties.TIMED_WRITE, Permission.TIMED_WRITE),
    (CharacteristicProperties.HIDDEN, Permission.HIDDEN),
    (CharacteristicProperties.BROADCAST, Permission.BROADCAST),
    (CharacteristicProperties.CLEAR_READ, Permission.READ),
    (CharacteristicProperties.CLEAR_WRITE, Permission.WRITE),
)


# --- writing ----------------------------------------------------------------------------------------------------------


def write_characteristic_signature(signature: CharacteristicSignature) -> bytes:
    """The body of the answer to opcode 01, items in the order Apple's accessories send them (HAP-BLE A.4.1)."""
    meta = signature.metadata
    items: list[tuple[int, bytes]] = [
        (Parameter.CHARACTERISTIC_TYPE, uuids.to_bytes(signature.type)),
        (Parameter.SERVICE_IID, signature.service_iid.to_bytes(2, "little")),
        (Parameter.SERVICE_TYPE, uuids.to_bytes(signature.service_type)),
        (Parameter.PROPERTIES, signature.properties.to_bytes(2, "little")),
    ]
    if meta.description:
        items.append((Parameter.DESCRIPTION, meta.description.encode()))
    unit = _UNITS[meta.unit].to_bytes(2, "little")
    items.append((Parameter.FORMAT, bytes((_CODES[meta.format], 0)) + unit + b"\x01\x00\x00"))
    items += _limits(meta)
    if meta.format is Format.UINT8 and signature.type.endswith(BASE):
        if meta.valid_values:
            items.append((Parameter.VALID_VALUES, bytes(meta.valid_values)))
        if meta.valid_ranges:
            items.append((Parameter.VALID_RANGES, bytes(end for pair in meta.valid_ranges for end in pair)))
    return tlv8.encode(items)


def _limits(meta: Metadata) -> list[tuple[int, bytes]]:
    """Range and step, where they say something (HAP-BLE A.4.4)."""
    form = meta.format
    if form is Format.STRING:
        length = STRING_LENGTH if meta.max_len is None else meta.max_len
        return [] if length == STRING_LENGTH else [(Parameter.RANGE, b"\0\0" + length.to_bytes(2, "little"))]
    if form is not Format.FLOAT and not form.integer:
        return []
    items: list[tuple[int, bytes]] = []
    if (meta.low, meta.high) != _whole_range(form):
        items.append((Parameter.RANGE, write_value(meta.low, form) + write_value(meta.high, form)))
    if meta.step and (form is Format.FLOAT or meta.step > 1):
        items.append((Parameter.STEP, write_value(meta.step, form)))
    return items


def _whole_range(form: Format) -> tuple[float, float]:
    plain = Metadata(form, ())
    return plain.low, plain.high


def write_service_signature(signature: ServiceSignature) -> bytes:
    """The body of the answer to opcode 06: properties where there is something to say, the links always."""
    items: list[tuple[int, bytes]] = []
    if signature.properties or signature.linked:
        items.append((Parameter.SERVICE_PROPERTIES, signature.properties.to_bytes(2, "little")))
    items.append((Parameter.LINKED, b"".join(iid.to_bytes(2, "little") for iid in signature.linked)))
    return tlv8.encode(items)


# --- reading ----------------------------------------------------------------------------------------------------------


def read_characteristic_signature(body: bytes, type: str = "") -> CharacteristicSignature:  # noqa: A002 - what it is
    """What the answer to opcode 01 says, in any order and with patience: what makes no sense is left out.

    `type` is the UUID that GATT showed, for bodies that do not repeat it. data and tlv8 have one code: the type tells
    them apart. Raises `ValueError` where the body is no TLV at all.
    """
    items = _read(body)
    kind = _uuid(items.get(Parameter.CHARACTERISTIC_TYPE)) or type
    properties = CharacteristicProperties(_number(items.get(Parameter.PROPERTIES)) & 0x03FF)
    form = items.get(Parameter.FORMAT, b"")
    known = characteristic_type(kind) if kind else None
    value_format = _format(kind, form, None if known is None else known.metadata.format)
    low, high = _range(items.get(Parameter.RANGE), value_format)
    length = int(high) if value_format is Format.STRING and high is not None else None
    if value_format is Format.STRING:
        low = high = None
    numeric = value_format is Format.FLOAT or value_format.integer
    step = _one(items.get(Parameter.STEP), value_format) if numeric else None
    return CharacteristicSignature(
        kind,
        _number(items.get(Parameter.SERVICE_IID)),
        _uuid(items.get(Parameter.SERVICE_TYPE)),
        properties,
        Metadata(
            value_format,
            frozenset(right for bit, right in _RIGHTS if bit in properties),
            _UNIT_CODES.get(int.from_bytes(form[2:4], "little")) if len(form) >= 4 else None,
            low if numeric else None,
            high if numeric else None,
            step if step is None or step > 0 else None,
            length,
            None,
            tuple(sorted(set(items.get(Parameter.VALID_VALUES, b"")))) or None,
            _pairs(items.get(Parameter.VALID_RANGES, b"")) or None,
            items[Parameter.DESCRIPTION].decode(errors="replace") if Parameter.DESCRIPTION in items else None,
        ),
    )


def read_service_signature(body: bytes) -> ServiceSignature:
    """What the answer to opcode 06 says; what is missing is 0 or empty, a 0 among the links is dropped.

    Raises `ValueError` where the body is no TLV at all.
    """
    items = _read(body)
    linked = items.get(Parameter.LINKED, b"")
    numbers = (int.from_bytes(linked[at : at + 2], "little") for at in range(0, len(linked) - 1, 2))
    return ServiceSignature(
        ServiceProperties(_number(items.get(Parameter.SERVICE_PROPERTIES)) & 0x0007),
        dict.fromkeys(number for number in numbers if number),
    )


def _read(body: bytes) -> dict[int, bytes]:
    try:
        return dict(reversed(tlv8.decode_tolerant(body)))
    except TlvError as error:
        raise ValueError(f"no TLV items: {error}") from None


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"", "little")


def _uuid(data: bytes | None) -> str:
    return uuids.from_bytes(data) if data is not None and len(data) == 16 else ""


def _format(kind: str, form: bytes, known: Format | None) -> Format:
    if kind == uuids.IDENTIFY:
        return Format.BOOL  # some first generation devices say otherwise
    found = _FORMATS.get(form[0]) if form else None
    if found is None:
        return known or Format.DATA
    return known if _CODES[found] == 0x1B and known is not None and _CODES[known] == 0x1B else found


def _one(data: bytes | None, form: Format) -> float | None:
    if not data:
        return None
    try:
        value = read_value(data, form)
    except ValueError:
        return None
    return value if isinstance(value, int | float) and isfinite(value) else None


def _range(data: bytes | None, form: Format) -> tuple[float | None, float | None]:
    width = 2 if form is Format.STRING else WIDTHS.get(form, 0)
    if data is None or not width or len(data) != 2 * width:
        return None, None
    kind = Format.UINT16 if form is Format.STRING else form
    low, high = _one(data[:width], kind), _one(data[width:], kind)
    return (None, None) if low is None or high is None or low > high else (low, high)


def _pairs(data: Iterable[int]) -> tuple[tuple[int, int], ...]:
    numbers = iter(data)
    return tuple((low, high) for low, high in zip(numbers, numbers, strict=False) if low <= high)
