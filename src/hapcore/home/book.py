"""The accessories that a controller is paired with, by the names its user gave them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from hapcore.discovery import DiscoveredAccessory, Transport
from hapcore.errors import Disconnected, LocalProtocolError, PeerError
from hapcore.home.target import Address, split_address
from hapcore.state import PairedAccessory, PreparedPairing, check_alias, is_knowledge, prepared_alias

__all__ = ["Book", "telling"]


class Book:
    """The records of a pairings file. `table` is what the store holds; raises `StateError` for what it cannot read."""

    def __init__(self, table: Mapping[str, bytes]) -> None:
        #: Hears of each pairing that is put in, by its alias.
        self.noted: Callable[[str], object] = lambda _: None
        #: Hears of each that is forgotten.
        self.dropped: Callable[[str], object] = lambda _: None
        self._records: dict[str, PairedAccessory] = {}
        #: Pairings that another controller is still to make, by alias.
        self.prepared: dict[str, PreparedPairing] = {}
        #: What is still stored of preparations that have come to their end.
        self.leftover: dict[str, PreparedPairing] = {}
        for key, record in table.items():
            if (alias := prepared_alias(key)) is not None:
                self.prepared[alias] = PreparedPairing.decode(alias, record)
            elif not is_knowledge(key):
                self._records[key] = PairedAccessory.decode(key, record)
        for alias in self._records:
            if (done := self.prepared.pop(alias, None)) is not None:
                self.leftover[alias] = done  # it was completed, and the end came before that could be noted

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names of the paired accessories."""
        return tuple(self._records)

    def record(self, alias: str) -> PairedAccessory:
        """What is stored about a paired accessory. Raises `LocalProtocolError` for an unknown alias."""
        if alias not in self._records:
            if alias in self.prepared and self.prepared[alias].begun:
                raise LocalProtocolError(
                    f"the pairing called {alias!r} was begun and never ended: pair it again, or remove it",
                    argument="alias",
                )
            if alias in self.prepared:
                raise LocalProtocolError(
                    f"the pairing called {alias!r} is only prepared: have an admin of the accessory add it, then "
                    "complete it with the accessory's id and key",
                    argument="alias",
                )
            known = ", ".join(self._records) or "there are none yet"
            raise LocalProtocolError(f"no pairing is called {alias!r} (known: {known})", argument="alias")
        return self._records[alias]

    def check_address(self, alias: str, address: str | None) -> None:
        """Raise `LocalProtocolError` for an unknown alias, and for an address that is none or means nothing."""
        transport = self.record(alias).transport
        if address is not None:
            split_address(address)
            if transport is not Transport.IP:
                raise LocalProtocolError(
                    f"{alias} is found by its advertisements, not at an address", argument="address"
                )

    def put(self, record: PairedAccessory, *, trial: bool = False) -> None:
        """Note what has been stored; on `trial` what may be forgotten again, of which nobody is told yet."""
        before = self._records.get(record.alias)
        self._records[record.alias] = record
        if not trial and (before is None or before.pairing != record.pairing):
            self.noted(record.alias)

    def drop(self, alias: str) -> None:
        """Note what has been forgotten."""
        if self._records.pop(alias, None) is not None:
            self.dropped(alias)

    def check_free(self, alias: str) -> None:
        """Raise `LocalProtocolError` for what can be no new name."""
        check_alias(alias)  # now, not when the accessory is paired already
        if alias in self._records:
            raise LocalProtocolError(f"there is a pairing called {alias!r} already", argument="alias")
        if alias in self.prepared and not self.prepared[alias].begun:
            raise LocalProtocolError(
                f"a pairing called {alias!r} is prepared already: complete it, or remove it first", argument="alias"
            )

    def addresses(self, alias: str) -> list[Address]:
        """Where it was last seen."""
        now = self.record(alias)
        return [(host, now.port) for host in now.addresses]

    def moved(self, alias: str, found: DiscoveredAccessory) -> PairedAccessory | None:
        """The record to store if it was found elsewhere."""
        record = self.record(alias)
        if (found.addresses, found.port) == (record.addresses, record.port):
            return None
        return evolve(record, addresses=found.addresses, port=found.port)


def telling(failures: Sequence[PeerError], name: str) -> PeerError:
    """Of the failures at several addresses the one to raise; the others become its notes."""
    if not failures:
        return Disconnected(f"{name} was not found")
    # An accessory that answered wrongly says more than an address where nobody answered.
    first, *others = sorted(failures, key=lambda error: isinstance(error, Disconnected))
    for other in others:
        first.add_note(f"also tried: {other}")
    return first
