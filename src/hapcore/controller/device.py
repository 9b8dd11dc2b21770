"""What is behind one pairing, as typed objects: `device.lightbulb.on`, `bridge.named("Desk lamp").outlet`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from hapcore.catalogue.remote.accessory import Accessory
from hapcore.errors import LocalProtocolError
from hapcore.ids import Value
from hapcore.model.handle import Handle
from hapcore.model.remote import AccessoryDescription
from hapcore.model.view import Missing

__all__ = ["Device"]

#: The accessory that owns the connection.
_OWN: Final = 1


class Device(Accessory):
    """The accessory that was paired, and those behind it if it is a bridge (HAP 10.1). From `client.device()`.

    Handles stay good when the database is read again, as long as the characteristic has its number.
    """

    __slots__ = ("accessories",)

    #: All of them by number, the bridge itself too.
    accessories: Mapping[int, Accessory]

    def __init__(self, descriptions: Iterable[AccessoryDescription]) -> None:
        """The answer to `GetAccessories`; empty ones are a `LocalProtocolError`."""
        found = {one.aid: one for one in descriptions}
        if not found:
            raise LocalProtocolError("has no accessory", argument="descriptions")
        own = found.get(_OWN) or next(iter(found.values()))
        super().__init__(own)
        others = {aid: self if one is own else Accessory(one) for aid, one in found.items()}
        self.accessories = MappingProxyType(others)

    def named(self, name: str) -> Accessory:
        """The accessory of that name; `Missing` where there is none, or where several have it."""
        found = [one for one in self.accessories.values() if one.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(one.aid) for one in found)
            raise Missing(f"several accessories are called {name!r}: choose by number from {numbers}", argument="name")
        known = sorted({one.name for one in self.accessories.values()})
        shown = ", ".join(map(repr, known[:_LISTED])) + (", ..." if len(known) > _LISTED else "")
        raise Missing(f"no accessory is called {name!r}, but {shown}", argument="name")

    def __getitem__(self, id: tuple[int, int]) -> Handle[Value]:  # noqa: A002 - what it is
        """The characteristic of that number, as in events; `Missing` where there is none."""
        aid, iid = id
        accessory = self.accessories.get(aid)
        found = None if accessory is None else accessory.handle(iid)
        if found is None:
            raise Missing(f"there is no characteristic {aid}.{iid}", argument="id")
        return found


#: Names that a message lists.
_LISTED: Final = 12
