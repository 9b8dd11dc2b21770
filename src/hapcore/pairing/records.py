"""What survives a pairing on either side: long-term identities and pairings, and their stored form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from attrs import Factory, field, frozen

from hapcore.crypto.keys import KEY_SIZE, Signer
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy, draw
from hapcore.errors import StateError

__all__ = [
    "ControllerIdentity",
    "HalfPairing",
    "Identity",
    "PairedController",
    "Pairing",
    "PairingEntry",
    "new_controller_identity",
    "new_identity",
]


def _signer(secret: Secret) -> Signer:
    return Signer(secret.reveal())


@frozen
class Identity:
    """Who an accessory is until it is reset: device id "XX:XX:XX:XX:XX:XX" and Ed25519 seed of 32 bytes (HAP 2.2)."""

    device_id: str
    ltsk: Secret
    signer: Signer = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: _signer(self.ltsk), takes_self=True)
    )

    @property
    def ltpk(self) -> bytes:
        """Public half of `ltsk`, 32 bytes."""
        return self.signer.public

    @property
    def identifier(self) -> bytes:
        """The accessory's pairing identifier: the 17 characters of its device id."""
        return self.device_id.encode()

    def to_json(self) -> bytes:
        """For the store. The seed is in it, in the clear."""
        return _write({"device_id": self.device_id, "ltsk": self.ltsk.reveal().hex()})

    @classmethod
    def from_json(cls, data: bytes) -> Identity:
        """Read what `to_json` wrote; anything else is a `StateError`."""
        stored = _read(data, "identity")
        return cls(_text(stored, "device_id"), Secret(_key(stored, "ltsk")))


def new_identity(entropy: Entropy) -> Identity:
    """Draw a device id (label "identity.device-id") and a long-term key ("identity.ltsk")."""
    device_id = draw(entropy, "identity.device-id", 6).hex(":").upper()
    return Identity(device_id, Secret(draw(entropy, "identity.ltsk", KEY_SIZE)))


@frozen
class PairedController:
    """A controller as its accessory knows it: identifier as received (1 to 36 bytes), public key, whether an admin."""

    identifier: bytes
    ltpk: bytes
    admin: bool

    def encode(self) -> bytes:
        """For the store. An identifier that is no UTF-8 survives in JSON as escaped surrogates."""
        identifier = self.identifier.decode("utf-8", "surrogateescape")
        return _write({"identifier": identifier, "ltpk": self.ltpk.hex(), "admin": self.admin})

    @classmethod
    def decode(cls, data: bytes) -> PairedController:
        """Read what `encode` wrote; anything else is a `StateError`."""
        stored = _read(data, "pairing")
        admin = stored.get("admin")
        if not isinstance(admin, bool):
            raise StateError("stored pairing: 'admin' is no boolean")
        try:
            identifier = _text(stored, "identifier").encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise StateError("stored pairing: 'identifier' is no text") from None
        return cls(identifier, _key(stored, "ltpk"), admin)


@frozen
class PairingEntry:
    """One row of List Pairings, as a controller receives it (HAP 6)."""

    identifier: bytes
    ltpk: bytes
    admin: bool


@frozen
class ControllerIdentity:
    """Who a controller is: an upper-case UUID text (some accessories parse it as one) and an Ed25519 seed (HAP 2.2)."""

    identifier: str
    ltsk: Secret
    signer: Signer = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: _signer(self.ltsk), takes_self=True)
    )

    @property
    def ltpk(self) -> bytes:
        """Public half of `ltsk`, 32 bytes."""
        return self.signer.public


def new_controller_identity(entropy: Entropy) -> ControllerIdentity:
    """Draw a random UUID (label "controller.pairing-id") and a long-term key ("controller.ltsk")."""
    raw = bytearray(draw(entropy, "controller.pairing-id", 16))
    # The bits that mark a random UUID.
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    digits = raw.hex().upper()
    identifier = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return ControllerIdentity(identifier, Secret(draw(entropy, "controller.ltsk", KEY_SIZE)))


@frozen
class Pairing:
    """What a controller keeps of a pairing: the accessory's id (exactly as received) and key, its own id and seed."""

    accessory_id: str
    accessory_ltpk: bytes
    controller_id: str
    controller_ltsk: Secret
    signer: Signer = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: _signer(self.controller_ltsk), takes_self=True)
    )

    @property
    def controller_ltpk(self) -> bytes:
        """Public half of the controller's long-term key, 32 bytes."""
        return self.signer.public


@frozen
class HalfPairing(Pairing):
    """A pairing of which the accessory's last message never came: its key is not known.

    Pair-verify with it proves who we are and nothing of the accessory. It is good for one thing: having an accessory
    that is about to be paired anew forget the first attempt.
    """

    @classmethod
    def of(cls, identity: ControllerIdentity, accessory_id: str = "") -> HalfPairing:
        """With the keys that were offered, to the accessory of that id if it is known."""
        return cls(accessory_id, b"", identity.identifier, identity.ltsk)


def _write(stored: Mapping[str, object]) -> bytes:
    return json.dumps(stored, separators=(",", ":")).encode()


def _read(data: bytes, what: str) -> Mapping[str, object]:
    try:
        stored: object = json.loads(data)
    except (ValueError, RecursionError):
        raise StateError(f"stored {what} is no JSON") from None
    if not isinstance(stored, dict):
        raise StateError(f"stored {what} is no JSON object")
    return cast("dict[str, object]", stored)


def _text(stored: Mapping[str, object], name: str) -> str:
    value = stored.get(name)
    if not isinstance(value, str):
        raise StateError(f"stored {name!r} is missing or no text")
    return value


def _key(stored: Mapping[str, object], name: str) -> bytes:
    try:
        key = bytes.fromhex(_text(stored, name))
    except ValueError:
        raise StateError(f"stored {name!r} is not hexadecimal") from None
    if len(key) != KEY_SIZE:
        raise StateError(f"stored {name!r} has {len(key)} bytes, not {KEY_SIZE}")
    return key
