"""Reading the database: instance ids and signatures of everything, once for each configuration (HAP-BLE A.4)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from hapcore.ble.controller.layout import CharacteristicRecord, Database, ServiceRecord, in_order
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Answer, Ask, Procedure, ReadAttribute, Step, ask, read
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.codec.pdu import Opcode
from hapcore.errors import RemoteProtocolError
from hapcore.model.uuid import PAIRING, SERVICE_SIGNATURE

__all__ = ["fetch"]

_LARGEST: Final = 0xFFFF


def fetch(session: Session) -> Procedure:
    """Every number and every signature; a signature that is refused costs the one characteristic its metadata.

    Inside a session, where nobody can change them on the way. The Pairing service is left out: touching it would end
    the session (HAP-BLE A.5.1), and nobody needs its description.
    """
    layout: list[ServiceRecord] = []
    for service in session.services:
        layout.append((yield from _service(session, service)))
    database = Database(tuple(layout))
    if not database.known:
        raise RemoteProtocolError("HAP services with numbered characteristics", "none", "the GATT table is not HAP's")
    session.knowledge.layout = tuple(layout)
    session.database = database
    return database.accessory


def _service(session: Session, service: GattService) -> Generator[Step, Answer, ServiceRecord]:
    iid = service.iid
    if not iid and service.iid_handle:
        data = yield from read(ReadAttribute(service.iid_handle))
        iid = int.from_bytes(data or b"", "little")
        if iid > _LARGEST:
            raise RemoteProtocolError("a service id of 16 bits", f"{len(data or b'')} other bytes")
    records: list[CharacteristicRecord] = []
    signature: bytes | None = None
    for one in in_order(service):
        number = yield from session.number(one)
        body: bytes | None = None
        if number and service.uuid != PAIRING:
            if one.uuid == SERVICE_SIGNATURE:
                signature = yield from _body(Opcode.SERVICE_SIGNATURE_READ, one, iid, "reading a service signature")
            else:
                what = f"reading the signature of {number}"
                body = yield from _body(Opcode.CHARACTERISTIC_SIGNATURE_READ, one, number, what)
        records.append(CharacteristicRecord(one.uuid, number, body))
    return ServiceRecord(service.uuid, iid, signature, records)


def _body(opcode: Opcode, to: GattCharacteristic, iid: int, what: str) -> Generator[Step, Answer, bytes | None]:
    response = yield from ask(Ask(opcode, to, iid, what))
    return None if response.status else response.body
