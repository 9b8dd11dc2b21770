"""Where tables are kept: in a file that a crash cannot spoil, or in memory.

All calls block; a trio program makes them in a thread. They may come from several threads, one after the other.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from hapcore.errors import StateError
from hapcore.state import STATE, FileFormat

if sys.platform != "win32":
    import fcntl

__all__ = ["FileStore", "MemoryStore", "Store", "open_store"]

#: A file system that cannot sync a folder says one of these; then there is nothing more to be done about it.
_CANNOT_SYNC = frozenset([errno.EINVAL, errno.ENOTSUP, errno.EBADF])
#: Bytes of one read.
_PIECE = 64 * 1024
#: Windows would else write other line ends.
_BINARY = getattr(os, "O_BINARY", 0)


def open_store(path: str | os.PathLike[str] | None, file_format: FileFormat) -> Store:
    """What keeps a table in the file at `path`, or in memory."""
    return MemoryStore() if path is None else FileStore(path, file_format)


class MemoryStore:
    """A table that is forgotten with the process."""

    def __init__(self) -> None:
        self._table: dict[str, bytes] = {}

    def load(self) -> dict[str, bytes]:
        """A copy of the table."""
        return dict(self._table)

    def persist(self, key: str, value: bytes) -> None:
        """Keep `value` under `key`."""
        self._table[key] = value

    def forget(self, key: str) -> None:
        """Drop `key`; a missing one is no error."""
        self._table.pop(key, None)

    def close(self) -> None:
        """Nothing to release."""


class FileStore:
    """A table in a file, in one of the formats of `hapcore.state`.

    After every change the file is whole, on disk, and readable by its owner only: written beside the old one, synced,
    renamed over it, the folder synced. After a crash or an error at any point it holds the old table or the new one. A
    file that cannot be read in full raises `StateError` from the first call on and is never written to. A file of an
    older version is read as what it means today, and has today's form after the next change.

    `exclusive` (accessories): the file belongs to this store from the first call until `close()`; a second store of any
    process gets a `StateError`, because two accessories with one identity would each refuse what the other paired.
    Without it (controllers) several processes may use the file: each change is made to what the file holds by then.
    The locks are kept on a file of their own beside it, NAME.lock, which stays; where the platform has no `flock`
    (Windows), there are none.
    """

    def __init__(
        self, path: str | os.PathLike[str], file_format: FileFormat = STATE, *, exclusive: bool | None = None
    ) -> None:
        self._path = Path(path).resolve()  # the new file must replace what a link points to, not the link
        self._new = self._path.with_name(f"{self._path.name}.new")
        self._format = file_format
        self._exclusive = file_format is STATE if exclusive is None else exclusive
        self._guard = threading.Lock()
        self._release: weakref.finalize[..., FileStore] | None = None
        self._table: dict[str, bytes] | None = None

    def load(self) -> dict[str, bytes]:
        """A copy of the table; empty if there is no file yet. Raises `StateError` or `OSError`."""
        # A file that is renamed into place is whole without any lock.
        with self._guard, self._locked() if self._exclusive else nullcontext():
            if self._table is None or not self._exclusive:
                # Who renamed it may have been killed before syncing: what is acted on from here on must stay.
                with _naming(self._path), suppress(FileNotFoundError):
                    _sync_folder(self._path.parent)
            return dict(self._current())

    def persist(self, key: str, value: bytes) -> None:
        """Store `value` under `key`; it is on disk when this returns. Raises `StateError` or `OSError`: not stored."""
        with self._guard, self._locked():
            table = dict(self._current())
            table[key] = value
            self._replace(table)

    def forget(self, key: str) -> None:
        """Remove `key`, durably. A missing one is no error and writes nothing."""
        with self._guard, self._locked():
            table = dict(self._current())
            if table.pop(key, None) is not None:
                self._replace(table)

    def replace(self, table: Mapping[str, bytes]) -> None:
        """Store a whole table in place of the one there is: all of it or, after a crash or an error, none."""
        with self._guard, self._locked():
            self._current()  # a file that cannot be read is not replaced either
            self._replace(dict(table))

    def close(self) -> None:
        """Let others have the file. Any later call takes it again."""
        with self._guard:
            self._table = None
            if self._release is not None:
                self._release()
                self._release = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _current(self) -> dict[str, bytes]:
        """The table as the file has it; an exclusive store needs to read it only once."""
        if self._table is not None and self._exclusive:
            return self._table
        try:
            with _naming(self._path):
                self._table = self._format.decode(_read(self._path))
        except FileNotFoundError:
            self._table = {}
        except StateError as error:
            raise StateError(f"{self._path}: {error}; it is left as it is") from None
        return self._table

    def _replace(self, table: dict[str, bytes]) -> None:
        before, written = self._table or {}, False
        with _naming(self._path):
            try:
                self._write(table)
                written = True
                self._rename()
            except BaseException as error:
                with suppress(OSError):
                    if written and isinstance(error, OSError):
                        # It may be there all the same; whoever is told that it is not must not find it tomorrow.
                        self._write(before)
                        self._rename()
                with suppress(OSError):
                    _remove(self._new)
                raise
        self._table = table

    def _write(self, table: dict[str, bytes]) -> None:
        _remove(self._new)  # of a process that died here
        _write(self._new, self._format.encode(table))

    def _rename(self) -> None:
        os.replace(self._new, self._path)  # noqa: PTH105 - beside the other calls that a crash can come between
        _sync_folder(self._path.parent)

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        if self._release is not None:
            yield
            return
        name = self._path.with_name(f"{self._path.name}.lock")
        try:
            descriptor = os.open(name, os.O_RDWR)
        except FileNotFoundError:
            with _naming(self._path):
                _make_folder(self._path.parent)
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor, self._path, wait=not self._exclusive)
            yield
        except BaseException:
            _close(descriptor)
            raise
        if self._exclusive:
            self._release = weakref.finalize(self, _close, descriptor)
        else:
            _close(descriptor)


def _lock(descriptor: int, path: Path, *, wait: bool) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise StateError(f"{path} is in use: another accessory is served from it") from None


@contextmanager
def _naming(path: Path) -> Generator[None, None, None]:
    """A full or broken disk does not say which file it was that could not be read or written."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _read(path: Path) -> bytes:
    content = bytearray()
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    try:
        while piece := os.read(descriptor, _PIECE):
            content += piece
    finally:
        _close(descriptor)
    return bytes(content)


def _write(path: Path, content: bytes) -> None:
    """A new file that only its owner can read, whatever the umask, whole and on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]  # a disk that is nearly full takes a part
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _close(descriptor: int) -> None:
    """Of what nothing was written to: what was done is done, even if this fails."""
    with suppress(OSError):
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - beside the other calls that a crash can come between


def _make_folder(folder: Path) -> None:
    """Make what is missing of the way to a folder, so that it is still there after a power cut."""
    way: list[Path] = []
    for each in (folder, *folder.parents):
        way.append(each)
        if os.path.isdir(each):  # noqa: PTH112 - beside the other calls that a crash can come between
            break
    for each in reversed(way):
        with suppress(FileExistsError, IsADirectoryError):
            os.mkdir(each, 0o700)  # noqa: PTH102 - as above
        # The one that was there may be of a process that was killed before this. Not everybody may read /home.
        with suppress(PermissionError):
            _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        _close(descriptor)


#: Where an engine's table is kept.
Store: TypeAlias = FileStore | MemoryStore
