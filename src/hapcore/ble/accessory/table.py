"""The GATT table of an accessory: its database, and what exists over Bluetooth LE only (HAP-BLE A.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import count
from typing import Any

from hapcore.ble import uuids
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.ble.signature import (
    CharacteristicProperties,
    CharacteristicSignature,
    ServiceProperties,
    ServiceSignature,
    write_characteristic_signature,
    write_service_signature,
)
from hapcore.catalogue import characteristics as c
from hapcore.catalogue import service_types as s
from hapcore.errors import LocalProtocolError
from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType
from hapcore.model.database import Database
from hapcore.model.metadata import Permission
from hapcore.model.service import Service
from hapcore.model.uuid import ACCESSORY_INFORMATION, PAIRING, PROTOCOL_INFORMATION, SERVICE_SIGNATURE

__all__ = ["Cell", "Role", "Table"]

#: Instance ids have 16 bits here (HAP-BLE A.2.3).
LARGEST_IID = 0xFFFF
#: What the database does not hold gets its ids from up here: the pairing service and its characteristics ...
_PAIRING_IID = 0xFF00
#: ... and the signature of each service, next to the id of the service it belongs to.
_SIGNATURE_IID = 0x8000
#: Ids of the application have to stay below.
_OWN_LIMIT = 0x7F00

_P = CharacteristicProperties


class Role(Enum):
    """What a characteristic is to the engine itself."""

    ORDINARY = "ordinary"
    IDENTIFY = "identify"
    VERSION = "version"
    SIGNATURE = "signature"
    PAIR_SETUP = "pair setup"
    PAIR_VERIFY = "pair verify"
    PAIRING_FEATURES = "pairing features"
    PAIRINGS = "pairings"

    @property
    def clears(self) -> bool:
        """Whether touching it ends a secured session (HAP-BLE A.5.1)."""
        return self in _CLEARING


_CLEARING = frozenset({Role.PAIR_SETUP, Role.PAIR_VERIFY, Role.PAIRING_FEATURES})
_ROLES: Mapping[tuple[str, str], Role] = {
    (ACCESSORY_INFORMATION, uuids.IDENTIFY): Role.IDENTIFY,
    (PROTOCOL_INFORMATION, uuids.VERSION): Role.VERSION,
    (PAIRING, uuids.PAIR_SETUP): Role.PAIR_SETUP,
    (PAIRING, uuids.PAIR_VERIFY): Role.PAIR_VERIFY,
    (PAIRING, uuids.PAIRING_FEATURES): Role.PAIRING_FEATURES,
    (PAIRING, uuids.PAIRING_PAIRINGS): Role.PAIRINGS,
}
_FIXED_PROPERTIES = {
    Role.PAIR_SETUP: _P.CLEAR_READ | _P.CLEAR_WRITE,
    Role.PAIR_VERIFY: _P.CLEAR_READ | _P.CLEAR_WRITE,
    Role.PAIRING_FEATURES: _P.CLEAR_READ,
    Role.PAIRINGS: _P.READ | _P.WRITE,
}
_FROM_PERMISSIONS = (
    (_P.READ, Permission.READ),
    (_P.WRITE, Permission.WRITE),
    (_P.EVENTS, Permission.EVENTS),
    (_P.AUTHORIZATION, Permission.ADDITIONAL_AUTHORIZATION),
    (_P.TIMED_WRITE, Permission.TIMED_WRITE),
    (_P.HIDDEN, Permission.HIDDEN),
    (_P.BROADCAST, Permission.BROADCAST),
)


def _properties(role: Role, characteristic: AnyCharacteristic) -> CharacteristicProperties:
    fixed = _FIXED_PROPERTIES.get(role)
    if fixed is not None:
        return fixed
    found = _P(0)
    for bit, permission in _FROM_PERMISSIONS:
        if permission in characteristic.perms:
            found |= bit
    if characteristic.clear_read:
        found |= _P.CLEAR_READ
    if characteristic.clear_write:
        found |= _P.CLEAR_WRITE
    if characteristic.disconnected_events:
        found |= _P.DISCONNECTED_EVENTS
    return found


class Cell:
    """A characteristic in the table, with the service around it."""

    __slots__ = ("characteristic", "handle", "iid", "properties", "role", "service", "service_iid")

    def __init__(self, service: Service, service_iid: int, characteristic: AnyCharacteristic, iid: int, handle: int):
        self.service = service
        self.service_iid = service_iid
        self.characteristic = characteristic
        self.iid = iid
        self.handle = handle
        uuid = characteristic.type.uuid
        known = Role.SIGNATURE if uuid == SERVICE_SIGNATURE else Role.ORDINARY
        self.role = _ROLES.get((service.type.uuid, uuid), known)
        self.properties = _properties(self.role, characteristic)

    def __repr__(self) -> str:
        return f"<Cell {self.iid} {self.characteristic.type.name}>"

    @property
    def protocol(self) -> bool:
        """Whether it stands in the HAP Protocol Information service, the only one that can be configured."""
        return self.service.type.uuid == PROTOCOL_INFORMATION

    @property
    def broadcasts(self) -> bool:
        """Whether its value may be broadcast: not what only admins may read, since all controllers share the key."""
        return self.characteristic.broadcasts and not self.characteristic.admin_only_read

    def signature(self) -> bytes:
        """What opcode 01 answers."""
        return write_characteristic_signature(
            CharacteristicSignature(
                self.characteristic.type.uuid,
                self.service_iid,
                self.service.type.uuid,
                self.properties,
                self.characteristic.metadata,
            )
        )

    def service_signature(self, iid: int) -> bytes:
        """What opcode 06 answers; for the wrong service something empty (HAP-BLE A.3.5)."""
        if iid != self.service_iid:
            return write_service_signature(ServiceSignature())
        service = self.service
        properties = ServiceProperties(0)
        if service.primary:
            properties |= ServiceProperties.PRIMARY
        if service.hidden:
            properties |= ServiceProperties.HIDDEN
        if self.protocol:
            properties |= ServiceProperties.CONFIGURATION
        return write_service_signature(ServiceSignature(properties, [one.iid for one in service.linked]))


class Table:
    """All cells by handle; the handles are given out in the order of the table.

    Raises `LocalProtocolError` where the database cannot be served over Bluetooth LE: more than one accessory, or
    instance ids of more than 16 bits.
    """

    def __init__(self, database: Database) -> None:
        if len(database.accessories) != 1:
            raise LocalProtocolError("a bridge cannot be served over Bluetooth LE", argument="accessories")
        self.cells: dict[int, Cell] = {}
        #: Numbers of services, read from the first characteristic of each.
        self.service_iids: dict[int, int] = {}
        self._by_iid: dict[int, Cell] = {}
        handles = count(1)
        services: list[GattService] = []
        for service, service_iid, characteristics in _layout(database.accessories[0].services):
            handle, iid_handle = next(handles), next(handles)
            self.service_iids[iid_handle] = service_iid
            shown: list[GattCharacteristic] = []
            for characteristic, iid in characteristics:
                cell = Cell(service, service_iid, characteristic, iid, next(handles))
                self.cells[cell.handle] = cell
                self._by_iid[iid] = cell
                shown.append(
                    GattCharacteristic(characteristic.type.uuid, iid, cell.handle, indicates=characteristic.notifies)
                )
            services.append(GattService(service.type.uuid, service_iid, handle, shown, iid_handle))
        self.services = tuple(services)

    def find(self, iid: int) -> Cell | None:
        """The characteristic with that instance id."""
        return self._by_iid.get(iid)


def _layout(
    services: Iterable[Service],
) -> list[tuple[Service, int, list[tuple[AnyCharacteristic, int]]]]:
    """Services and characteristics with their ids, what is missing added."""
    found: list[tuple[Service, int, list[tuple[AnyCharacteristic, int]]]] = []
    names: set[str] = set()
    used: set[int] = set()
    for service in services:
        names.add(service.type.uuid)
        numbered = [(one, one.iid) for one in service.characteristics]
        if not any(one.type.uuid == SERVICE_SIGNATURE for one in service.characteristics) and _needs_signature(service):
            numbered.insert(0, (Characteristic(c.SERVICE_SIGNATURE), _SIGNATURE_IID + service.iid))
            used.add(_SIGNATURE_IID)
        found.append((service, service.iid, numbered))
    if PAIRING not in names:
        kinds: tuple[CharacteristicType[Any], ...] = (
            c.PAIR_SETUP,
            c.PAIR_VERIFY,
            c.PAIRING_FEATURES,
            c.PAIRING_PAIRINGS,
        )
        added: list[tuple[AnyCharacteristic, int]] = [
            (Characteristic(kind), _PAIRING_IID + 2 + number) for number, kind in enumerate(kinds)
        ]
        found.append((Service(s.PAIRING), _PAIRING_IID, added))
        used.add(_PAIRING_IID)
    largest = max(number for _, iid, numbered in found for number in (iid, *(n for _, n in numbered)))
    own = max(number for one in services for number in (one.iid, *(each.iid for each in one.characteristics)))
    if largest > LARGEST_IID or (used and own >= _OWN_LIMIT):
        limit = _OWN_LIMIT - 1 if used else LARGEST_IID
        raise LocalProtocolError(f"instance ids over Bluetooth LE go up to {limit}, not to {own}", argument="iid")
    return found


def _needs_signature(service: Service) -> bool:
    """Only where it has something to say (HAP-BLE A.4.5)."""
    return service.primary or service.hidden or bool(service.linked) or service.type.uuid == PROTOCOL_INFORMATION
