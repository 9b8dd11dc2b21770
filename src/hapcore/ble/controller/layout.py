"""What an accessory said about its own database, kept as it came, and the description made of it (HAP-BLE A.2, A.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from hapcore.ble import uuids
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.ble.signature import (
    CharacteristicProperties,
    CharacteristicSignature,
    ServiceProperties,
    ServiceSignature,
    read_characteristic_signature,
    read_service_signature,
)
from hapcore.ids import Value
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription, ServiceDescription
from hapcore.model.uuid import BASE, PAIRING, SERVICE_SIGNATURE

__all__ = [
    "AID",
    "CLEAR_ONLY",
    "CharacteristicRecord",
    "Database",
    "Known",
    "Layout",
    "ServiceRecord",
    "hap_services",
    "matches",
]

#: There are no bridges over Bluetooth LE.
AID: Final = 1
#: Touching these inside a session destroys it (HAP-BLE A.5.1).
CLEAR_ONLY: Final = frozenset({uuids.PAIR_SETUP, uuids.PAIR_VERIFY, uuids.PAIRING_FEATURES})
_HEARD_OF: Final = CharacteristicProperties.BROADCAST | CharacteristicProperties.DISCONNECTED_EVENTS
#: What `pairings` and the engine itself use; applications see them as little as on IP.
_OURS: Final = frozenset({SERVICE_SIGNATURE})


def _size(body: bytes | None) -> str:
    return "None" if body is None else f"<{len(body)} bytes>"


@frozen
class CharacteristicRecord:
    """A characteristic: type as GATT shows it, number, body of its signature (None: not asked for, or refused)."""

    uuid: str
    iid: int
    signature: bytes | None = field(default=None, repr=_size)


def _records(records: Iterable[CharacteristicRecord]) -> tuple[CharacteristicRecord, ...]:
    return tuple(records)


@frozen
class ServiceRecord:
    """A service: type as GATT shows it, number, body of its signature if it has one, its characteristics."""

    uuid: str
    iid: int
    signature: bytes | None = field(repr=_size)
    characteristics: tuple[CharacteristicRecord, ...] = field(converter=_records)


#: The services in the order of their handles.
Layout = tuple[ServiceRecord, ...]


def hap_services(table: Sequence[GattService]) -> tuple[GattService, ...]:
    """The services of HAP in the order of their handles, as the accessory has them whatever the host does.

    Services without an instance id that are not Apple's belong to Bluetooth, or to nobody we know.
    """
    found = [one for one in table if one.iid_handle or one.iid or one.uuid.endswith(BASE)]
    return tuple(sorted(found, key=lambda one: one.handle))


def in_order(service: GattService) -> list[GattCharacteristic]:
    """Its characteristics in the order of their handles."""
    return sorted(service.characteristics, key=lambda one: one.handle)


def matches(layout: Layout, services: Sequence[GattService]) -> bool:
    """Whether a table has the shape of a layout, so that its numbers can be told by position."""
    return [(one.uuid, [each.uuid for each in one.characteristics]) for one in layout] == [
        (one.uuid, [each.uuid for each in in_order(one)]) for one in services
    ]


@frozen
class Known:
    """A characteristic as the engine knows it."""

    uuid: str
    description: CharacteristicDescription
    properties: CharacteristicProperties

    @property
    def broadcasts(self) -> bool:
        """Whether its changes can be broadcast."""
        return CharacteristicProperties.BROADCAST in self.properties

    @property
    def heard_of(self) -> bool:
        """Whether a change without a connection moves the state number."""
        return bool(
            self.properties & (CharacteristicProperties.BROADCAST | CharacteristicProperties.DISCONNECTED_EVENTS)
        )


class Database:
    """The description of an accessory, and what the engine needs beside it."""

    def __init__(self, layout: Layout) -> None:
        self.known: dict[int, Known] = {}
        #: Number of the service that takes protocol configuration, and of its signature characteristic; 0: none.
        self.configuration = (0, 0)
        read = [(record, _service(record), _characteristics(record)) for record in layout]
        numbers = {record.iid for record in layout if record.uuid != PAIRING}
        services: list[ServiceDescription] = []
        for record, signature, characteristics in read:
            self._configuration(record, signature)
            if record.uuid == PAIRING:
                continue
            shown: list[CharacteristicDescription] = []
            for each, said in characteristics:
                if each.iid in self.known or each.uuid in _OURS:
                    continue
                described = CharacteristicDescription(AID, each.iid, said.type, said.metadata)
                self.known[each.iid] = Known(each.uuid, described, said.properties)
                shown.append(described)
            services.append(
                ServiceDescription(
                    record.iid,
                    record.uuid,
                    ServiceProperties.PRIMARY in signature.properties,
                    ServiceProperties.HIDDEN in signature.properties,
                    # Some accessories link to nothing (HAP-BLE A.7).
                    tuple(one for one in signature.linked if one in numbers and one != record.iid),
                    tuple(shown),
                )
            )
        self.accessory = AccessoryDescription(AID, tuple(services))

    def _configuration(self, record: ServiceRecord, signature: ServiceSignature) -> None:
        if ServiceProperties.CONFIGURATION in signature.properties and not self.configuration[0]:
            own = next((one.iid for one in record.characteristics if one.uuid == SERVICE_SIGNATURE), 0)
            if own:
                self.configuration = (record.iid, own)

    def with_values(self, values: Mapping[int, Value], events: Iterable[int]) -> AccessoryDescription:
        """The description with values and with who is subscribed to, as IP tells it."""
        on = frozenset(events)
        return AccessoryDescription(
            AID,
            tuple(
                ServiceDescription(
                    one.iid,
                    one.type,
                    one.primary,
                    one.hidden,
                    one.linked,
                    tuple(
                        CharacteristicDescription(
                            AID, each.iid, each.type, each.metadata, values.get(each.iid), each.iid in on
                        )
                        for each in one.characteristics
                    ),
                )
                for one in self.accessory.services
            ),
        )


def _service(record: ServiceRecord) -> ServiceSignature:
    if record.signature is None:
        return ServiceSignature()
    try:
        return read_service_signature(record.signature)
    except ValueError:
        return ServiceSignature()


def _characteristics(record: ServiceRecord) -> list[tuple[CharacteristicRecord, CharacteristicSignature]]:
    return [(one, _characteristic(one)) for one in record.characteristics if one.iid]


def _characteristic(record: CharacteristicRecord) -> CharacteristicSignature:
    try:
        return read_characteristic_signature(record.signature or b"", record.uuid)
    except ValueError:
        return read_characteristic_signature(b"", record.uuid)
