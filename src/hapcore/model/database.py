"""All accessories of one server: numbered, checked, found and rendered (HAP 8.6, 10)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha512

from hapcore.errors import LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.model.accessory import BRIDGE, Accessory
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.information import protocol_information
from hapcore.model.numbers import FIRST_AID, INFORMATION_IID, RESERVED_AIDS, Numbers, path
from hapcore.model.page import Page
from hapcore.model.service import Service
from hapcore.model.uuid import ACCESSORY_INFORMATION, PROTOCOL_INFORMATION
from hapcore.model.validity import (
    MAX_ACCESSORIES,
    MAX_CHARACTERISTICS,
    MAX_SERVICES,
    check_accessory,
    check_keys,
    check_number,
    in_words,
)

__all__ = ["MAX_ACCESSORIES", "MAX_CHARACTERISTICS", "MAX_SERVICES", "Database", "headed"]

#: The key of the accessory at the head, unless it has one of its own: renaming it must not renumber it.
_HEAD_KEY = "main"


def headed(
    things: Accessory | Service | Iterable[Accessory | Service], *, name: str | None = None, category: int | None = None
) -> list[Accessory]:
    """One accessory, or several with a bridge at the head; `LocalProtocolError` for none, or too many."""
    if isinstance(things, Accessory | Service):
        return [Accessory.of(things, name, category)]
    several = [Accessory.of(one) for one in things]
    if len(several) > 1 and several[0].category != BRIDGE:
        several.insert(0, Accessory.bridge(name or "Bridge"))
    check_number(several)
    return several


class Database:
    """The accessories of a server; the first has accessory id 1 and is the bridge where there are several.

    `ids` is the table of numbers of the last run (`.ids`, to be kept): what has a number there keeps it, new things get
    numbers that were never used. Raises `LocalProtocolError`, naming the culprit, where HAP 10.1 to 10.4 is violated.
    With `strict` False they are served as they are, for playing what others were seen to serve.
    The model objects belong to the newest database made of them.
    """

    def __init__(
        self, accessories: Iterable[Accessory | Service], ids: Mapping[str, int] | None = None, *, strict: bool = True
    ) -> None:
        self.accessories = tuple(Accessory.of(one) for one in accessories)
        check_number(self.accessories)
        head = self.accessories[0]
        if head.fixed_aid not in (None, FIRST_AID):
            raise LocalProtocolError(f"the first accessory has the id {FIRST_AID}", argument="aid")
        if strict:
            if head.find_service(PROTOCOL_INFORMATION) is None:
                head.services.append(protocol_information())
            for accessory in self.accessories:
                check_accessory(accessory)
        # Numbers first, all of them: a database that is refused leaves the objects of the last one alone.
        keys = [head.key or _HEAD_KEY, *(one.key or one.made_as or one.name for one in self.accessories[1:])]
        check_keys(keys, self.accessories)
        fixed = [FIRST_AID, *(one.fixed_aid for one in self.accessories[1:])]
        numbers = Numbers(ids)
        try:
            aids = numbers.give(zip(map(path, keys), fixed, strict=True), "", RESERVED_AIDS)
            iids = [
                numbers.give(_wanted(key, one), path(key), (INFORMATION_IID,))
                for key, one in zip(keys, self.accessories, strict=True)
            ]
        except LocalProtocolError as error:
            raise in_words(error, keys, self.accessories) from None
        #: To be kept, and handed in as `ids` at the next run.
        self.ids: Mapping[str, int] = numbers.table
        self._by_id: dict[tuple[int, int], AnyCharacteristic] = {}
        self._pages: list[Page] = []
        for at, accessory in enumerate(self.accessories):
            self._number(accessory, aids[at], iter(iids[at]))
        for at, accessory in enumerate(self.accessories):
            self._pages.append(self._page(accessory, at))

    @classmethod
    def of(
        cls,
        things: Accessory | Service | Iterable[Accessory | Service],
        *,
        name: str | None = None,
        category: int | None = None,
        ids: Mapping[str, int] | None = None,
    ) -> Database:
        """A database of one accessory or service, or of several, then with a bridge called `name` at the head.

        Where the first of several is a bridge already, it is the head.
        """
        return cls(headed(things, name=name, category=category), ids)

    @property
    def characteristics(self) -> Collection[AnyCharacteristic]:
        """Every characteristic that is visible over IP, accessory by accessory."""
        return self._by_id.values()

    def find(self, aid: int, iid: int) -> AnyCharacteristic | None:
        """The characteristic of that number if it is there and visible over IP."""
        return self._by_id.get((aid, iid))

    def find_service(self, aid: int, iid: int) -> Service | None:
        """The service of that number."""
        return next((s for one in self.accessories if one.aid == aid for s in one.services if s.iid == iid), None)

    def read_handled(self) -> list[AnyCharacteristic]:
        """The characteristics whose values the application wants to be asked for when the database is read."""
        return [one for one in self._by_id.values() if one.read_handled and one.readable and not one.control_point]

    def pages(
        self,
        values: Mapping[CharacteristicId, bytes] | None = None,
        subscribed: Iterable[CharacteristicId] = (),
    ) -> tuple[list[Sequence[bytes]], int]:
        """The body of GET /accessories (HAP 8.6) as it is now: the parts of each accessory, and the size of all.

        `values` are JSON texts shown in place of what those characteristics hold; `subscribed` are those whose events
        the asking connection gets. Nobody holds the text twice: the parts are those of the database itself.
        """
        shown: dict[int, dict[AnyCharacteristic, bytes]] = {}
        for number, text in (values or {}).items():
            one = self._by_id.get(number)
            if one is not None:
                shown.setdefault(one.aid, {})[one] = text
        events: dict[int, list[AnyCharacteristic]] = {}
        for number in subscribed:
            one = self._by_id.get(number)
            if one is not None:
                events.setdefault(one.aid, []).append(one)
        pages: list[Sequence[bytes]] = []
        total = 0
        for accessory, page in zip(self.accessories, self._pages, strict=True):
            parts, size = page.parts(shown.get(accessory.aid), events.get(accessory.aid, ()))
            pages.append(parts)
            total += size
        return pages, total

    def pieces(
        self,
        values: Mapping[CharacteristicId, bytes] | None = None,
        subscribed: Iterable[CharacteristicId] = (),
    ) -> Iterator[bytes]:
        """The same text, an accessory at a time."""
        return map(b"".join, self.pages(values, subscribed)[0])

    def fingerprint(self) -> str:
        """A digest of everything but the values: differs when, and only when, the configuration number must move."""
        digest = sha512()
        for accessory in sorted(self.accessories, key=lambda one: one.aid):
            digest.update(b"\naccessory %d" % accessory.aid)
            for service in sorted(accessory.services, key=lambda one: one.iid):
                linked = sorted(one.iid for one in service.linked)
                digest.update(
                    f"\nservice {service.iid} {service.type.uuid} {service.primary} {service.hidden}".encode()
                )
                digest.update(repr(linked).encode())
                for one in sorted(service.characteristics, key=lambda one: one.iid):
                    known = one.fragments
                    digest.update(b"\n%d " % one.iid)
                    for part in (known.type, known.format, known.perms, known.limits, known.choices, known.description):
                        digest.update(part)
                    digest.update(b" broadcast" if one.broadcasts else b"")
                    # What is as usual adds nothing: the configuration number of those without it must not move.
                    if one.clear_read or one.clear_write:
                        digest.update(f" clear {one.clear_read} {one.clear_write}".encode())
                    if one.disconnected_events != (one.readable and one.notifies and one.broadcasts):
                        digest.update(f" disconnected {one.disconnected_events}".encode())
        return digest.hexdigest()

    def _number(self, accessory: Accessory, aid: int, iids: Iterator[int]) -> None:
        accessory.aid = aid
        accessory.spread()
        for service in accessory.services:
            service.iid = next(iids)
            for one in service.characteristics:
                number = CharacteristicId(aid, next(iids))
                one.attach(number, [])
                if service.on_ip and one.on_ip:
                    self._by_id[number] = one

    def _page(self, accessory: Accessory, at: int) -> Page:
        opening = b'{"accessories":[' if at == 0 else b","
        page = Page(accessory, opening, b"]}" if at == len(self.accessories) - 1 else b"")
        for service in accessory.services:
            for one in service.characteristics:
                one.attach(one.id, page.stale)
        return page


def _wanted(key: str, accessory: Accessory) -> Iterator[tuple[str, int | None]]:
    """The paths of an accessory's services and characteristics, each with its fixed number."""
    for service in accessory.services:
        information = service.type.uuid == ACCESSORY_INFORMATION and service.fixed_iid is None
        yield path(key, service.key), INFORMATION_IID if information else service.fixed_iid
        for one in service.characteristics:
            yield path(key, service.key, one.key), one.fixed_iid
