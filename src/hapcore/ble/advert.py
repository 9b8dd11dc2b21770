"""What accessories say on the air: regular and encrypted advertisements, and the key of the latter (HAP-BLE A.1)."""

from __future__ import annotations

import hmac
from typing import Final

from attrs import field, frozen
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hapcore.crypto.keys import hkdf
from hapcore.crypto.secret import Secret

__all__ = [
    "COMPANY_ID",
    "MAX_ADVERTISEMENT",
    "EncryptedAdvert",
    "RegularAdvert",
    "advertising_data",
    "broadcast_key",
    "fold_config_number",
    "open_broadcast",
    "parse_manufacturer_data",
    "scan_response",
    "seal_broadcast",
]

#: Apple's number among manufacturers.
COMPANY_ID: Final = 0x004C
#: Bytes of one advertisement, and of one scan response.
MAX_ADVERTISEMENT: Final = 31

_REGULAR: Final = 0x06
_ENCRYPTED: Final = 0x11
_FLAGS: Final = b"\x02\x01\x06"
_MANUFACTURER: Final = 0xFF
_SHORT_NAME: Final = 0x08
_FULL_NAME: Final = 0x09
_SUBTYPE: Final = 0x20
_NOT_PAIRED: Final = 0x01
_ID_SIZE: Final = 6
_TAG: Final = 4
_VALUE: Final = 8
_PLAIN: Final = 2 + 2 + _VALUE
_SHORTEST: Final = 15
_HASH: Final = 4
_ZEROS: Final = b"\0\0\0\0"


def _hidden(data: bytes) -> str:
    return f"<{len(data)} bytes>"


@frozen
class RegularAdvert:
    """What an accessory is and whether anything changed (HAP-BLE A.1.2).

    `device_id` "AA:BB:CC:DD:EE:FF", `gsn` 1 to 65535, `config_number` 1 to 255 as it is on the air, `setup_hash` 4
    bytes or none, `status` all eight bits of the status flags.
    """

    device_id: str
    category: int
    gsn: int
    config_number: int
    status: int = 0
    setup_hash: bytes = b""
    compatible_version: int = 2

    @property
    def paired(self) -> bool:
        """Whether an admin has paired it."""
        return not self.status & _NOT_PAIRED

    def manufacturer_data(self) -> bytes:
        """The bytes behind the company id."""
        body = (
            bytes((self.status,))
            + bytes.fromhex(self.device_id.replace(":", ""))
            + self.category.to_bytes(2, "little")
            + self.gsn.to_bytes(2, "little")
            + bytes((self.config_number, self.compatible_version))
            + self.setup_hash
        )
        return bytes((_REGULAR, _SUBTYPE | len(body))) + body


@frozen
class EncryptedAdvert:
    """A changed value for those who have the key (HAP-BLE A.1.4): `identifier` 6 bytes, `payload` 12 + 4 bytes."""

    identifier: bytes
    payload: bytes = field(repr=_hidden)

    def manufacturer_data(self) -> bytes:
        """The bytes behind the company id."""
        body = self.identifier + self.payload
        return bytes((_ENCRYPTED, _SUBTYPE | len(body))) + body


def parse_manufacturer_data(data: bytes) -> RegularAdvert | EncryptedAdvert | None:
    """What the bytes behind Apple's company id say; None where they are not HAP's, or too short for it.

    Any subtype is taken: early products put their interval there (HAP-BLE A.1.2).
    """
    size = len(data)
    if size < 2:
        return None
    if data[0] == _REGULAR:
        if size < _SHORTEST:
            return None
        # Who pads, or sends more, is read all the same: a hash is there if four bytes are announced and there.
        said = 2 + (data[1] & 0x1F)
        has_hash = size >= _SHORTEST + _HASH and said >= _SHORTEST + _HASH
        return RegularAdvert(
            device_id=data[3:9].hex(":").upper(),
            category=int.from_bytes(data[9:11], "little"),
            gsn=int.from_bytes(data[11:13], "little"),
            config_number=data[13],
            status=data[2],
            setup_hash=bytes(data[_SHORTEST : _SHORTEST + _HASH]) if has_hash else b"",
            compatible_version=data[14],
        )
    if data[0] == _ENCRYPTED and size >= 2 + _ID_SIZE + _PLAIN + _TAG:
        return EncryptedAdvert(bytes(data[2:8]), bytes(data[8 : 8 + _PLAIN + _TAG]))
    return None


def fold_config_number(number: int) -> int:
    """The one byte on the air, 1 to 255, of a configuration number (HAP-BLE A.1.2)."""
    return ((number - 1) % 0xFFFF) % 0xFF + 1


def advertising_data(advert: RegularAdvert | EncryptedAdvert, name: str) -> bytes:
    """The whole advertisement, at most 31 bytes: flags, manufacturer data, and of the name what fits (HAP-BLE A.1.3).

    An encrypted one is full and carries no name.
    """
    inner = bytes((_MANUFACTURER,)) + COMPANY_ID.to_bytes(2, "little") + advert.manufacturer_data()
    data = _FLAGS + bytes((len(inner),)) + inner
    return data if isinstance(advert, EncryptedAdvert) else data + _name(name, MAX_ADVERTISEMENT - len(data))


def scan_response(name: str) -> bytes:
    """The answer to an active scan, at most 31 bytes: the name (HAP-BLE A.1.3)."""
    return _name(name, MAX_ADVERTISEMENT)


def _name(name: str, room: int) -> bytes:
    encoded = name.encode()
    fits = room - 2
    if not encoded or fits < 1:
        return b""
    kind = _FULL_NAME
    if len(encoded) > fits:
        kind = _SHORT_NAME
        encoded = encoded[:fits].decode(errors="ignore").encode()  # never half a character
    return bytes((len(encoded) + 1, kind)) + encoded if encoded else b""


def broadcast_key(shared_secret: Secret, controller_ltpk: bytes) -> Secret:
    """The 32-byte key of encrypted advertisements, from the session in which it was asked for (HAP-BLE A.1.4)."""
    return Secret(hkdf(shared_secret.reveal(), controller_ltpk, b"Broadcast-Encryption-Key"))


def seal_broadcast(key: Secret, identifier: bytes, gsn: int, iid: int, value: bytes) -> bytes:
    """The 16 bytes of an encrypted advertisement; `value` has at most 8 bytes (HAP-BLE A.1.4)."""
    plain = gsn.to_bytes(2, "little") + iid.to_bytes(2, "little") + value.ljust(_VALUE, b"\0")
    sealed = ChaCha20Poly1305(key.reveal()).encrypt(_nonce(gsn), plain, identifier)
    return sealed[: len(plain) + _TAG]


def open_broadcast(key: Secret, identifier: bytes, payload: bytes, gsn: int) -> tuple[int, bytes] | None:
    """(iid, 8 bytes of value) if `payload` was made with this key at this state number, else None.

    The tag is cut to 4 bytes, so it is computed anew: the keystream opens the text, sealing it again shows the tag.
    """
    cipher, nonce = ChaCha20Poly1305(key.reveal()), _nonce(gsn)
    stream = cipher.encrypt(nonce, bytes(_PLAIN), identifier)[:_PLAIN]
    # Nearly all numbers that are tried are wrong, and mostly the number in the text says so, without a second look.
    if (payload[0] ^ stream[0]) | (payload[1] ^ stream[1]) << 8 != gsn:
        return None
    plain = bytes(one ^ two for one, two in zip(payload[:_PLAIN], stream, strict=True))
    if not hmac.compare_digest(cipher.encrypt(nonce, plain, identifier)[: _PLAIN + _TAG], payload):
        return None
    return int.from_bytes(plain[2:4], "little"), plain[4:]


def _nonce(gsn: int) -> bytes:
    return _ZEROS + gsn.to_bytes(8, "little")
