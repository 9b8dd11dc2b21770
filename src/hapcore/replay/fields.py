"""Reading a decoded JSON object field by field, with the place named when something is missing or of another type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from attrs import frozen

from hapcore.errors import HapError

__all__ = ["Fields", "RecordingError"]


class RecordingError(HapError, ValueError):
    """The recording cannot be used: another format, a field missing, of the wrong type, or not hexadecimal."""


@frozen
class Fields:
    """One JSON object and where it stands in the recording ("cases[3].connections[0]")."""

    data: Mapping[str, object]
    place: str = ""

    @classmethod
    def of(cls, value: object, place: str = "") -> Fields:
        """Refuses anything but an object."""
        if not isinstance(value, Mapping):
            raise RecordingError(f"{place or 'the recording'}: expected an object, got {type(value).__name__}")
        return cls(cast("Mapping[str, object]", value), place)

    def has(self, key: str) -> bool:
        """Present and not null."""
        return self.data.get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wrong(key, "a text", value)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.data.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number", value)
        return float(value)

    def flag(self, key: str) -> bool:
        """Absent is False."""
        return self.data.get(key) is True

    def hex(self, key: str) -> bytes:
        try:
            return bytes.fromhex(self.text(key))
        except ValueError:
            raise RecordingError(f"{self._at(key)}: expected hexadecimal digits") from None

    def maybe_hex(self, key: str) -> bytes | None:
        return self.hex(key) if self.has(key) else None

    def integer(self, key: str) -> int:
        """A big-endian number written as hexadecimal digits, of which there may be an odd count."""
        try:
            return int(self.text(key), 16)
        except ValueError:
            raise RecordingError(f"{self._at(key)}: expected hexadecimal digits") from None

    def maybe_integer(self, key: str) -> int | None:
        return self.integer(key) if self.has(key) else None

    def objects(self, key: str) -> list[Fields]:
        """Absent is no objects; a single object counts as a list of one."""
        value = self.data.get(key)
        if value is None:
            return []
        if isinstance(value, Mapping):
            return [Fields.of(cast("object", value), self._at(key))]
        return [Fields.of(item, f"{self._at(key)}[{index}]") for index, item in enumerate(self.sequence(key))]

    def child(self, key: str) -> Fields:
        """The object that must be there."""
        return Fields.of(self.data.get(key), self._at(key))

    def sequence(self, key: str) -> Sequence[object]:
        """Absent is empty."""
        value = self.data.get(key)
        if value is None:
            return []
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise self._wrong(key, "a list", value)
        return cast("Sequence[object]", value)

    def row(self, key: str, index: int) -> Fields:
        """One entry of a list of lists; its columns are called "0", "1" and so on."""
        entry = self.sequence(key)[index]
        place = f"{self._at(key)}[{index}]"
        if not isinstance(entry, list | tuple):
            raise RecordingError(f"{place}: expected a list, got {type(entry).__name__}")
        columns = cast("Sequence[object]", entry)
        return Fields({str(column): value for column, value in enumerate(columns)}, place)

    def hexes(self, key: str) -> tuple[bytes, ...]:
        """A list of hexadecimal texts; absent is empty."""
        found: list[bytes] = []
        for item in self.sequence(key):
            if not isinstance(item, str):
                raise self._wrong(key, "hexadecimal texts", item)
            try:
                found.append(bytes.fromhex(item))
            except ValueError:
                raise RecordingError(f"{self._at(key)}: expected hexadecimal digits") from None
        return tuple(found)

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _wrong(self, key: str, wanted: str, got: object) -> RecordingError:
        return RecordingError(f"{self._at(key)}: expected {wanted}, got {type(got).__name__}")
