"""What the answers of an accessory are made into."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from attrs import frozen

from hapcore.codec.json import JsonValue
from hapcore.ids import HapStatus, Value

__all__ = ["ReadResult", "Status", "WriteResult"]

#: A `HapStatus` where the number is one of the book's, the bare number where a device made up its own.
Status: TypeAlias = HapStatus | int

_NO_FIELDS: Final[Mapping[str, JsonValue]] = MappingProxyType({})


@frozen
class ReadResult:
    """One characteristic of a `Read`: `value` if `status` is 0; what the flags asked for is in `fields`, as it came."""

    value: Value
    status: Status = HapStatus.SUCCESS
    fields: Mapping[str, JsonValue] = _NO_FIELDS


@frozen
class WriteResult:
    """One characteristic of a `Write`: its `status`, and the `value` it answered with if a response was asked for."""

    status: Status = HapStatus.SUCCESS
    value: Value = None
