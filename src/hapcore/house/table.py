"""A table of the file, with its place in it: every complaint says where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import cast

from hapcore.errors import LocalProtocolError

__all__ = ["Table", "simple", "suggestion"]

#: As much of a wrong value as a complaint shows.
_SHOWN = 60
#: Names that a complaint lists in full; of more, only those that are alike.
_LISTED = 16


def simple(name: str) -> str:
    """What is left of a name that people write in many ways: "Current Temperature", "current_temperature"."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def suggestion(wrong: str, names: Iterable[str]) -> str:
    """What may have been meant, as the end of a sentence."""
    known = {simple(name): name for name in names}
    close = get_close_matches(simple(wrong), known, 3, 0.6)
    if close:
        return f"; did you mean {' or '.join(repr(known[one]) for one in close)}?"
    return f"; there is {', '.join(known.values())}" if 0 < len(known) <= _LISTED else ""


def _kind(value: object) -> str:
    for kind, word in ((bool, "true or false"), (str, "a text"), (int | float, "a number"), (list, "a list")):
        if isinstance(value, kind):
            return word
    return "a table" if isinstance(value, Mapping) else type(value).__name__


class Table:
    """A table at `place` of `file`; `known` are the keys that it may have, None where any name will do.

    Raises `LocalProtocolError` for an unknown key, and in each of its methods for what is not as it must be.
    """

    __slots__ = ("_file", "_given", "place")

    def __init__(
        self, given: Mapping[str, object], file: str, place: tuple[str, ...] = (), known: Iterable[str] | None = None
    ) -> None:
        self._given = given
        self._file = file
        self.place = place
        names = None if known is None else tuple(known)
        for key in given:
            if names is not None and key not in names:
                raise self.error(f"unknown key {key!r}{suggestion(key, names)}")

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def error(self, message: str, *keys: str) -> LocalProtocolError:
        """A complaint about this table, or about what it has under `keys`: to be raised."""
        where = ".".join((*self.place, *keys))
        return LocalProtocolError(f"{self._file}: {where}: {message}" if where else f"{self._file}: {message}")

    def get(self, key: str) -> object:
        """What is there, as it is; None for nothing."""
        return self._given.get(key)

    def text(self, key: str) -> str | None:
        """A text that is not empty."""
        value = self._given.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        raise self.error("it is empty" if value == "" else f"wanted a text, got {_kind(value)}", key)

    def number(self, key: str, low: float, high: float) -> float | None:
        """A number from `low` to `high`."""
        value = self._given.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(f"wanted a number, got {_kind(value)}", key)
        if not low <= value <= high:
            raise self.error(f"{str(value)[:_SHOWN]} is not within {low:g} to {high:g}", key)
        return value

    def flag(self, key: str) -> bool | None:
        """true or false."""
        value = self._given.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.error(f"wanted true or false, got {_kind(value)}", key)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts."""
        value = self._given.get(key)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.error(f"wanted a list of texts, got {_kind(value)}", key)
        items = cast("list[object]", value)
        for item in items:
            if not isinstance(item, str):
                raise self.error(f"wanted a list of texts, got {_kind(item)} in it", key)
        return tuple(cast("list[str]", items))

    def table(self, key: str, known: Iterable[str] | None = None) -> Table:
        """The table under `key`, an empty one if there is none."""
        value = self._given.get(key, {})
        if not isinstance(value, Mapping):
            raise self.error(f"wanted a table, got {_kind(value)}", key)
        return Table(cast("Mapping[str, object]", value), self._file, (*self.place, key), known)
