"""The record layer as a listener sees it (HAP 7), written apart from the engines' own so that it can judge them."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hapcore.crypto.secret import Secret
from hapcore.replay.fields import RecordingError

__all__ = ["Frames"]

_TAG = 16
_LARGEST = 1024


class Frames:
    """One direction of a secured connection: seals or opens frames, one counter."""

    def __init__(self, key: Secret) -> None:
        self._cipher = ChaCha20Poly1305(key.reveal())
        self._counter = 0
        self._waiting = bytearray()

    def seal(self, data: bytes) -> bytes:
        """`data` cut into frames of up to 1024 bytes."""
        frames: list[bytes] = []
        for start in range(0, len(data), _LARGEST):
            piece = data[start : start + _LARGEST]
            head = len(piece).to_bytes(2, "little")
            frames.append(head + self._cipher.encrypt(self._nonce(), piece, head))
            self._counter += 1
        return b"".join(frames)

    def open(self, data: bytes) -> bytes:
        """The plaintext of all frames that `data` completes; `RecordingError` if one is not genuine."""
        self._waiting += data
        opened: list[bytes] = []
        start = 0
        while len(self._waiting) - start >= 2:
            head = bytes(self._waiting[start : start + 2])
            end = start + 2 + int.from_bytes(head, "little") + _TAG
            if end > len(self._waiting):
                break
            try:
                opened.append(self._cipher.decrypt(self._nonce(), bytes(self._waiting[start + 2 : end]), head))
            except InvalidTag:
                raise RecordingError(f"frame {self._counter} does not decrypt") from None
            self._counter += 1
            start = end
        del self._waiting[:start]
        return b"".join(opened)

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete frame."""
        return len(self._waiting)

    def count(self, data: bytes) -> None:
        """Count the whole frames in `data` without opening them."""
        start = 0
        while start + 2 <= len(data):
            start += 2 + int.from_bytes(data[start : start + 2], "little") + _TAG
            self._counter += 1

    def _nonce(self) -> bytes:
        return bytes(4) + self._counter.to_bytes(8, "little")
