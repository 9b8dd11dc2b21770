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
    the session (HAP-BLE A.5.1), and nobody needs its description. A link that is lost on the way costs nothing of what
    it has brought.
    """
    session.begin_database()
    layout: list[ServiceRecord] = []
    for service in session.services:
        layout.append((yield from _service(session, service)))
    database = Database(tuple(layout))
    if not database.known:
        raise RemoteProtocolError("HAP services with numbered characteristics", "none", "the GATT table is not HAP's")
    session.knowledge.layout = tuple(layout)
    session.database = database
    session.unfinished.clear()
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
        known = session.unfinished.get(one.handle)
        body: bytes | None = None
        if known is None:
            number = yield from session.number(one)
            body = (yield from _described(one, number, iid)) if number and service.uuid != PAIRING else None
            if body is not None:
                session.unfinished[one.handle] = number, body
        else:
            number, body = known
            session.learn(one, number)
            session.remembered = True
        if one.uuid == SERVICE_SIGNATURE:
            signature, body = body, None
        records.append(CharacteristicRecord(one.uuid, number, body))
    return ServiceRecord(service.uuid, iid, signature, records)


def _described(one: GattCharacteristic, number: int, service_iid: int) -> Generator[Step, Answer, bytes | None]:
    if one.uuid == SERVICE_SIGNATURE:
        return (yield from _body(Opcode.SERVICE_SIGNATURE_READ, one, service_iid, "reading a service signature"))
    what = f"reading the signature of {number}"
    return (yield from _body(Opcode.CHARACTERISTIC_SIGNATURE_READ, one, number, what))


def _body(opcode: Opcode, to: GattCharacteristic, iid: int, what: str) -> Generator[Step, Answer, bytes | None]:
    response = yield from ask(Ask(opcode, to, iid, what))
    return None if response.status else response.body
