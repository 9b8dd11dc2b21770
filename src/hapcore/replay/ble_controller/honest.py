"""Whether a recorded handshake message is what an honest controller sends, whatever the order of its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter, Request, RequestReader
from hapcore.codec.tlv8 import TlvError
from hapcore.crypto.keys import hkdf, open_sealed, verify, x25519_public
from hapcore.pairing.items import Item
from hapcore.pairing.records import ControllerIdentity
from hapcore.replay.ble_controller.tape import Setup, Verify

__all__ = ["is_honest", "meaning", "proves", "whole"]


def is_honest(
    message: Mapping[int, bytes],
    run: Setup | Verify | None,
    controllers: Mapping[str, ControllerIdentity],
    accessory_key: bytes,
) -> bool:
    """Whether what is sealed in an M3 or M5 opens and is signed by a known controller.

    `accessory_key` is the public key of the M2 before it, which M3 of pair-verify signs.
    """
    sealed, state = message.get(Item.ENCRYPTED_DATA), message.get(Item.STATE)
    if sealed is None:
        return state == b"\x01" and set(message) <= {Item.STATE, Item.METHOD, Item.PUBLIC_KEY}
    key = run.verify_key if isinstance(run, Verify) else run.encrypt_key if run is not None else None
    if run is None or key is None or state not in (b"\x03", b"\x05"):
        return False
    opened = open_sealed(key, b"PV-Msg03" if isinstance(run, Verify) else b"PS-Msg05", sealed)
    if opened is None:
        return False
    try:
        inner = dict(tlv8.decode_tolerant(opened))
    except TlvError:
        return False
    identifier = inner.get(Item.IDENTIFIER, b"")
    controller = controllers.get(identifier.decode(errors="replace"))
    if controller is None:
        return False
    if isinstance(run, Setup):
        salt, info = b"Pair-Setup-Controller-Sign-Salt", b"Pair-Setup-Controller-Sign-Info"
        signed = hkdf(run.session_key or b"", salt, info) + identifier + controller.ltpk
    else:
        signed = x25519_public(run.ephemeral) + identifier + accessory_key
    return verify(controller.ltpk, signed, inner.get(Item.SIGNATURE, b""))


def whole(fragments: Sequence[bytes]) -> Request | None:
    """The request that these fragments are."""
    reader, found = RequestReader(), None
    for one in fragments:
        found = reader.feed(one) or found
    return found


def meaning(request: Request) -> object:
    """A pairing message whatever the order of its items."""
    body = dict(tlv8.decode_tolerant(request.body or b""))
    inner = dict(tlv8.decode_tolerant(body.pop(Parameter.VALUE, b"")))
    return request.opcode, request.tid, request.iid, body, inner


def proves(message: Mapping[int, bytes], run: Setup) -> bool:
    """Whether M3 is what an honest controller with this code and secret would send."""
    if set(message) != {Item.STATE, Item.PUBLIC_KEY, Item.PROOF} or run.a is None:
        return False
    public, proof = message[Item.PUBLIC_KEY], message[Item.PROOF]
    return (int.from_bytes(public, "big"), int.from_bytes(proof, "big")) == (run.public, run.proof)
