"""The database of the recorded accessory as our controller would have read it."""

from __future__ import annotations

from collections.abc import Mapping

from hapcore.ble.controller.knowledge import Knowledge
from hapcore.ble.controller.layout import CharacteristicRecord, ServiceRecord
from hapcore.ble.signature import (
    CharacteristicProperties,
    CharacteristicSignature,
    ServiceProperties,
    ServiceSignature,
    write_characteristic_signature,
    write_service_signature,
)
from hapcore.codec.pdu import Opcode
from hapcore.model.metadata import Metadata, Permission
from hapcore.model.uuid import PROTOCOL_INFORMATION, SERVICE_SIGNATURE
from hapcore.replay.bench import bench, lightbulb, lock
from hapcore.replay.ble_controller.tape import Talk, Tape

__all__ = ["CONFIG_NUMBER", "knowledge"]

#: What the advertisements we make up say.
CONFIG_NUMBER = 1
_BITS = {
    Permission.READ: CharacteristicProperties.READ,
    Permission.WRITE: CharacteristicProperties.WRITE,
    Permission.EVENTS: CharacteristicProperties.EVENTS,
    Permission.TIMED_WRITE: CharacteristicProperties.TIMED_WRITE,
    Permission.ADDITIONAL_AUTHORIZATION: CharacteristicProperties.AUTHORIZATION,
}


def knowledge(tape: Tape) -> bytes:
    """The cache for our engine: signatures where the recording has them, else what is known of the accessory."""
    recorded, models = _recorded(tape), _models(tape.app)
    found = Knowledge()
    found.config_number = CONFIG_NUMBER
    layout: list[ServiceRecord] = []
    for service in sorted(tape.table, key=lambda one: one.handle):
        configurable = service.uuid == PROTOCOL_INFORMATION
        signature = ServiceSignature(ServiceProperties.CONFIGURATION if configurable else ServiceProperties(0))
        layout.append(
            ServiceRecord(
                service.uuid,
                service.iid,
                write_service_signature(signature),
                [
                    CharacteristicRecord(
                        one.uuid,
                        one.iid,
                        recorded.get(one.iid) or _made(one.uuid, service.iid, service.uuid, models.get(one.iid)),
                    )
                    for one in sorted(service.characteristics, key=lambda one: one.handle)
                ],
            )
        )
    found.layout = tuple(layout)
    return found.encode()


def _recorded(tape: Tape) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for case in tape.cases:
        for item in case.items:
            if not isinstance(item, Talk) or item.status:
                continue
            request = item.request
            if request is not None and request.opcode == Opcode.CHARACTERISTIC_SIGNATURE_READ:
                found[request.iid] = item.body
    return found


def _models(app: str) -> Mapping[int, Metadata]:
    make = {"bench": bench, "lightbulb": lightbulb, "lock": lock}.get(app)
    if make is None:
        return {}
    return {
        one.iid: one.metadata
        for accessory in make().accessories
        for service in accessory.services
        for one in service.characteristics
    }


def _made(uuid: str, service_iid: int, service_type: str, meta: Metadata | None) -> bytes | None:
    if meta is None or uuid == SERVICE_SIGNATURE:
        return None
    properties = CharacteristicProperties(0)
    for permission in meta.perms:
        properties |= _BITS.get(permission, CharacteristicProperties(0))
    return write_characteristic_signature(CharacteristicSignature(uuid, service_iid, service_type, properties, meta))
