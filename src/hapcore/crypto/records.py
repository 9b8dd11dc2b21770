"""The record layer of a secured Bluetooth LE session (HAP-BLE A.5.5): one GATT attribute value, one record."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hapcore.crypto.secret import Secret

__all__ = ["RecordCipher"]

_ZEROS = b"\0\0\0\0"


class RecordCipher:
    """One direction of one session: no associated data, no length, a counter that only ever goes up."""

    __slots__ = ("_cipher", "_counter")

    def __init__(self, key: Secret) -> None:
        self._cipher = ChaCha20Poly1305(key.reveal())
        self._counter = 0

    def __repr__(self) -> str:
        return f"RecordCipher(counter={self._counter})"

    @property
    def counter(self) -> int:
        """Records so far."""
        return self._counter

    def seal(self, plain: bytes) -> bytes:
        """The ciphertext with its tag of 16 bytes."""
        return self._cipher.encrypt(self._nonce(), plain, None)

    def open(self, data: bytes) -> bytes | None:
        """The plain bytes, None where the tag is wrong: the session is over then, the counter cannot be repaired."""
        try:
            return self._cipher.decrypt(self._nonce(), data, None)
        except InvalidTag:
            return None

    def _nonce(self) -> bytes:
        counter = self._counter
        self._counter = counter + 1
        return _ZEROS + counter.to_bytes(8, "little")
