"""Pairings that another controller makes for us: we hand out our public key, and learn the accessory's (HAP 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import evolve

from hapcore.controller.commands import GetAccessories, Read
from hapcore.crypto.keys import KEY_SIZE
from hapcore.discovery import Transport
from hapcore.engine import Effect, Forget, Persist
from hapcore.entropy import Entropy
from hapcore.errors import HapError, LocalProtocolError
from hapcore.home.book import Book
from hapcore.home.commands import Complete, Prepare
from hapcore.home.links import Links
from hapcore.home.procedure import Procedure
from hapcore.home.residents import Residents
from hapcore.home.target import split_address
from hapcore.ids import CharacteristicId
from hapcore.model.metadata import Permission
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing, new_controller_identity
from hapcore.state import PairedAccessory, PreparedPairing

__all__ = ["Guests"]


class Guests:
    """Prepares them, and completes them once they work: until then nothing of the preparation is lost."""

    def __init__(
        self,
        book: Book,
        residents: Residents,
        links: Links,
        store: Callable[[Effect], Procedure[None]],
        forget: Callable[[Pairing], None],
        entropy: Entropy,
    ) -> None:
        self._book = book
        self._residents = residents
        self._links = links
        self._store = store
        self._forget = forget
        self._entropy = entropy
        #: Aliases that are being tried.
        self._trying: set[str] = set()

    def prepare(self, command: Prepare) -> Procedure[PreparedPairing]:
        """The procedure for `Prepare`. Raises `LocalProtocolError` for an alias that cannot be given."""
        alias = command.alias
        self._book.check_free(alias)
        waiting = PreparedPairing(alias, new_controller_identity(self._entropy))
        self._book.prepared[alias] = waiting

        def run() -> Procedure[PreparedPairing]:
            try:
                yield from self._store(Persist(waiting.key, waiting.encode()))
            except HapError:
                self._book.prepared.pop(alias, None)
                raise
            return waiting

        return run()

    def complete(self, command: Complete) -> Procedure[str]:
        """The procedure for `Complete`. Raises `LocalProtocolError` for what cannot be."""
        alias = command.alias
        waiting = self._book.prepared.get(alias)
        if waiting is None:
            raise LocalProtocolError(f"no pairing called {alias!r} is prepared", argument="alias")
        if alias in self._trying:
            raise LocalProtocolError(f"the pairing called {alias!r} is being completed already", argument="alias")
        record = _record(command, waiting)
        self._trying.add(alias)

        def run() -> Procedure[str]:
            self._book.put(record, trial=True)
            try:
                one = self._residents.get(alias, None)
                link = yield from self._residents.up(one)
                found = yield from self._links.ask(link, GetAccessories())
                # Over Bluetooth LE anybody may read the database: what proves the pairing is a value.
                if (one_value := next(_readable(found), None)) is not None:
                    yield from self._links.ask(link, Read([one_value]))
                yield from self._store(Persist(alias, self._book.record(alias).encode()))
            except HapError:
                self._residents.drop(alias)
                self._book.drop(alias)
                self._forget(record.pairing)
                # Where it is may have been stored by then.
                yield from self._store(Forget(alias))
                raise
            finally:
                self._trying.discard(alias)
            self._book.prepared.pop(alias, None)
            self._book.noted(alias)
            yield from self._store(Forget(waiting.key))
            return alias

        return run()

    def remove(self, waiting: PreparedPairing) -> Procedure[None]:
        """The procedure for `Remove`, of one that is prepared."""
        if waiting.alias in self._trying:
            raise LocalProtocolError(f"the pairing called {waiting.alias!r} is being completed", argument="alias")

        def run() -> Procedure[None]:
            yield from self._store(Forget(waiting.key))
            self._book.prepared.pop(waiting.alias, None)

        return run()


def _readable(found: Iterable[AccessoryDescription]) -> Iterator[CharacteristicId]:
    return (
        characteristic.id
        for accessory in found
        for service in accessory.services
        for characteristic in service.characteristics
        if Permission.READ in characteristic.metadata.perms
    )


def _record(command: Complete, waiting: PreparedPairing) -> PairedAccessory:
    if not command.accessory_id.strip():
        raise LocalProtocolError("is empty", argument="accessory_id")
    if len(command.accessory_ltpk) != KEY_SIZE:
        raise LocalProtocolError(f"is no public key of {KEY_SIZE} bytes", argument="accessory_ltpk")
    identity = waiting.identity
    pairing = Pairing(command.accessory_id, command.accessory_ltpk, identity.identifier, identity.ltsk)
    record = PairedAccessory(command.alias, pairing, transport=command.transport)
    if command.address is None:
        return record
    if command.transport is not Transport.IP:
        raise LocalProtocolError("over Bluetooth LE an accessory is found by its advertisements", argument="address")
    host, port = split_address(command.address)
    return evolve(record, addresses=(host,), port=port)
