"""Accessory ids and instance ids that stay the same by key, whatever is inserted, removed or reordered (HAP 10.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count

from hapcore.errors import LocalProtocolError

__all__ = ["FIRST_AID", "INFORMATION_IID", "LARGEST", "RESERVED_AIDS", "Numbers", "path"]

#: The accessory that owns the connection.
FIRST_AID = 1
#: The Accessory Information service.
INFORMATION_IID = 1
#: Ids are 64-bit numbers, without 0.
LARGEST = 2**64 - 1
#: Never given to an accessory: the Home app has trouble with it (HAP 10.1).
_UNLUCKY_AID = 7
#: Accessory ids that are not given out.
RESERVED_AIDS = (FIRST_AID, _UNLUCKY_AID)
#: Between a path and the number it had before a fixed one; keys have their slashes escaped, so no path holds it.
_RETIRED = "//"


def path(*keys: str) -> str:
    """The name of a thing in the table of numbers: its key below the keys of what it belongs to."""
    return "/".join(key.replace("%", "%25").replace("/", "%2F") for key in keys)


class Numbers:
    """The table of numbers by path; a number stays taken when its owner is gone, so that it never means another thing.

    `known` is the table of the last run. Raises `LocalProtocolError` where it is damaged.
    """

    def __init__(self, known: Mapping[str, int] | None) -> None:
        self._table: dict[str, int] = {}
        self._owners: dict[str, dict[int, str]] = {}
        for name, number in (known or {}).items():
            owners = self._owners.setdefault(_space(name), {})
            if type(number) is not int or not 1 <= number <= LARGEST or number in owners:
                raise LocalProtocolError(f"{name!r} cannot have the number {number!r}", argument="ids")
            self._table[name] = number
            owners[number] = name

    @property
    def table(self) -> dict[str, int]:
        """What to hand in at the next run."""
        return dict(self._table)

    def give(self, wanted: Iterable[tuple[str, int | None]], space: str, reserved: Iterable[int] = ()) -> list[int]:
        """Number everything of one space (all accessories, or all inside one accessory), in order.

        `wanted` are paths, each with its fixed number or None. A fixed number is taken away from things that are gone;
        a clash of two that are here is a `LocalProtocolError`. `reserved` numbers are not given out.
        """
        present: dict[str, int | None] = {}
        for name, fixed in wanted:
            if name in present:
                raise LocalProtocolError(f"{name!r} is there twice: give one of them another key", argument="key")
            present[name] = fixed
        owners = self._owners.setdefault(space, {})
        for name, fixed in present.items():
            if fixed is not None and self._table.get(name) != fixed:
                self._fix(name, fixed, owners, present)
        held = frozenset(reserved)
        free = (number for number in count(1) if number not in owners and number not in held)
        for name in present:
            if name not in self._table:
                _check_name(name)
                number = next(free)
                self._table[name] = number
                owners[number] = name
        return [self._table[name] for name in present]

    def _fix(self, name: str, fixed: int, owners: dict[int, str], present: Mapping[str, int | None]) -> None:
        if not 1 <= fixed <= LARGEST:
            raise LocalProtocolError(f"{name!r} cannot have the number {fixed}", argument="ids")
        owner = owners.get(fixed)
        if owner is not None:
            if owner in present and present[owner] in (None, fixed):
                raise LocalProtocolError(f"{name!r} and {owner!r} both have the number {fixed}", argument="ids")
            del self._table[owner]
        former = self._table.get(name)
        if former is None:
            _check_name(name)
        else:
            # The number it had stays taken, under a path that nothing can have.
            retired = f"{name}{_RETIRED}{former}"
            self._table[retired] = former
            owners[former] = retired
        self._table[name] = fixed
        owners[fixed] = name


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        problem = f"{name!r} cannot be stored: a key is text without lone surrogates"
        raise LocalProtocolError(problem, argument="key") from None


def _space(name: str) -> str:
    """Accessories are numbered among each other; what an accessory holds is numbered inside it."""
    accessory, slash, _ = name.partition("/")
    return accessory if slash else ""
