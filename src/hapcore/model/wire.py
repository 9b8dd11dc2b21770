"""The parts of a characteristic's JSON that never change, rendered once for all characteristics alike (HAP 10.3)."""

from __future__ import annotations

from functools import lru_cache

from attrs import frozen

from hapcore.codec import json
from hapcore.model.metadata import DATA_LENGTH, STRING_LENGTH, Format, Metadata, Permission
from hapcore.model.uuid import short_uuid

__all__ = ["Fragments", "fragments"]

#: The order in which permissions are written; broadcast is unknown over IP.
_ORDER = (
    Permission.READ,
    Permission.WRITE,
    Permission.EVENTS,
    Permission.ADDITIONAL_AUTHORIZATION,
    Permission.TIMED_WRITE,
    Permission.WRITE_RESPONSE,
    Permission.HIDDEN,
)
#: Different descriptions remembered: a bridge of 150 accessories has a few dozen.
_REMEMBERED = 2048


@frozen
class Fragments:
    """JSON members, each with its leading comma, so that an answer is a join of some of them.

    `type`, `format` and `perms` are one member each; `limits` is unit to maxDataLen, what meta=1 adds besides the
    format; `choices` are the valid values, which only the accessory database shows; `description` likewise.
    """

    type: bytes
    format: bytes
    perms: bytes
    limits: bytes
    choices: bytes
    description: bytes


def _bound(meta: Metadata, number: float) -> bytes:
    return json.number(float(number)) if meta.format is Format.FLOAT else b"%d" % int(number)


def _limits(meta: Metadata) -> bytes:
    parts: list[bytes] = []
    if meta.unit is not None:
        parts.append(b',"unit":"%b"' % meta.unit.value.encode())
    full = meta.format.limits
    low, high = meta.min, meta.max
    # Bounds equal to those of the format say nothing, unless one of the two says something.
    if full is None or (low, high) != full:
        if low is not None:
            parts.append(b',"minValue":' + _bound(meta, low))
        if high is not None:
            parts.append(b',"maxValue":' + _bound(meta, high))
    if meta.step is not None:
        parts.append(b',"minStep":' + _bound(meta, meta.step))
    if meta.max_len is not None and meta.max_len != STRING_LENGTH:
        parts.append(b',"maxLen":%d' % meta.max_len)
    if meta.max_data_len is not None and meta.max_data_len != DATA_LENGTH:
        parts.append(b',"maxDataLen":%d' % meta.max_data_len)
    return b"".join(parts)


def _choices(meta: Metadata) -> bytes:
    text = b""
    if meta.valid_values is not None:
        text += b',"valid-values":[%b]' % b",".join(b"%d" % one for one in meta.valid_values)
    if meta.valid_ranges is not None:
        text += b',"valid-values-range":[%b]' % b",".join(b"[%d,%d]" % pair for pair in meta.valid_ranges)
    return text


@lru_cache(_REMEMBERED)
def fragments(uuid: str, meta: Metadata) -> Fragments:
    """The fixed parts for a characteristic of type `uuid` described by `meta`."""
    perms = ",".join(f'"{one.value}"' for one in _ORDER if one in meta.perms)
    return Fragments(
        type=b',"type":"%b"' % short_uuid(uuid).encode(),
        format=b',"format":"%b"' % meta.format.value.encode(),
        perms=b',"perms":[%b]' % perms.encode(),
        limits=_limits(meta),
        choices=_choices(meta),
        description=b"" if meta.description is None else b',"description":' + json.string(meta.description),
    )
