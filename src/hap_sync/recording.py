"""Transcripts in files: written by a thread of their own, so that no loop waits for the disk; read and replayed."""

from __future__ import annotations

import gzip
import os
import queue
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, cast

from hapcore import replay
from hapcore.entropy import Entropy
from hapcore.ip.accessory import Config
from hapcore.ip.controller import PAIRING_TIMEOUT, REQUEST_TIMEOUT
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database
from hapcore.model.remote import AccessoryDescription
from hapcore.transcript import RecordedConnection, RecordedServer, TranscriptError

__all__ = ["Recording", "assert_replays", "read_file"]

#: The largest transcript that is read, unpacked: it is held in memory whole.
MAX_SIZE: Final = 1024 * 1024 * 1024
#: Lines that may wait for the disk. A disk that is further behind ends the recording, not the program.
MAX_WAITING: Final = 100_000
_GZIP: Final = b"\x1f\x8b"


class Recording:
    """A file that engines are recorded into; `server` and `connection` make such engines.

    Its mode is 0600; what is in the file already stays, and each engine's lines are appended. A name that ends in .gz
    makes it gzip. Lines are written by a thread as they come: a crash loses the last of them at most. `close()`, or
    leaving the block, waits until all are written, and raises the `OSError` that ended the recording, if one did.
    """

    def __init__(self, path: str | os.PathLike[str], *, with_secrets: bool = False) -> None:
        self._with_secrets = with_secrets
        self._engines = 0
        self._error: OSError | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        raw = cast("IO[bytes]", os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab+"))
        Path(path).chmod(0o600)  # it may have been there before, for everybody
        if raw.seek(0, os.SEEK_END):
            self._lines.put(b"\n")  # whoever wrote last may have been cut off
        self._raw = raw
        self._file: IO[bytes] = raw
        if os.fspath(path).endswith(".gz"):
            self._file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="ab"))
        self._thread = threading.Thread(target=self._write, name="hap recording", daemon=True)
        self._thread.start()

    def server(
        self,
        accessories: Database | Sequence[Accessory],
        *,
        config: Config,
        state: Mapping[str, bytes],
        entropy: Entropy,
    ) -> RecordedServer:
        """The engine of an accessory that is recorded here."""
        return RecordedServer(
            accessories,
            config=config,
            state=state,
            entropy=entropy,
            sink=self.put,
            engine=self._number(),
            with_secrets=self._with_secrets,
            library=_library(),
        )

    def connection(
        self,
        host: str,
        *,
        entropy: Entropy,
        database: Iterable[AccessoryDescription] = (),
        request_timeout: float = REQUEST_TIMEOUT,
        pairing_timeout: float = PAIRING_TIMEOUT,
    ) -> RecordedConnection:
        """The engine of a controller's connection that is recorded here."""
        return RecordedConnection(
            host,
            entropy=entropy,
            database=database,
            request_timeout=request_timeout,
            pairing_timeout=pairing_timeout,
            sink=self.put,
            engine=self._number(),
            with_secrets=self._with_secrets,
            library=_library(),
        )

    def put(self, line: bytes) -> None:
        """Have one line written. Never blocks, never raises."""
        if self._error is None:
            if self._lines.qsize() > MAX_WAITING:
                self._error = OSError(f"{MAX_WAITING} lines of the recording wait for the disk")
            else:
                self._lines.put(line)

    def close(self) -> None:
        """Write what is left. Raises the `OSError` that ended the recording early. Closing twice is harmless."""
        if self._thread.is_alive():
            self._lines.put(None)
            self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except OSError:
            if error is None:  # what went wrong first counts
                raise

    def _number(self) -> int:
        self._engines += 1
        return self._engines

    def _write(self) -> None:
        try:
            over = False
            while not over:
                batch = [self._lines.get()]
                while not self._lines.empty():
                    batch.append(self._lines.get())
                over = None in batch
                self._file.write(b"".join(line for line in batch if line is not None))
                self._file.flush()
                self._raw.flush()
        except OSError as error:
            self._error = error
        finally:
            try:
                self._file.close()
                self._raw.close()
            except OSError as error:
                self._error = self._error or error


def _library() -> str:
    try:
        return f"hapcore {version('hapcore')}"
    except PackageNotFoundError:
        return "hapcore"


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The lines of a transcript in a file, unpacked where it is gzip; one that was cut off is read as far as it goes.

    Raises `OSError`, and `TranscriptError` for damaged gzip and for more than 1 GiB.
    """
    data = Path(path).read_bytes() if Path(path).stat().st_size <= MAX_SIZE else None
    if data is not None and data[:2] == _GZIP:
        data = _unpack(data)
    if data is None:
        raise TranscriptError(f"{os.fspath(path)} is larger than {MAX_SIZE >> 20} MiB")
    return data


def _unpack(data: bytes) -> bytes | None:
    """All streams of a gzip file; one that a crash cut short, and that another follows, as far as it goes."""
    found = bytearray()
    while data:
        piece, data = _unpack_one(data, MAX_SIZE + 1 - len(found))
        found += piece
        if len(found) > MAX_SIZE:
            return None
    return bytes(found)


def _unpack_one(data: bytes, most: int) -> tuple[bytes, bytes]:
    """What the first stream holds, and what follows it."""
    end = len(data)
    while True:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            found = unpacker.decompress(data[:end], most)
        except zlib.error as error:
            # The next stream was taken for the rest of this one.
            end = data.rfind(_GZIP + b"\x08", 1, end)
            if end < 0:
                raise TranscriptError(f"the gzip file is damaged: {error}") from None
        else:
            return found, unpacker.unused_data if unpacker.eof and end == len(data) else data[end:]


def assert_replays(transcript: str | os.PathLike[str] | bytes | Iterable[bytes], *, prefixes: int = 8) -> None:
    """For tests: the transcript (a path, or its lines) replays whole, byte by byte and from `prefixes` prefixes.

    Raises `AssertionError` with the first difference, `TranscriptError` for what is no transcript.
    """
    lines = read_file(transcript) if isinstance(transcript, str | os.PathLike) else transcript
    replay.assert_replays(lines, prefixes=prefixes)
