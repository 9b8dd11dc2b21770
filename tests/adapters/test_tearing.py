"""The file store on a disk that tears: what was acknowledged outlives every failure, every kill and every power cut."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import pytest
from tests.adapters.tearing import Crash, Disk, Fault, Locks

from hap_sync import store as module
from hap_sync.store import FileStore
from hapcore.crypto.secret import Secret
from hapcore.errors import StateError
from hapcore.pairing.records import Pairing
from hapcore.state import PAIRINGS, STATE, FileFormat, PairedAccessory

FILE: Final = "/house/state/lamp.json"
Table = dict[str, bytes]


def _record(number: int) -> bytes:
    pairing = Pairing("AA:BB:CC:DD:EE:FF", bytes(32), f"controller {number}", Secret(bytes(32)))
    return PairedAccessory("any", pairing, port=number).encode()


#: The same history for both kinds of file: things come, change and go.
STEPS: Final[dict[FileFormat, list[tuple[str, bytes | None]]]] = {
    STATE: [("identity", b"{}"), ("attempts", b"1"), ("attempts", b"2"), ("attempts", None), ("ids", b'{"a":1}')],
    PAIRINGS: [("a", _record(1)), ("b", _record(2)), ("a", _record(3)), ("b", None), ("c", _record(4))],
}
BOTH = pytest.mark.parametrize("form", [STATE, PAIRINGS], ids=["accessory", "controller"])
ERRORS: Final = [errno.ENOSPC, errno.EIO, errno.EROFS]
FAULTS: Final = [(how, lasting) for how in ("error", "torn", "done") for lasting in (False, True)]


@contextmanager
def inserted(disk: Disk) -> Iterator[Disk]:
    """This disk is the one there is."""
    before = module.os, module.fcntl
    module.os, module.fcntl = disk, Locks(disk)  # type: ignore[assignment]
    try:
        yield disk
    finally:
        module.os, module.fcntl = before


def after(table: Mapping[str, bytes], step: tuple[str, bytes | None]) -> Table:
    """A table, one step later."""
    key, value = step
    rest = {name: one for name, one in table.items() if name != key or value is not None}
    return rest if value is None else {**rest, key: value}


def do(store: FileStore, step: tuple[str, bytes | None]) -> None:
    key, value = step
    if value is None:
        store.forget(key)
    else:
        store.persist(key, value)


def attempt(act: Callable[[], object]) -> OSError | None:
    """What it fails with."""
    try:
        act()
    except OSError as error:
        return error
    return None


def names(error: OSError) -> bool:
    """It says where the trouble is: at the file, beside it, or on the way there."""
    return str(error.filename).startswith(FILE) or FILE.startswith(str(error.filename))


def found(disk: Disk, form: FileFormat) -> Table:
    """What another process reads."""
    with inserted(disk), FileStore(FILE, form) as store:
        return store.load()


class Reader:
    """Reads what is left of a disk; the same bytes only once."""

    def __init__(self, form: FileFormat) -> None:
        self._form = form
        self._known: dict[bytes | None, Table] = {}
        self.cuts = 0

    def __call__(self, disk: Disk) -> Table:
        self.cuts += 1
        content = disk.content(FILE)
        if content not in self._known:
            self._known[content] = found(disk, self._form)
        return self._known[content]


@BOTH
@pytest.mark.parametrize("piece", [1, 50, 1 << 20], ids=lambda piece: f"{piece} bytes a write")
def test_a_kill_and_a_power_cut_at_every_moment(form: FileFormat, piece: int) -> None:
    """Whatever the moment and whatever the platter kept: the table before a change or after it, and never less."""
    disk, read = Disk(piece=piece), Reader(form)
    steps = STEPS[form][: 2 if piece == 1 else None]
    before: Table = {}
    allowed: list[Table] = [{}]

    def look() -> None:
        for left in (disk.killed(), *disk.power_cuts()):
            assert read(left) in allowed

    disk.watch = look
    with inserted(disk), FileStore(FILE, form) as store:
        for step in steps:
            changed = after(before, step)
            allowed[:] = [before, changed]
            do(store, step)
            before = changed
            allowed[:] = [before]  # acknowledged
            look()
    assert read.cuts > 1000


@BOTH
def test_killed_then_started_again_then_the_power_goes(form: FileFormat) -> None:
    """A new process may act on what it read: that must be on the platter, too, though another one wrote it."""
    whole = Disk()
    with inserted(whole), FileStore(FILE, form) as store:
        for step in STEPS[form]:
            do(store, step)
    read = Reader(form)
    for number in range(len(whole.calls)):
        disk = Disk()
        disk.fault = Fault(number, how="crash")
        before: Table = {}
        with inserted(disk), suppress(Crash):
            store = FileStore(FILE, form)
            for step in STEPS[form]:
                do(store, step)
                before = after(before, step)
        restarted = disk.killed()
        with inserted(restarted), FileStore(FILE, form) as store:
            seen = store.load()
            assert seen in (before, after(before, step))
            for left in restarted.power_cuts():
                assert read(left) == seen or not seen
            store.persist("ids" if form is STATE else "z", _record(9))
            for left in restarted.power_cuts():
                assert set(read(left)) == {*seen, "ids" if form is STATE else "z"}
    assert read.cuts > 4 * len(whole.calls)


@BOTH
@pytest.mark.parametrize(("how", "lasting"), FAULTS)
def test_every_call_fails_in_turn(form: FileFormat, how: str, lasting: bool) -> None:
    """An error says which file; then nothing has changed, and once the disk works again everything goes on."""
    changes = STEPS[form]
    number = struck = 0
    while True:
        disk, read = Disk(), Reader(form)
        fault = disk.fault = Fault(number, ERRORS[number % len(ERRORS)], how, lasting=lasting)
        before: Table = {}
        with inserted(disk):
            store = FileStore(FILE, form)
            for step in changes:
                changed = after(before, step)
                failure = attempt(partial(do, store, step))
                if failure is not None:
                    assert failure.errno == fault.error
                    assert names(failure), failure
                    disk.fault = None
                    if form is STATE:
                        assert store.load() == before
                    if not lasting:  # the disk was well again in time to undo it
                        assert read(disk.killed()) == before
                        assert disk.content(f"{FILE}.new") is None
                    assert all(read(left) in (before, changed) for left in disk.power_cuts())
                    do(store, step)
                before = changed
                loaded: list[Table] = []
                if attempt(lambda: loaded.append(store.load())) is not None:  # noqa: B023 - called here and now
                    disk.fault = None
                    loaded.append(store.load())
                assert loaded == [before]
                assert all(read(left) == before for left in (disk.killed(), *disk.power_cuts()))
            store.close()
        if not fault.struck:
            break
        number, struck = number + 1, struck + 1
    assert struck > 50


def test_every_call_fails_while_the_state_is_read() -> None:
    """A process that cannot read its state says so; it never goes on with an empty one."""
    table = {"identity": b"{}", "attempts": b"3"}
    number = 0
    while True:
        disk = Disk()
        disk.put(FILE, STATE.encode(table))
        fault = disk.fault = Fault(number)
        with inserted(disk):
            store = FileStore(FILE)
            failure = attempt(store.load)
            if failure is not None:
                assert names(failure), failure
                disk.fault = None
            assert store.load() == table
            store.close()
        assert disk.content(FILE) == STATE.encode(table)
        if not fault.struck:
            break
        number += 1
    assert number >= 5


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_will_do(number: int) -> None:
    disk = Disk()
    disk.put(FILE, STATE.encode({"a": b"1"}))
    with inserted(disk), FileStore(FILE) as store:
        store.load()
        disk.fault = Fault(_next(disk, "sync folder", lambda: store.persist("b", b"2")), number)
        store.persist("b", b"3")
        assert store.load() == {"a": b"1", "b": b"3"}
    assert disk.fault.struck


def test_nobody_may_read_the_folder_above() -> None:
    """As with /home on some machines: what is made there cannot be synced by us, and that is no error of ours."""
    disk = Disk()
    disk.put("/house/other.json", b"")
    with inserted(disk), FileStore(FILE) as store:
        disk.fault = Fault(2, errno.EACCES)  # open .lock, mkdir, open folder
        store.persist("a", b"1")
    assert disk.calls[:3] == ["open lamp.json.lock", "mkdir", "open folder"]
    assert found(disk, STATE) == {"a": b"1"}


def _next(disk: Disk, call: str, act: Callable[[], object]) -> int:
    """The number the next such call will have, when the same is done again."""
    start = len(disk.calls)
    act()
    return len(disk.calls) + disk.calls[start:].index(call)


def test_the_order_in_which_a_change_reaches_the_disk() -> None:
    disk = Disk(piece=30)
    with inserted(disk), FileStore(FILE) as store:
        store.load()
        disk.calls.clear()
        store.persist("attempts", b"1")
        calls = list(disk.calls)
    writes = calls.count("write")
    assert writes > 3
    assert calls == [
        *("unlink", "open new lamp.json.new"),
        *["write"] * writes,
        *("sync file", "close", "replace", "open folder", "sync folder", "close"),
    ]


def test_a_store_that_does_not_sync_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: without either of the two syncs they do."""
    sync = Disk.fsync
    for kind in ("file", "folder"):

        def careless(disk: Disk, descriptor: int, kind: str = kind) -> None:
            if disk.is_folder(descriptor) is not (kind == "folder"):
                sync(disk, descriptor)

        monkeypatch.setattr(Disk, "fsync", careless)
        with pytest.raises((AssertionError, StateError)):
            test_a_kill_and_a_power_cut_at_every_moment(STATE, 50)
