"""An accessory's life on a disk that tears: at every call, whatever a controller was told is still so afterwards."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from tests.adapters.tearing import Disk, Fault
from tests.adapters.test_tearing import ERRORS, FAULTS, FILE, Reader, Table, inserted
from tests.core.accessory_rig import CODE, TLV8, Draws, Lamp, Line, Rig

import hap_sync
from hap_sync.store import FileStore
from hapcore.catalogue.services import Lightbulb
from hapcore.codec.http import Response, write_request
from hapcore.codec.tlv8 import decode
from hapcore.engine import Forget, Persist
from hapcore.errors import Refused
from hapcore.ip.accessory import Config, ReplaceDatabase, Server
from hapcore.model.accessory import Accessory
from hapcore.pairing.pairings import encode_add, encode_remove
from hapcore.pairing.records import Pairing
from hapcore.pairing.setup import PairSetupController
from hapcore.setup_code import SetupCode
from hapcore.state import STATE

WRONG: Final = SetupCode("111-22-333")
KEY: Final = bytes(31) + b"\x01"
FOLDER: Final = FILE.rpartition("/")[0]
ERROR: Final = 7


class Torn(Rig):
    """An accessory with its state on such a disk, driven as the adapters do it."""

    def __init__(self, disk: Disk, **more: Any) -> None:
        self.disk = disk
        self.store = FileStore(FILE)
        #: What the log says.
        self.complaints: list[str] = []
        with inserted(disk):
            table = self.store.load()
        super().__init__(table, **more)

    def drain(self) -> None:
        with inserted(self.disk):
            super().drain()

    def keep(self, effect: Persist | Forget) -> None:
        """Carry out what has to be stored."""
        try:
            if isinstance(effect, Persist):
                self.store.persist(effect.key, effect.value)
            else:
                self.store.forget(effect.key)
        except OSError as error:
            self.complaints.append(str(error))
            self.server.effect_failed(effect, str(error), self.now, cause=error)

    def close(self) -> None:
        with inserted(self.disk):
            self.store.close()


def post(line: Line, path: str, body: bytes) -> Response:
    line.send(write_request("POST", path, "127.0.0.1", TLV8, body))
    return line.take()


def verdict(answer: Response) -> str:
    """What the accessory said of a pairing message."""
    if answer.status != 200:
        return f"HTTP {answer.status}"
    items = dict(decode(answer.body))
    return f"error {items[ERROR][0]}" if ERROR in items else "done"


class Phone:
    """A controller, and what it has been told."""

    def __init__(self, rig: Torn, pairing: Pairing | None = None) -> None:
        self.rig = rig
        self.pairing = pairing
        self._secured: Line | None = None

    def secured(self) -> Line:
        assert self.pairing is not None
        if self._secured is None:
            self._secured = self.rig.line().verify(self.pairing)
        return self._secured

    def try_code(self, code: SetupCode) -> str:
        """Pair-setup: what the last answer was."""
        line, setup = self.rig.line(), PairSetupController(Draws("phone"))
        first = post(line, "/pair-setup", setup.m1())
        if verdict(first) != "done":
            return verdict(first)
        assert setup.receive_m2(first.body)
        second = post(line, "/pair-setup", setup.m3(code.text))
        if verdict(second) != "done":
            return verdict(second)
        third = post(line, "/pair-setup", setup.m5(second.body))
        if verdict(third) == "done":
            self.pairing = setup.finish(third.body)
        return verdict(third)

    def add(self, name: bytes) -> str:
        return verdict(post(self.secured(), "/pairings", encode_add(name, KEY, False)))

    def remove(self, name: bytes) -> str:
        return verdict(post(self.secured(), "/pairings", encode_remove(name)))

    def config_number(self) -> int:
        return self.rig.server.config_number


def names(table: Table) -> set[str]:
    """Who is paired."""
    return {json.loads(value)["identifier"] for key, value in table.items() if key.startswith("pairing/")}


def attempts(table: Table) -> int:
    return int(table.get("attempts", b"0"))


def number(table: Table) -> int:
    return int(json.loads(table["database"])["config_number"])


def larger() -> list[Accessory]:
    """The lamp, with something more to it."""
    lamp = Lamp()
    del lamp.accessory.services[-1].characteristics[-1]
    return [lamp.accessory]


def restart(table: Table) -> Server:
    """An accessory always starts from what is left."""
    return Server([Lamp().accessory], config=Config(name="Test lamp", setup_code=CODE), state=table, entropy=Draws("x"))


def test_a_power_cut_at_every_moment_of_a_life() -> None:
    """Wrong codes, pairing, other controllers, another database, the end: what was answered is on every platter."""
    disk, read = Disk(piece=700), Reader(STATE)
    facts: dict[str, Callable[[Table], object]] = {}
    checked: set[tuple[object, ...]] = set()

    def look() -> None:
        for left in (disk.killed(), *disk.power_cuts()):
            table = read(left)
            if (id(table), *facts) not in checked:
                checked.add((id(table), *facts))
                for fact, holds in facts.items():
                    assert holds(table), fact
                if table:
                    restart(table)

    disk.watch = look
    rig = Torn(disk)
    device = rig.server.device_id
    facts["the same accessory"] = lambda table: json.loads(table["identity"])["device_id"] == device
    phone = Phone(rig)
    assert phone.try_code(WRONG) == "error 2"
    facts["one wrong code"] = lambda table: attempts(table) >= 1
    look()
    assert phone.try_code(WRONG) == "error 2"
    facts["two wrong codes"] = lambda table: attempts(table) >= 2
    look()
    del facts["one wrong code"], facts["two wrong codes"]  # the right one is on its way
    assert phone.try_code(CODE) == "done"
    assert phone.pairing is not None
    ours = phone.pairing.controller_id
    facts["no wrong codes, paired"] = lambda table: not attempts(table) and ours in names(table)
    look()
    assert phone.add(b"guest") == "done"
    facts["guest added"] = lambda table: "guest" in names(table)
    look()
    before = rig.server.config_number
    rig.submit(ReplaceDatabase(larger()))
    facts["another database"] = lambda table: number(table) == before + 1
    look()
    del facts["guest added"]
    assert phone.remove(b"guest") == "done"
    facts["guest removed"] = lambda table: "guest" not in names(table)
    look()
    del facts["no wrong codes, paired"]
    assert phone.remove(ours.encode()) == "done"
    facts["nobody paired"] = lambda table: not names(table)
    look()
    rig.close()
    assert read.cuts > 2500
    assert len(disk.calls) > 100


def prepared(*, paired: bool) -> tuple[bytes, Pairing | None]:
    """The content of a state file, and who is paired."""
    disk = Disk()
    rig = Torn(disk)
    phone = Phone(rig)
    if paired:
        assert phone.try_code(CODE) == "done"
        assert phone.add(b"guest") == "done"
    rig.close()
    content = disk.content(FILE)
    assert content is not None
    return content, phone.pairing


#: What is done, what is answered when it works, and what the file says then.
ACTS: Final[dict[str, tuple[Callable[[Phone], object], Iterable[object], Callable[[Table], bool]]]] = {
    "a wrong code": (lambda phone: phone.try_code(WRONG), ["error 2"], lambda table: attempts(table) > 0),
    "pairing": (lambda phone: phone.try_code(CODE), ["done"], lambda table: len(names(table)) == 1),
    "adding": (lambda phone: phone.add(b"other"), ["done"], lambda table: "other" in names(table)),
    "removing": (lambda phone: phone.remove(b"guest"), ["done"], lambda table: "guest" not in names(table)),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("how", "lasting"), FAULTS)
def test_every_call_fails_in_turn(act: str, how: str, lasting: bool) -> None:
    """The peer is told, the log says which file and why, and when the disk works again so does everything."""
    do, good, stored = ACTS[act]
    content, pairing = _prepared(act)
    call = refused = 0
    while True:
        disk, read = Disk(), Reader(STATE)
        disk.put(FILE, content)
        rig = Torn(disk)
        phone = Phone(rig, pairing)
        if pairing is not None:
            phone.secured()
        fault = disk.fault = Fault(len(disk.calls) + call, ERRORS[call % len(ERRORS)], how, lasting=lasting)
        answer = do(phone)
        if answer in good:
            assert all(stored(read(left)) for left in (disk.killed(), *disk.power_cuts())), "acknowledged, and lost"
        else:
            refused += 1
            assert answer == "HTTP 500"
            assert FOLDER in rig.complaints[0]
            assert "space" in rig.complaints[0] or "error" in rig.complaints[0] or "Read-only" in rig.complaints[0]
            if pairing is not None:  # the bad disk is no reason not to switch the lamp on
                assert phone.secured().get("1.10").status in (200, 207)
            for left in (disk.killed(), *disk.power_cuts()):
                assert restart(read(left)).device_id == rig.server.device_id
            disk.fault = None
            assert do(phone) in good
            assert all(stored(read(left)) for left in (disk.killed(), *disk.power_cuts()))
        if pairing is None and act == "pairing":
            assert phone.secured().get("1.10").status in (200, 207)
        rig.close()
        if not fault.struck:
            break
        call += 1
    assert refused >= 6


_CONTENTS: dict[bool, tuple[bytes, Pairing | None]] = {}


def _prepared(act: str) -> tuple[bytes, Pairing | None]:
    paired = act in ("adding", "removing")
    if paired not in _CONTENTS:
        _CONTENTS[paired] = prepared(paired=paired)
    return _CONTENTS[paired]


@pytest.mark.parametrize(("how", "lasting"), FAULTS)
def test_another_database_while_every_call_fails_in_turn(how: str, lasting: bool) -> None:
    """c# that could not be stored is the same again after a restart with that database, and never lower."""
    content, _ = _prepared("adding")
    call = 0
    while True:
        disk, read = Disk(), Reader(STATE)
        disk.put(FILE, content)
        rig = Torn(disk)
        before = rig.server.config_number
        fault = disk.fault = Fault(len(disk.calls) + call, ERRORS[call % len(ERRORS)], how, lasting=lasting)
        rig.submit(ReplaceDatabase(larger()))
        assert rig.server.config_number == before + 1
        disk.fault = None
        for left in (disk.killed(), *disk.power_cuts()):
            again = Server(larger(), config=Config(name="L"), state=read(left), entropy=Draws("x"))
            assert again.config_number == before + 1
            assert again.database.ids == rig.server.database.ids
        rig.close()
        if not fault.struck:
            break
        call += 1
    assert call > 5


def test_a_full_disk_over_the_network(caplog: pytest.LogCaptureFixture) -> None:
    """The controller is refused, the log names the file and the reason, and with room on the disk all is well."""
    disk = Disk()
    here = {"state": FILE, "setup_code": CODE.text, "address": "127.0.0.1", "mdns": False}
    with (
        inserted(disk),
        hap_sync.open_server(Lightbulb("Lamp", on=False), **here) as server,
        hap_sync.open_controller(mdns=False) as home,
    ):
        disk.fault = Fault(len(disk.calls), errno.ENOSPC, lasting=True)
        with pytest.raises(Refused, match="500"):
            home.pair(f"127.0.0.1:{server.port}", CODE.text, "lamp")
        assert not server.paired
        (told,) = [record.getMessage() for record in caplog.records if record.name == "hap_sync"]
        assert told.startswith("could not store pairing/")
        assert "No space left on device" in told
        assert FOLDER in told
        disk.fault = None
        home.pair(f"127.0.0.1:{server.port}", CODE.text, "lamp").accessories()
        assert server.paired
