"""Transcripts in files: written by a thread of their own, so that no loop waits for the disk; read and replayed."""

from __future__ import annotations

import gzip
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, cast

from hapcore import replay
from hapcore.ble.controller import IDLE_TIMEOUT
from hapcore.entropy import Entropy
from hapcore.ip.accessory import Config
from hapcore.ip.controller import PAIRING_TIMEOUT, REQUEST_TIMEOUT
from hapcore.model.accessory import Accessory
from hapcore.model.database import Database
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing
from hapcore.transcript import (
    RecordedConnection,
    RecordedPeer,
    RecordedPeripheral,
    RecordedServer,
    TranscriptError,
    split_lines,
)
from hapcore.transcript.unpacking import unpack

__all__ = ["Recording", "assert_replays", "read_file", "read_lines"]

#: The largest transcript that is read at once, unpacked.
MAX_SIZE: Final = 1024 * 1024 * 1024
#: Lines that may wait for the disk. A disk that is further behind ends the recording, not the program.
MAX_WAITING: Final = 100_000
_PIECE: Final = 64 * 1024


class Recording:
    """A file that engines are recorded into; `server`, `connection`, `peripheral` and `peer` make such engines.

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

    def peripheral(
        self,
        accessory: Accessory | Database | Sequence[Accessory],
        *,
        config: Config,
        state: Mapping[str, bytes],
        entropy: Entropy,
    ) -> RecordedPeripheral:
        """The engine of an accessory over Bluetooth LE that is recorded here."""
        return RecordedPeripheral(
            accessory,
            config=config,
            state=state,
            entropy=entropy,
            sink=self.put,
            engine=self._number(),
            with_secrets=self._with_secrets,
            library=_library(),
        )

    def peer(
        self,
        *,
        entropy: Entropy,
        pairing: Pairing | None = None,
        device_id: str = "",
        cache: bytes | None = None,
        name: str = "",
        idle_timeout: float = IDLE_TIMEOUT,
        stay: bool = False,
    ) -> RecordedPeer:
        """The engine of a controller for one accessory over Bluetooth LE that is recorded here."""
        return RecordedPeer(
            entropy=entropy,
            pairing=pairing,
            device_id=device_id,
            cache=cache,
            name=name,
            idle_timeout=idle_timeout,
            stay=stay,
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


def read_lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The lines of a transcript, unpacked where it is gzip, one after the other; the file may be of any size.

    Raises `OSError`, and `TranscriptError` for what is damaged; a file that was cut off is read as far as it goes.
    """
    with Path(path).open("rb") as file:
        yield from split_lines(unpack(iter(lambda: file.read(_PIECE), b"")))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The same at once. Raises `OSError`, and `TranscriptError` for damaged gzip and for more than 1 GiB."""
    found = bytearray()
    with Path(path).open("rb") as file:
        for piece in unpack(iter(lambda: file.read(_PIECE), b"")):
            found += piece
            if len(found) > MAX_SIZE:
                raise TranscriptError(f"{os.fspath(path)} is larger than {MAX_SIZE >> 20} MiB")
    return bytes(found)


def assert_replays(transcript: str | os.PathLike[str] | bytes | Iterable[bytes], *, prefixes: int = 8) -> None:
    """For tests: the transcript (a path, or its lines) replays whole, byte by byte and from `prefixes` prefixes.

    Raises `AssertionError` with the first difference, `TranscriptError` for what is no transcript.
    """
    lines = read_file(transcript) if isinstance(transcript, str | os.PathLike) else transcript
    replay.assert_replays(lines, prefixes=prefixes)
