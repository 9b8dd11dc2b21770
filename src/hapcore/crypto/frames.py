"""The record layer of a secured IP connection (HAP 7): length, ciphertext and tag, one counter for each direction."""

from __future__ import annotations

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hapcore.crypto.keys import TAG_SIZE, hkdf
from hapcore.crypto.secret import Secret

__all__ = [
    "FRAME_OVERHEAD",
    "MAX_FRAME",
    "FrameError",
    "FrameKey",
    "FrameOpener",
    "FrameSealer",
    "SessionKeys",
    "frame_size",
    "session_keys",
]

#: Most plaintext bytes of one frame, fixed by the protocol.
MAX_FRAME = 1024

_LENGTH = 2
_OVERHEAD = _LENGTH + TAG_SIZE
#: Bytes that a frame has more than its plaintext.
FRAME_OVERHEAD = _OVERHEAD
_ZEROS = b"\0\0\0\0"


@frozen
class SessionKeys:
    """The 32-byte keys of the two directions, named from the controller's view (HAP 5.2).

    `read` protects what the accessory sends, `write` what the controller sends.
    """

    read: Secret
    write: Secret


def session_keys(shared: bytes) -> SessionKeys:
    """Keys of a session after pair-verify or pair-resume, from its shared secret (HAP 5.2)."""
    return SessionKeys(
        read=Secret(hkdf(shared, b"Control-Salt", b"Control-Read-Encryption-Key")),
        write=Secret(hkdf(shared, b"Control-Salt", b"Control-Write-Encryption-Key")),
    )


class FrameError(Exception):
    """A frame is too long or does not decrypt: the connection is lost (HAP 7).

    `plaintext` is what the good frames before it in the same piece of input held, so that the way the network cut the
    input makes no difference to what the application sees.
    """

    def __init__(self, message: str, plaintext: bytes = b"") -> None:
        super().__init__(message)
        self.plaintext = plaintext


def frame_size(data: bytes | bytearray | memoryview, start: int = 0) -> int | None:
    """Bytes of the frame that begins at `start`, its head and tag included.

    None while the head is not there; 0 if no frame begins like that.
    """
    if len(data) - start < _LENGTH:
        return None
    length = data[start] | data[start + 1] << 8
    return length + _OVERHEAD if length <= MAX_FRAME else 0


class FrameKey:
    """Opens single frames by their number: for reading what others said, where some of it may be missing.

    Sessions use `FrameOpener`, which takes every frame once and in order.
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: Secret) -> None:
        self._cipher = ChaCha20Poly1305(key.reveal())

    def open(self, frame: bytes | memoryview, counter: int) -> bytes | None:
        """The plaintext of a whole frame; None if it is not frame number `counter` (from 0) under this key."""
        try:
            return self._cipher.decrypt(_ZEROS + counter.to_bytes(8, "little"), frame[_LENGTH:], frame[:_LENGTH])
        except InvalidTag:
            return None


class FrameSealer:
    """Cuts plaintext into frames and encrypts them; one direction of one session."""

    __slots__ = ("_cipher", "_counter")

    def __init__(self, key: Secret | bytes) -> None:
        self._cipher = ChaCha20Poly1305(key.reveal() if isinstance(key, Secret) else key)
        self._counter = 0

    @property
    def counter(self) -> int:
        """Frames sealed so far."""
        return self._counter

    def seal(self, data: bytes | memoryview) -> bytes:
        """All frames of `data`, joined; nothing for nothing.

        The last of several frames holds 2 to 1023 bytes: one known reader stalls on a frame with a single byte, another
        waits for more after a full one (HAP 7).
        """
        size = len(data)
        if size < MAX_FRAME:
            return self._frame(data, size) if size else b""
        view = memoryview(data)
        tail = size % MAX_FRAME
        # A tail of 0 or 1 borrows two bytes or one from the full frame before it.
        borrowed = 2 - tail if tail < 2 else 0
        frames: list[bytes] = []
        start = 0
        last_full = size - tail - MAX_FRAME
        while start < size:
            length = MAX_FRAME - borrowed if start == last_full else min(MAX_FRAME, size - start)
            frames.append(self._frame(view[start : start + length], length))
            start += length
        return b"".join(frames)

    def _frame(self, data: bytes | memoryview, length: int) -> bytes:
        head = length.to_bytes(_LENGTH, "little")
        counter = self._counter
        self._counter = counter + 1
        return head + self._cipher.encrypt(_ZEROS + counter.to_bytes(8, "little"), data, head)


class FrameOpener:
    """Collects received bytes into frames and decrypts them; one direction of one session.

    At most one incomplete frame is kept, less than 1042 bytes.
    """

    __slots__ = ("_buffer", "_cipher", "_counter", "_dead")

    def __init__(self, key: Secret | bytes) -> None:
        self._cipher = ChaCha20Poly1305(key.reveal() if isinstance(key, Secret) else key)
        self._counter = 0
        self._buffer = bytearray()
        self._dead = False

    @property
    def counter(self) -> int:
        """Frames opened so far."""
        return self._counter

    def feed(self, data: bytes | memoryview) -> bytes:
        """Plaintext of every frame that is complete now, in order; b"" if none is. Empty frames are legal.

        Raises `FrameError` for a frame longer than 1024 bytes or with a wrong tag; after that, always.
        """
        if self._dead:
            raise FrameError("the record layer failed before")
        buffer = self._buffer
        if not buffer:
            size = len(data)
            if size > _OVERHEAD and size == (data[0] | data[1] << 8) + _OVERHEAD <= MAX_FRAME + _OVERHEAD:
                view = memoryview(data)
                return self._open(view[:_LENGTH], view[_LENGTH:])
            source = memoryview(data)
            opened, used = self._open_all(source)
            buffer += source[used:]
            return opened
        buffer += data
        with memoryview(buffer) as source:
            opened, used = self._open_all(source)
        if used:
            del buffer[:used]
        return opened

    def _open_all(self, source: memoryview) -> tuple[bytes, int]:
        pieces: list[bytes] = []
        position = 0
        size = len(source)
        while size - position >= _LENGTH:
            length = source[position] | source[position + 1] << 8
            if length > MAX_FRAME:
                self._dead = True
                raise FrameError(f"frame of {length} bytes, at most {MAX_FRAME} allowed", b"".join(pieces))
            body = position + _LENGTH
            end = body + length + TAG_SIZE
            if end > size:
                break
            try:
                pieces.append(self._open(source[position:body], source[body:end]))
            except FrameError as error:
                error.plaintext = b"".join(pieces)
                raise
            position = end
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), position

    def _open(self, head: memoryview, body: memoryview) -> bytes:
        counter = self._counter
        self._counter = counter + 1
        try:
            return self._cipher.decrypt(_ZEROS + counter.to_bytes(8, "little"), body, head)
        except InvalidTag:
            self._dead = True
            raise FrameError(f"frame {counter} does not decrypt") from None
