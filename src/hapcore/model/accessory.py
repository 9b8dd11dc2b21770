"""A device: Accessory Information and the services it offers (HAP 10.1, 10.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha512
from typing import TypeVar

from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType
from hapcore.model.group import Group, ReadsFn, WritesFn
from hapcore.model.information import (
    FIRMWARE_REVISION,
    HARDWARE_REVISION,
    IDENTIFY,
    INFORMATION,
    MANUFACTURER,
    MODEL,
    NAME,
    SERIAL_NUMBER,
    is_one_line,
)
from hapcore.model.service import Service
from hapcore.model.snapshot import SnapshotFn
from hapcore.model.uuid import ACCESSORY_INFORMATION, PAIRING, PROTOCOL_INFORMATION

__all__ = ["BRIDGE", "OTHER", "Accessory", "IdentifyFn"]

T = TypeVar("T")

#: What is called when somebody asks the accessory to make itself noticed.
IdentifyFn = Callable[[], Awaitable[object] | object]

#: The accessory categories that the model itself needs; all of them are in the catalogue.
OTHER = 1
BRIDGE = 2

#: The handlers of an accessory come after those of its services.
_BREADTH = 2
#: Services that speak for the accessory itself; it has nothing to fetch for them.
_OURS = frozenset({ACCESSORY_INFORMATION, PROTOCOL_INFORMATION, PAIRING})


class Accessory:
    """An accessory of ours.

    Where `services` has no Accessory Information, one is made from `name` (1 to 64 bytes), `manufacturer`, `model` and
    `serial_number` (2 to 64 bytes; the serial number is derived from key or name unless given) and `firmware_revision`
    (`x[.y[.z]]`). `category` is the number of the accessory category, by default that of the primary service. `key`
    names the accessory for its stable numbers; `aid` fixes the accessory id.
    """

    __slots__ = (
        "aid",
        "category",
        "fixed_aid",
        "identify_fn",
        "key",
        "made_as",
        "reading",
        "services",
        "snapshot_fn",
        "writing",
    )

    def __init__(
        self,
        name: str,
        *,
        services: Iterable[Service] = (),
        category: int | None = None,
        manufacturer: str = "hapcore",
        model: str | None = None,
        serial_number: str | None = None,
        firmware_revision: str = "1.0.0",
        hardware_revision: str | None = None,
        key: str | None = None,
        aid: int | None = None,
    ) -> None:
        self.services: list[Service] = list(services)
        self.fixed_aid = aid
        self.aid = 0
        self.identify_fn: IdentifyFn | None = None
        self.snapshot_fn: SnapshotFn | None = None
        #: What answers for all characteristics that neither they themselves nor their service have a handler for.
        self.reading: Group | None = None
        self.writing: Group | None = None
        main = self.main_service
        self.category = category if category is not None else (main.type.category if main else None) or OTHER
        #: None until the database decides: the accessory at its head is "main", the others go by their name.
        self.key = key
        #: What it was called before it was renamed: its numbers stay with that where there is no key.
        self.made_as: str | None = None
        if self.find_service(ACCESSORY_INFORMATION) is None:
            if model is None:
                model = main.type.name if main else "Accessory"
            if serial_number is None:
                serial_number = sha512((key or name).encode("utf-8", "replace")).hexdigest()[:12].upper()
            information = Service(INFORMATION, iid=1)
            information.add(Characteristic(IDENTIFY))
            information.add(Characteristic(MANUFACTURER, manufacturer))
            information.add(Characteristic(MODEL, model))
            information.add(Characteristic(NAME, name))
            information.add(Characteristic(SERIAL_NUMBER, serial_number))
            information.add(Characteristic(FIRMWARE_REVISION, firmware_revision))
            if hardware_revision is not None:
                information.add(Characteristic(HARDWARE_REVISION, hardware_revision))
            self.services.insert(0, information)

    @classmethod
    def of(cls, thing: Accessory | Service, name: str | None = None, category: int | None = None) -> Accessory:
        """The accessory itself, or an accessory made of the one service given, named `name` or like the service."""
        if isinstance(thing, Accessory):
            return thing
        return cls(name or thing.label or thing.type.name, services=[thing], category=category)

    @classmethod
    def bridge(cls, name: str, *, key: str | None = None) -> Accessory:
        """The accessory at the head of a database that stands for others behind it."""
        return cls(name, category=BRIDGE, model="Bridge", key=key)

    def __repr__(self) -> str:
        return f"<Accessory {self.aid} {self.name!r}>"

    @property
    def name(self) -> str:
        """What Accessory Information says. Setting it renames the accessory, also while it is served.

        Numbers stay with the key; without one they stay for as long as the program runs. Controllers hear of a new name
        when they read the database again. Raises `ValueRefused` where it is no name (1 to 64 bytes, in one line).
        """
        return self.information[NAME].value

    @name.setter
    def name(self, name: str) -> None:
        if not name or not is_one_line(name):
            raise ValueRefused("wanted 1 to 64 bytes without line ends", argument="name")
        before, self.information[NAME].value = self.name, name
        if self.made_as is None:
            self.made_as = before

    @property
    def information(self) -> Service:
        """The Accessory Information service."""
        found = self.find_service(ACCESSORY_INFORMATION)
        if found is None:
            raise LocalProtocolError("the accessory has no Accessory Information", argument="services")
        return found

    @property
    def identify_characteristic(self) -> Characteristic[bool]:
        """The characteristic a controller writes to have the accessory make itself noticed."""
        return self.information[IDENTIFY]

    @property
    def main_service(self) -> Service | None:
        """The primary service, or the first that is not Accessory Information."""
        primary = [one for one in self.services if one.primary]
        return next(iter(primary + [one for one in self.services if one.type.uuid != ACCESSORY_INFORMATION]), None)

    def find_service(self, uuid: str) -> Service | None:
        """The first service of that type (full upper-case UUID), or None."""
        return next((one for one in self.services if one.type.uuid == uuid), None)

    def find(self, type: CharacteristicType[T]) -> Characteristic[T] | None:  # noqa: A002 - what it is
        """The first characteristic of that type in any service, or None."""
        found: Iterable[AnyCharacteristic | None] = (one.get(type) for one in self.services)
        return next((one for one in found if one is not None), None)

    def identify(self, fn: IdentifyFn) -> IdentifyFn:
        """Decorator: `fn()` makes the accessory noticed (blink, beep); a function or a coroutine function."""
        self.identify_fn = fn
        return fn

    def getter(self, fn: ReadsFn) -> ReadsFn:
        """Decorator: `fn(reads, caller)` is asked once for all that a request reads of this accessory, see `Reads`.

        A function or a coroutine function. Getters of services and characteristics go before it; Accessory Information
        is left alone.
        """
        self.reading = Group(fn, _BREADTH)
        self.spread()
        return fn

    def setter(self, fn: WritesFn) -> WritesFn:
        """Decorator: `fn(writes, caller)` is asked once for all that a request writes to this accessory, see `Writes`.

        A function or a coroutine function. Setters of services and characteristics go before it; Accessory Information
        is left alone.
        """
        self.writing = Group(fn, _BREADTH)
        self.spread()
        return fn

    def spread(self) -> None:
        """Let all characteristics have what answers for their service, or for the whole accessory."""
        for service in self.services:
            service.spread(service.characteristics)
            if service.type.uuid in _OURS:
                continue
            if self.reading is not None:
                self.reading.read(service.characteristics)
            if self.writing is not None:
                self.writing.write(service.characteristics)

    def snapshot(self, fn: SnapshotFn) -> SnapshotFn:
        """Decorator: `fn(wanted, caller)` gives a picture, the bytes of a JPEG; a function or a coroutine function.

        It makes the accessory a camera to whoever asks for pictures, which is over IP only (HAP 8.9). To refuse, raise
        `HapStatusError`: NOT_ALLOWED says that the camera is switched off.
        """
        self.snapshot_fn = fn
        return fn
