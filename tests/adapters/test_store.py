"""The file store on a real disk; what it does when the disk breaks is in test_tearing.py."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hap_sync.store import FileStore, MemoryStore
from hapcore.crypto.secret import Secret
from hapcore.errors import StateError
from hapcore.pairing.records import Pairing
from hapcore.state import PAIRINGS, PairedAccessory, decode_state, encode_state

OLD = {"identity": b'{"device_id":"AA"}', "attempts": b"1"}
NEW = {"identity": b'{"device_id":"AA"}', "attempts": b"2"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lamp.json"


def _written(path: Path, table: dict[str, bytes]) -> None:
    with FileStore(path) as store:
        for key, value in table.items():
            store.persist(key, value)


def _read(path: Path) -> dict[str, bytes]:
    with FileStore(path) as store:
        return store.load()


@pytest.mark.parametrize("kind", ["memory", "exclusive", "shared"])
def test_what_goes_in_comes_out(path: Path, kind: str) -> None:
    store = MemoryStore() if kind == "memory" else FileStore(path, exclusive=kind == "exclusive")
    assert store.load() == {}
    store.persist("b", b"1")
    store.persist("a", b"2")
    store.persist("b", bytes(range(256)))
    assert list(store.load().items()) == [("b", bytes(range(256))), ("a", b"2")]
    store.forget("missing")
    store.forget("b")
    store.load()["a"] = b"changed outside"
    assert store.load() == {"a": b"2"}
    store.close()
    if isinstance(store, FileStore):
        assert _read(path) == {"a": b"2"}


def test_the_file_is_private_and_nothing_else_is_left(path: Path) -> None:
    before = os.umask(0)
    try:
        _written(path, OLD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {entry.name for entry in path.parent.iterdir()} == {"lamp.json", "lamp.json.lock"}
    path.chmod(0o644)
    _written(path, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "lamp.json"
    _written(path, OLD)
    assert _read(path) == OLD
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0


def test_reading_pairings_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "not there" / "pairings.json"
    assert FileStore(path, PAIRINGS).load() == {}
    assert not path.parent.exists()


def test_a_link_stays_a_link(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    _written(link, OLD)
    assert link.is_symlink()
    assert decode_state(path.read_bytes()) == OLD


def test_a_leftover_of_a_crash_is_no_obstacle(path: Path) -> None:
    _written(path, OLD)
    path.with_name("lamp.json.new").write_bytes(b"half a fi")
    _written(path, NEW)
    assert _read(path) == NEW
    assert not path.with_name("lamp.json.new").exists()


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\0" * 200, encode_state(OLD)[:-20], encode_state(OLD).replace(b'"version": 1', b'"version": 2')],
    ids=["empty", "cut", "zeros", "cut-late", "newer"],
)
@pytest.mark.parametrize("exclusive", [True, False])
def test_what_cannot_be_read_is_never_written(path: Path, content: bytes, exclusive: bool) -> None:
    path.write_bytes(content)
    store = FileStore(path, exclusive=exclusive)
    for attempt in (store.load, lambda: store.persist("attempts", b"1"), lambda: store.forget("attempts")):
        with pytest.raises(StateError, match=r"lamp\.json: .* left as it is"):
            attempt()
    store.close()
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_opened_is_an_os_error(path: Path) -> None:
    path.mkdir()
    with FileStore(path) as store, pytest.raises(OSError, match="lamp"):
        store.load()


def test_two_accessories_do_not_share_a_file(path: Path) -> None:
    first, second = FileStore(path), FileStore(path)
    first.load()
    with pytest.raises(StateError, match="in use"):
        second.load()
    with pytest.raises(StateError, match="in use"):
        second.persist("a", b"1")
    first.persist("b", b"2")
    first.close()
    assert second.load() == {"b": b"2"}
    with pytest.raises(StateError, match="in use"):
        first.load()
    second.close()
    first.close()


def test_a_store_that_is_dropped_lets_the_file_go(path: Path) -> None:
    FileStore(path).load()
    assert _read(path) == {}


def test_another_process_is_kept_out(path: Path) -> None:
    program = (
        "import sys\n"
        "from hap_sync.store import FileStore\n"
        "from hapcore.errors import StateError\n"
        "try: FileStore(sys.argv[1]).persist('b', b'2')\n"
        "except StateError as error: print('refused' if 'in use' in str(error) else error)\n"
    )
    with FileStore(path) as store:
        store.persist("a", b"1")
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60)
        assert (done.stdout.strip(), done.stderr) == ("refused", "")
        assert store.load() == {"a": b"1"}
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=60)
    assert _read(path) == {"a": b"1", "b": b"2"}


# --- controllers ------------------------------------------------------------------------------------------------------


def _record(alias: str) -> bytes:
    pairing = Pairing("AA:BB:CC:DD:EE:FF", bytes(32), "controller", Secret(bytes(32)))
    return PairedAccessory(alias, pairing).encode()


def test_controllers_share_a_file(path: Path) -> None:
    one, other = FileStore(path, PAIRINGS), FileStore(path, PAIRINGS)
    assert one.load() == other.load() == {}
    one.persist("lamp", _record("lamp"))
    other.persist("door", _record("door"))
    one.persist("fan", _record("fan"))
    other.forget("lamp")
    assert one.load() == other.load() == {"door": _record("door"), "fan": _record("fan")}


def test_controllers_at_the_same_time_lose_nothing(path: Path) -> None:
    def pair(number: int) -> None:
        store = FileStore(path, PAIRINGS)
        for each in range(5):
            store.persist(f"{number}-{each}", _record("any"))

    threads = [threading.Thread(target=pair, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(FileStore(path, PAIRINGS).load()) == {f"{number}-{each}" for number in range(4) for each in range(5)}
