"""Every example of docs/accessory.md is served on the loopback interface and paired, read and written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from examples.own_controller import Blocking
from tests.docs.pages import ROOT, Block, blocks, listings
from tests.docs.programs import launch, line

from hapcore.catalogue.characteristics import CURRENT_TEMPERATURE, IDENTIFIER, LOCK_CURRENT_STATE, LOCK_TARGET_STATE
from hapcore.ids import HapStatus
from hapcore.ip.controller import (
    AddPairing,
    CharacteristicWrite,
    Close,
    FinishPairSetup,
    GetAccessories,
    Identify,
    Read,
    StartPairSetup,
    VerifyPairing,
    Write,
)
from hapcore.model.metadata import Permission
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription
from hapcore.pairing.records import Pairing, new_controller_identity
from hapcore.setup_code import SetupCode

BLOCKS = [one for one in blocks(ROOT / "docs" / "accessory.md", "python") if one.text not in listings()]
#: What turns a block that only describes an accessory into a program.
SERVE = "\nimport trio, hap_trio\ntrio.run(lambda: hap_trio.serve({name}))\n"


def _program(block: Block) -> str:
    if "trio.run(" in block.text:
        return block.text
    assigned = [node.targets[0] for node in ast.parse(block.text).body if isinstance(node, ast.Assign)]
    names = [target.id for target in assigned if isinstance(target, ast.Name)]
    return block.text + SERVE.format(name=names[-1])


class Visit:
    """A controller that has just paired the accessory of a block."""

    def __init__(self, port: int, code: str) -> None:
        self.port = port
        first = Blocking("127.0.0.1", port)
        first.do(StartPairSetup())
        self.pairing = first.do(FinishPairSetup(SetupCode(code)))
        first.do(Close())
        self.client = self.session(self.pairing)

    def session(self, pairing: Pairing) -> Blocking:
        client = Blocking("127.0.0.1", self.port)
        client.do(VerifyPairing(pairing))
        return client

    def accessories(self) -> tuple[AccessoryDescription, ...]:
        return self.client.do(GetAccessories())

    def characteristics(self) -> Iterator[CharacteristicDescription]:
        for accessory in self.accessories():
            for service in accessory.services:
                yield from service.characteristics

    def find(self, uuid: str) -> CharacteristicDescription:
        return next(one for one in self.characteristics() if one.type == uuid)


@contextmanager
def visiting(block: Block, tmp_path) -> Iterator[Visit]:
    script = tmp_path / "block.py"
    script.write_text(_program(block), encoding="utf-8")
    with launch(["block.py"], tmp_path) as process:
        word, port, code = line(process).split()
        assert word == "serving"
        visit = Visit(int(port), code)
        yield visit
        visit.client.do(Close())


def _with(phrase: str) -> Block:
    (found,) = (one for one in BLOCKS if phrase in one.text)
    return found


@pytest.mark.parametrize("block", [one for one in BLOCKS if "PairingAdded" not in one.text], ids=str)
def test_it_is_served(block, tmp_path):
    with visiting(block, tmp_path) as visit:
        ids = tuple(one.id for one in visit.characteristics() if Permission.READ in one.metadata.perms)
        statuses = {one: result.status for one, result in visit.client.do(Read(ids)).items()}
        assert not any(statuses.values()), statuses


def test_the_program_that_waits_for_a_pairing_ends_with_it(tmp_path):
    script = tmp_path / "block.py"
    script.write_text(_with("PairingAdded").text, encoding="utf-8")
    with launch(["block.py"], tmp_path) as process:
        _, port, code = line(process).split()
        assert line(process).endswith(f"on port {port}, setup code {code}")
        pairing_only = Blocking("127.0.0.1", int(port))
        pairing_only.do(StartPairSetup())
        pairing_only.do(FinishPairSetup(SetupCode(code)))
        assert process.wait(timeout=30) == 0
        pairing_only.sock.close()


def test_the_getter_is_asked(tmp_path):
    with visiting(_with("measure"), tmp_path) as visit:
        temperature = visit.find(CURRENT_TEMPERATURE.uuid)
        assert visit.client.do(Read([temperature.id]))[temperature.id].value == 11.5


def test_what_is_linked(tmp_path):
    with visiting(_with("Television"), tmp_path) as visit:
        (accessory,) = visit.accessories()
        (television,) = (one for one in accessory.services if one.primary)
        linked = [one for one in accessory.services if one.iid in television.linked]
        assert [one.find(IDENTIFIER.uuid).value for one in linked] == [1, 2]


def test_the_lock_obeys_admins_and_timed_writes(tmp_path):
    with visiting(_with("LockMechanism"), tmp_path) as visit:
        target, current = visit.find(LOCK_TARGET_STATE.uuid), visit.find(LOCK_CURRENT_STATE.uuid)
        assert Permission.TIMED_WRITE in target.metadata.perms
        unlock = Write([CharacteristicWrite(target.id, 0)])

        guest = new_controller_identity(lambda _, length: bytes(range(length)))
        visit.client.do(AddPairing(guest.identifier.encode(), guest.ltpk))
        told = visit.pairing
        other = visit.session(Pairing(told.accessory_id, told.accessory_ltpk, guest.identifier, guest.ltsk))
        other.do(GetAccessories())
        assert other.do(unlock)[target.id].status is HapStatus.INSUFFICIENT_PRIVILEGES
        assert visit.client.do(Read([current.id]))[current.id].value == 1
        other.do(Close())

        assert visit.client.do(unlock)[target.id].status is HapStatus.SUCCESS
        assert visit.client.do(Read([current.id]))[current.id].value == 0


def test_the_power_strip_shows_itself(tmp_path):
    with visiting(_with("Power strip"), tmp_path) as visit:
        assert visit.accessories()[0].name == "Power strip"
        visit.client.do(Identify())
        assert [one.value for one in visit.characteristics() if one.type.startswith("00000025-")] == [True, True]


def test_several_get_a_bridge(tmp_path):
    with visiting(_with("Living room"), tmp_path) as visit:
        assert [one.name for one in visit.accessories()] == ["Living room", "Shelf", "Ceiling", "Window"]
