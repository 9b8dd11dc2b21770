"""Protocol and characteristic configuration: state number, broadcast key, who broadcasts (HAP-BLE A.5.8, A.5.9)."""

from __future__ import annotations

from typing import Final

from hapcore.ble.advert import broadcast_key
from hapcore.ble.controller.answers import items
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.steps import Ask, Errand, ask
from hapcore.codec import tlv8
from hapcore.codec.pdu import Opcode
from hapcore.crypto.keys import KEY_SIZE
from hapcore.crypto.secret import Secret
from hapcore.errors import RemoteProtocolError

__all__ = ["configure", "parameters"]

_GENERATE: Final = (0x01, b"")
_GET_ALL: Final = (0x02, b"")
_GSN: Final = 0x01
_CONFIG_NUMBER: Final = 0x02
_IDENTIFIER: Final = 0x03
_KEY: Final = 0x04
_IDENTIFIER_SIZE: Final = 6
_ON: Final = tlv8.encode([(0x01, b"\x01\x00"), (0x02, b"\x01")])
#: Apple's accessories refuse an interval where broadcasts are switched off.
_OFF: Final = tlv8.encode([(0x01, b"\x00\x00")])


def parameters(session: Session, *, generate: bool = False) -> Errand:
    """Ask for the state number, and for a new broadcast key if wanted. Nothing happens where that is not supported."""
    service, own = session.database.configuration if session.database is not None else (0, 0)
    to = session.handles.get(own)
    if to is None:
        return
    what = "reading the protocol parameters"
    body = tlv8.encode([_GENERATE, _GET_ALL] if generate else [_GET_ALL])
    response = yield from ask(Ask(Opcode.PROTOCOL_CONFIGURATION, to, service, what, body))
    if response.status:
        return
    try:
        found = items(response, what)
    except RemoteProtocolError:
        return
    knowledge = session.knowledge
    gsn = int.from_bytes(tlv8.first(found, _GSN) or b"", "little")
    if 1 <= gsn <= 0xFFFF:
        knowledge.prove(gsn)
    identifier = tlv8.first(found, _IDENTIFIER)
    if identifier is not None and len(identifier) == _IDENTIFIER_SIZE:
        knowledge.identifier = identifier
    config = int.from_bytes(tlv8.first(found, _CONFIG_NUMBER) or b"", "little")
    if 1 <= config <= 0xFF and not knowledge.config_number:
        knowledge.config_number = config
    key = tlv8.first(found, _KEY)
    if key is not None and len(key) == KEY_SIZE:
        # What the accessory has counts, whoever made it; how old it is only its maker knows.
        if knowledge.key != Secret(key) or generate:
            knowledge.keep_key(Secret(key), knowledge.gsn or 1)
    elif generate and session.shared is not None and session.pairing is not None:
        knowledge.keep_key(broadcast_key(session.shared, session.pairing.controller_ltpk), knowledge.gsn or 1)
    elif key is None:
        knowledge.key = None


def configure(session: Session) -> Errand:
    """Have broadcast what is subscribed to and can be; make a key where there is none, or a new one in time."""
    database, knowledge = session.database, session.knowledge
    if database is None or not database.configuration[0]:
        return
    wanted = {
        iid
        for iid in session.subscribed
        if iid in session.handles and (known := database.known.get(iid)) is not None and known.broadcasts
    }
    if wanted and knowledge.wants_key:
        yield from parameters(session, generate=True)
    for iid in sorted(wanted - knowledge.broadcasting):
        response = yield from ask(_configuration(session, iid, _ON))
        if not response.status:
            knowledge.broadcasting.add(iid)
    for iid in sorted(knowledge.broadcasting - wanted):
        if iid in session.handles:
            yield from ask(_configuration(session, iid, _OFF))
        knowledge.broadcasting.discard(iid)


def _configuration(session: Session, iid: int, body: bytes) -> Ask:
    what = f"configuring the broadcasts of {iid}"
    return Ask(Opcode.CHARACTERISTIC_CONFIGURATION, session.handles[iid], iid, what, body)
