"""Records of a recorded session, opened by their number."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hapcore.crypto.secret import Secret

__all__ = ["open_record"]


def open_record(key: Secret, counter: int, data: bytes) -> bytes | None:
    """The plain bytes of the record with that number, None where it is not one."""
    nonce = bytes(4) + counter.to_bytes(8, "little")
    try:
        return ChaCha20Poly1305(key.reveal()).decrypt(nonce, data, None)
    except InvalidTag:
        return None
