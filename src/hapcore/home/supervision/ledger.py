"""What is known of one accessory, and who is told what of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import groupby, islice
from typing import Final, TypeAlias

from attrs import evolve

from hapcore.controller.device import Device
from hapcore.engine import Output
from hapcore.errors import HapError, PairingRefused
from hapcore.home.commands import Supervise
from hapcore.home.events import News
from hapcore.home.supervision.happenings import (
    Available,
    DatabaseChanged,
    Gap,
    Happening,
    Source,
    Unavailable,
    ValueChanged,
)
from hapcore.ids import CharacteristicId, Value
from hapcore.model.handle import Handle
from hapcore.model.metadata import Format, Permission
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription, ServiceDescription
from hapcore.model.uuid import ACCESSORY_INFORMATION, BASE, IMMEDIATE, PROTOCOL_INFORMATION
from hapcore.pairing.items import TlvErrorCode

__all__ = ["Ledger", "is_forgotten"]

_NAME: Final = "00000023" + BASE
#: What changes only together with the database.
_FIXED: Final = frozenset([ACCESSORY_INFORMATION, PROTOCOL_INFORMATION])
#: Formats of what has to be asked in a certain way, and of what is long.
_OPAQUE: Final = frozenset([Format.TLV8, Format.DATA])

#: Events that one request asks for: more than any accessory has, so that one that makes up any number is no trouble.
_TOGETHER: Final = 1000

_Key: TypeAlias = tuple[CharacteristicId, str]


def is_forgotten(error: HapError | None) -> bool:
    """Whether an accessory has said that it does not know us any more (HAP 5.1, error 2)."""
    return isinstance(error, PairingRefused) and error.error == TlvErrorCode.AUTHENTICATION


class _Reader:
    """Who is told, and what it was told last."""

    __slots__ = ("available", "ids", "to", "was")

    def __init__(self, command: Supervise) -> None:
        self.to = command.to
        self.ids = None if command.ids is None else frozenset(command.ids)
        #: None: nothing yet.
        self.available: bool | None = None
        #: It has been available to this reader.
        self.was = False


def _each(
    accessories: Iterable[AccessoryDescription],
) -> Iterator[tuple[ServiceDescription, CharacteristicDescription]]:
    return ((service, one) for each in accessories for service in each.services for one in service.characteristics)


def _signs(accessories: Iterable[AccessoryDescription]) -> Iterator[CharacteristicId]:
    """What has a value whenever it is read."""
    every = (one for _, one in _each(accessories))
    return (one.id for one in every if Permission.READ in one.metadata.perms and one.type not in IMMEDIATE)


def _bare(accessories: Iterable[AccessoryDescription]) -> list[AccessoryDescription]:
    """Without what changes all the time, to compare."""
    return [
        evolve(
            each,
            services=tuple(
                evolve(
                    service,
                    characteristics=tuple(evolve(one, value=None, ev=None) for one in service.characteristics),
                )
                for service in each.services
            ),
        )
        for each in accessories
    ]


class Ledger:
    """The database and the values of one accessory, and its readers."""

    def __init__(self, alias: str, emit: Callable[[Output], None]) -> None:
        self._alias = alias
        self._emit = emit
        self._readers: dict[Hashable, _Reader] = {}
        self.accessories: tuple[AccessoryDescription, ...] = ()
        self._device: Device | None = None
        self._keys: frozenset[_Key] = frozenset()
        self._presses: frozenset[CharacteristicId] = frozenset()
        self._values: dict[CharacteristicId, Value] = {}
        #: What the application has written since they were told.
        self._doubted: set[CharacteristicId] = set()
        #: Whose events the accessory refuses on this connection.
        self._refused: set[CharacteristicId] = set()
        #: Why it is not available, as was said.
        self._reason: HapError | None = None
        #: What says by itself when it changes, what has to be asked, and what can be read of both.
        self.events: tuple[CharacteristicId, ...] = ()
        self.polls: tuple[CharacteristicId, ...] = ()
        self.reads: tuple[CharacteristicId, ...] = ()
        #: What else can be read for a sign of life, where nothing of that can.
        self.sign: tuple[CharacteristicId, ...] = ()
        #: What could not be read when everything was.
        self.missed: set[CharacteristicId] = set()

    # --- readers --------------------------------------------------------------------------------------------------

    @property
    def readers(self) -> tuple[Hashable, ...]:
        """Who is told."""
        return tuple(self._readers)

    def join(self, command: Supervise, *, settled: bool) -> bool:
        """One more reader, who is told what is known. True if it wants to hear of more than is followed by now.

        `settled` says that everything that is followed is known.
        """
        reader = self._readers[command.to] = _Reader(command)
        before = self.events, self.polls
        self._choose()
        more = before != (self.events, self.polls)
        if self.accessories:
            every = frozenset(one for one, _ in self._keys)
            self._say(reader, DatabaseChanged(self._alias, self.accessories, every, frozenset()))
        for one, value in self._values.items():
            if (known := self._handle(one)) is not None:
                self._say_value(reader, ValueChanged(self._alias, known, value, Source.READ))
        if self._reason is not None:
            self._say_unavailable(reader, self._reason)
        elif settled and not more:
            self._say_available(reader)
        return more

    def leave(self, to: Hashable) -> None:
        """A reader is gone."""
        self._readers.pop(to, None)
        self._choose()

    # --- what is told ---------------------------------------------------------------------------------------------

    def available(self) -> None:
        """It can be used."""
        self._reason = None
        for reader in self._readers.values():
            self._say_available(reader)

    def unavailable(self, reason: HapError, *, last: bool = False) -> None:
        """It cannot be used. Said once, but that we are forgotten is said in any case, as is the `last` word."""
        if not last and self._reason is not None and (is_forgotten(self._reason) or not is_forgotten(reason)):
            return
        self._reason = reason
        for reader in self._readers.values():
            self._say_unavailable(reader, reason)

    def gap(self, since: float, until: float) -> None:
        """Events may have been lost."""
        for reader in self._readers.values():
            if reader.was:
                self._say(reader, Gap(self._alias, since, until))

    def note(self, one: CharacteristicId, value: Value, source: Source) -> None:
        """A value, however it came."""
        if source is not Source.EVENT and one not in self._doubted and self._values.get(one, self) == value:
            return
        self._doubted.discard(one)
        if one not in self._presses:
            self._values[one] = value
        elif source is not Source.EVENT:
            return
        known = self._handle(one)
        if known is None:
            return
        item = ValueChanged(self._alias, known, value, source)
        for reader in self._readers.values():
            self._say_value(reader, item)

    def doubt(self, ids: Iterable[CharacteristicId]) -> None:
        """What is known of these may be wrong; it is told when it is read again, whatever it is then."""
        self._doubted.update(one for one in ids if one in self._values)

    def learn(self, accessories: tuple[AccessoryDescription, ...]) -> None:
        """The database, as read just now."""
        before, self.accessories = self.accessories, accessories
        self._device = Device(accessories)
        if before is accessories or _bare(before) == _bare(accessories):
            return
        keys, self._keys = self._keys, frozenset((one.id, one.type) for _, one in _each(accessories))
        self._presses = frozenset(one.id for _, one in _each(accessories) if one.type in IMMEDIATE)
        added = frozenset(one for one, _ in self._keys - keys)
        removed = frozenset(one for one, _ in keys - self._keys)
        for one in removed:
            self._values.pop(one, None)
            self._doubted.discard(one)
        self._choose()
        for reader in self._readers.values():
            self._say(reader, DatabaseChanged(self._alias, accessories, added, removed))

    def _handle(self, one: CharacteristicId) -> Handle[Value] | None:
        accessory = None if self._device is None else self._device.accessories.get(one.aid)
        return None if accessory is None else accessory.handle(one.iid)

    def _say(self, reader: _Reader, item: Happening) -> None:
        self._emit(News(reader.to, item))

    def _say_value(self, reader: _Reader, item: ValueChanged) -> None:
        if reader.ids is None or item.id in reader.ids:
            self._say(reader, item)

    def _say_available(self, reader: _Reader) -> None:
        if reader.available is not True:
            reader.available = reader.was = True
            self._say(reader, Available(self._alias))

    def _say_unavailable(self, reader: _Reader, reason: HapError) -> None:
        reader.available = False
        self._say(reader, Unavailable(self._alias, reason))

    # --- what is followed -----------------------------------------------------------------------------------------

    def by_accessory(self) -> list[tuple[CharacteristicId, ...]]:
        """What says by itself when it changes, accessory by accessory, as phones ask for it (HAP 9.6)."""
        groups = (tuple(group) for _, group in groupby(self.events, key=lambda one: one.aid))
        return [group[at : at + _TOGETHER] for group in groups for at in range(0, len(group), _TOGETHER)]

    def demote(self, ids: Iterable[CharacteristicId]) -> None:
        """The accessory refuses events of these: they are asked instead."""
        before = len(self._refused)
        self._refused.update(ids)
        if len(self._refused) > before:
            self._choose()

    def forgive(self) -> None:
        """On a new connection it may not refuse them."""
        self._refused.clear()
        self._choose()

    def _choose(self) -> None:
        named = frozenset[CharacteristicId]().union(*(one.ids for one in self._readers.values() if one.ids is not None))
        all_of_it = any(one.ids is None for one in self._readers.values())
        events: list[CharacteristicId] = []
        polls: list[CharacteristicId] = []
        reads: list[CharacteristicId] = []
        for service, one in _each(self.accessories):
            perms = one.metadata.perms
            says, readable = Permission.EVENTS in perms, Permission.READ in perms
            if one.id not in named:
                asked = service.type not in _FIXED and one.type != _NAME
                if not all_of_it or not (says or (asked and one.metadata.format not in _OPAQUE)):
                    continue
            if says and one.id not in self._refused:
                events.append(one.id)
            elif readable:
                polls.append(one.id)
            if readable and one.type not in IMMEDIATE:
                reads.append(one.id)
        self.events, self.polls, self.reads = tuple(events), tuple(polls), tuple(reads)
        self.missed.intersection_update(reads)
        self.sign = self.reads[:1] or tuple(islice(_signs(self.accessories), 1))
