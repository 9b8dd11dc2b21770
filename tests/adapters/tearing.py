"""A disk in memory that forgets at a power cut whatever was not synced, and fails or tears any call when told to.

It stands before the `os` of the file store. What a program sees (the page cache) and what is on the platter are kept
apart, for files and for folders; a power cut leaves any mixture that POSIX allows: of the names that were made, moved
and removed since a folder was synced any subset, of a file that was not synced nothing, a part, zeros or all of it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import PurePosixPath
from typing import Any, Final

__all__ = ["Crash", "Disk", "Fault", "Locks"]

#: More unsynced changes of names than this are not tried in every combination.
MANY: Final = 6


class Crash(BaseException):
    """The process is dead: this call and all later ones do nothing."""


class Inode:
    """A file."""

    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.data = b""
        #: What is on the platter.
        self.safe = b""
        #: A failed sync has marked the pages as clean: later syncs say that all is well, and write nothing.
        self.cheated = False


class Folder:
    """Names, as seen and as synced."""

    def __init__(self) -> None:
        self.names: dict[str, Inode | Folder] = {}
        self.safe: dict[str, Inode | Folder] = {}
        #: What was done to the names since the last sync.
        self.pending: list[tuple[str, str | None, Inode | Folder | None]] = []

    def change(self, name: str, to: Inode | Folder | None, *, moved_from: str | None = None) -> None:
        """Make a name, remove it, or move another one onto it."""
        self.pending.append((name, moved_from, to))
        _apply(self.names, self.pending[-1])

    def sync(self) -> None:
        self.safe, self.pending = dict(self.names), []


def _apply(names: dict[str, Inode | Folder], change: tuple[str, str | None, Inode | Folder | None]) -> None:
    name, moved_from, to = change
    if moved_from is not None:
        names.pop(moved_from, None)
    if to is None:
        names.pop(name, None)
    else:
        names[name] = to


class Fault:
    """What goes wrong at one call: `number` counts the calls that can fail, from 0.

    `how`: "error" nothing happens but the error; "torn" a write takes half of it first; "done" it happens, and the
    error is raised all the same; "crash" the process is dead instead. `lasting`: every later call fails, too.
    """

    def __init__(self, number: int, error: int = errno.EIO, how: str = "error", *, lasting: bool = False) -> None:
        self.number = number
        self.error = error
        self.how = how
        self.lasting = lasting
        self.struck = False


class Locks:
    """Stands before `fcntl`."""

    LOCK_EX, LOCK_NB = 2, 4

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def flock(self, descriptor: int, operation: int) -> None:
        self._disk.lock(descriptor)


class Disk:
    """The calls of `os` that the store makes, with `calls` to be read afterwards.

    `watch` is called before and after each call that changes anything. `piece`: bytes that a write takes at most.
    """

    def __init__(self, root: Folder | None = None, *, piece: int = 1 << 20) -> None:
        self.root = root or Folder()
        self.piece = piece
        self.calls: list[str] = []
        self.fault: Fault | None = None
        self.watch: Callable[[], object] = lambda: None
        self.path = self  # os.path
        self._open: dict[int, tuple[Inode | Folder, int]] = {}
        self._positions: dict[int, int] = {}
        self._locked: dict[int, Inode | Folder] = {}
        self._next = 1 << 24  # no descriptor of the real world

    def __getattr__(self, name: str) -> Any:
        """Constants only: a call that is not played here must not reach the real disk."""
        value = getattr(os, name)
        if callable(value):
            raise AttributeError(name)
        return value

    # --- what the store calls -----------------------------------------------------------------------------------------

    def open(self, path: object, flags: int, mode: int = 0o777) -> int:
        try:
            folder, name = self._find(path)
        except FileNotFoundError:
            folder, name = Folder(), ""  # no such way
            flags &= ~os.O_CREAT
            found = None
        else:
            found = self.root if not name else folder.names.get(name)
        making = found is None and flags & os.O_CREAT

        def act() -> Inode | Folder:
            if found is not None:
                if flags & os.O_CREAT and flags & os.O_EXCL:
                    raise self._error(errno.EEXIST, path)
                if isinstance(found, Folder) and flags & (os.O_WRONLY | os.O_RDWR):
                    raise self._error(errno.EISDIR, path)
                return found
            if not making:
                raise self._error(errno.ENOENT, path)
            made = Inode(mode)
            folder.change(name, made)
            return made

        last = PurePosixPath(str(path)).name
        what = "folder" if isinstance(found, Folder) else f"new {last}" if making else last
        node = self._do(f"open {what}", act, path)
        self._next += 1
        self._open[self._next] = node, flags
        self._positions[self._next] = 0
        return self._next

    def read(self, descriptor: int, size: int) -> bytes:
        node = self._open[descriptor][0]
        if isinstance(node, Folder):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))

        def act() -> bytes:
            start = self._positions[descriptor]
            data = node.data[start : start + size]
            self._positions[descriptor] += len(data)
            return data

        return self._do("read", act)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        node = self._open[descriptor][0]
        assert isinstance(node, Inode)
        taken = bytes(data[: self.piece])

        def act() -> int:
            node.data += taken
            return len(taken)

        def tear() -> None:
            node.data += taken[: len(taken) // 2]

        return self._do("write", act, tear=tear)

    def fsync(self, descriptor: int) -> None:
        node = self._open[descriptor][0]

        def act() -> None:
            if isinstance(node, Folder):
                node.sync()
            elif not node.cheated:
                node.safe = node.data

        def cheat() -> None:
            if isinstance(node, Inode):
                node.cheated = True

        self._do(f"sync {'folder' if isinstance(node, Folder) else 'file'}", act, cheat=cheat)

    def close(self, descriptor: int) -> None:
        self._locked.pop(descriptor, None)  # also of a process that is dead
        self._open.pop(descriptor, None)
        with suppress(Crash):
            self._do("close", lambda: None)

    def replace(self, source: object, target: object) -> None:
        (folder, old), (other, new) = self._find(source), self._find(target)
        assert folder is other

        def act() -> None:
            if old not in folder.names:
                raise self._error(errno.ENOENT, source)
            folder.change(new, folder.names[old], moved_from=old)

        self._do("replace", act, target)

    def unlink(self, path: object) -> None:
        folder, name = self._find(path)

        def act() -> None:
            if name not in folder.names:
                raise self._error(errno.ENOENT, path)
            folder.change(name, None)

        self._do("unlink", act, path)

    def mkdir(self, path: object, mode: int = 0o777) -> None:
        assert mode == 0o700
        folder, name = self._find(path)

        def act() -> None:
            if not name or name in folder.names:
                raise self._error(errno.EEXIST, path)
            folder.change(name, Folder())

        self._do("mkdir", act, path)

    def isdir(self, path: object) -> bool:
        try:
            folder, name = self._find(path)
        except FileNotFoundError:
            return False
        return not name or isinstance(folder.names.get(name), Folder)

    def lock(self, descriptor: int) -> None:
        """Locked as long as it is open."""
        node = self._open[descriptor][0]
        if node in self._locked.values():
            raise BlockingIOError(errno.EAGAIN, "locked")
        self._locked[descriptor] = node

    # --- what the test asks -------------------------------------------------------------------------------------------

    def content(self, path: str) -> bytes | None:
        """A file as programs see it; None if it is not there. Asserts that nobody else may read it."""
        try:
            folder, name = self._find(path)
        except FileNotFoundError:
            return None
        node = folder.names.get(name)
        if node is None:
            return None
        assert isinstance(node, Inode)
        assert stat.S_IMODE(node.mode) & 0o077 == 0, "others may read it"
        return node.data

    def put(self, path: str, content: bytes) -> None:
        """A file that has been there for long."""
        folder = self.root
        for part in PurePosixPath(path).parts[1:-1]:
            folder = folder.names.setdefault(part, Folder())  # type: ignore[assignment]
        node = Inode(0o600)
        node.data = content
        folder.names[PurePosixPath(path).name] = node
        self.settle()

    def is_folder(self, descriptor: int) -> bool:
        """Of an open one."""
        return isinstance(self._open[descriptor][0], Folder)

    def settle(self) -> None:
        """All is written, as after a while."""

        def visit(folder: Folder) -> None:
            folder.sync()
            for node in folder.names.values():
                if isinstance(node, Folder):
                    visit(node)
                else:
                    node.safe = node.data

        visit(self.root)

    def killed(self) -> Disk:
        """The process is dead, the machine runs on: what programs saw is still to be seen."""
        return Disk(_copied(self.root), piece=self.piece)

    def power_cuts(self) -> Iterator[Disk]:
        """Every disk that a power cut at this moment may leave behind."""
        pending: list[tuple[Folder, tuple[str, str | None, Inode | Folder | None]]] = []

        def visit(folder: Folder) -> None:
            pending.extend((folder, change) for change in folder.pending)
            for node in {id(one): one for one in (*folder.names.values(), *folder.safe.values())}.values():
                if isinstance(node, Folder):
                    visit(node)

        visit(self.root)
        for kept in _subsets(len(pending)):
            survived = [one for one, keep in zip(pending, kept, strict=True) if keep]
            for fate in FATES:
                yield Disk(_after(self.root, survived, fate), piece=self.piece)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _find(self, path: object) -> tuple[Folder, str]:
        """The folder that a path is in, and its name there; the root is ''."""
        parts = PurePosixPath(str(path)).parts[1:]
        folder = self.root
        for part in parts[:-1]:
            found = folder.names.get(part)
            if not isinstance(found, Folder):
                raise self._error(errno.ENOENT, path)
            folder = found
        return folder, parts[-1] if parts else ""

    @staticmethod
    def _error(number: int, path: object | None) -> OSError:
        return OSError(number, os.strerror(number), *(() if path is None else (str(path),)))

    def _do(
        self,
        call: str,
        act: Callable[[], Any],
        path: object | None = None,
        *,
        tear: Callable[[], None] = lambda: None,
        cheat: Callable[[], None] = lambda: None,
    ) -> Any:
        number, fault = len(self.calls), self.fault
        self.calls.append(call)
        self.watch()
        if fault is not None and (number == fault.number or (fault.lasting and number > fault.number)):
            fault.struck = True
            if fault.how == "crash":
                fault.lasting = True
                raise Crash
            if fault.how == "done":
                act()
            elif fault.how == "torn":
                tear()
            else:
                cheat()
            self.watch()
            raise self._error(fault.error, path)
        result = act()
        self.watch()
        return result


def _half(node: Inode) -> bytes:
    return node.data[: len(node.data) // 2]


def _zeros(node: Inode) -> bytes:
    return bytes(len(node.data))


#: What becomes of a file that was not synced.
FATES: Final[tuple[Callable[[Inode], bytes], ...]] = (
    lambda node: node.safe,
    _half,
    _zeros,
    lambda node: node.data,
)


def _subsets(count: int) -> Iterator[tuple[bool, ...]]:
    if count <= MANY:
        yield from product((False, True), repeat=count)
        return
    for length in range(count + 1):  # in order, and each one alone, and all but one
        yield tuple(at < length for at in range(count))
    for one in range(count):
        yield tuple(at == one for at in range(count))
        yield tuple(at != one for at in range(count))


def _copied(root: Folder) -> Folder:
    """The same tree with all that was seen and all that is safe, for another process."""
    known: dict[int, Inode | Folder] = {}

    def copy(node: Inode | Folder) -> Inode | Folder:
        if id(node) in known:
            return known[id(node)]
        if isinstance(node, Inode):
            file = known[id(node)] = Inode(node.mode)
            file.data, file.safe, file.cheated = node.data, node.safe, node.cheated
            return file
        folder = known[id(node)] = Folder()
        folder.names = {name: copy(one) for name, one in node.names.items()}
        folder.safe = {name: copy(one) for name, one in node.safe.items()}
        folder.pending = [(name, moved, None if to is None else copy(to)) for name, moved, to in node.pending]
        return folder

    copied = copy(root)
    assert isinstance(copied, Folder)
    return copied


def _after(
    root: Folder,
    survived: list[tuple[Folder, tuple[str, str | None, Inode | Folder | None]]],
    fate: Callable[[Inode], bytes],
) -> Folder:
    """What is found when the power is back: all of it is safe then."""
    known: dict[int, Inode | Folder] = {}

    def revive(node: Inode | Folder) -> Inode | Folder:
        if id(node) in known:
            return known[id(node)]
        if isinstance(node, Inode):
            file = known[id(node)] = Inode(node.mode)
            file.data = file.safe = node.safe if node.safe == node.data else fate(node)
            return file
        folder = known[id(node)] = Folder()
        names = dict(node.safe)
        for place, change in survived:
            if place is node:
                _apply(names, change)
        folder.names = {name: revive(one) for name, one in names.items()}
        folder.safe = dict(folder.names)
        return folder

    revived = revive(root)
    assert isinstance(revived, Folder)
    return revived
