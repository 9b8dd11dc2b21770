"""What type checkers know of handlers for a whole service or accessory, of cameras, and of calls from other threads."""

from __future__ import annotations

from typing import assert_type

import hap_trio
from hapcore.catalogue.services import Lightbulb, LockMechanism
from hapcore.catalogue.values import LockTargetState
from hapcore.ids import Caller, HapStatus
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.group import Reads, Writes
from hapcore.model.metadata import Format, Metadata
from hapcore.model.service import Has, Service, ServiceType
from hapcore.model.snapshot import SnapshotWanted

light = Lightbulb("Desk lamp", on=False, brightness=40, hue=12.5)
lock = LockMechanism("Front door")
room = Accessory("Room", services=[light, lock])


@light.setter
async def show(writes: Writes, caller: Caller) -> None:
    assert_type(writes[light.hue], float)
    assert_type(writes.get(light.brightness), int | None)
    assert_type(writes[lock.lock_target_state], LockTargetState)
    assert_type(writes.caller(light.on), Caller)
    writes.refuse(light.hue, HapStatus.NOT_ALLOWED)
    writes.refuse(light.hue, -70412)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    writes.answer(light.brightness, 5)
    writes[light.on].upper()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@room.getter
def fetch(reads: Reads, caller: Caller) -> None:
    reads[light.hue] = 1.5
    reads[light.on] = HapStatus.BUSY
    reads[lock.lock_target_state] = LockTargetState.SECURED
    reads[light.on] = "yes"  # type: ignore[misc] # pyright: ignore[reportArgumentType]


@room.setter  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def wrong(writes: Reads, caller: Caller) -> None: ...


@room.snapshot
async def take(wanted: SnapshotWanted, caller: Caller) -> bytes:
    assert_type(wanted.width, int)
    return b""


@room.snapshot  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def draw(wanted: SnapshotWanted, caller: Caller) -> str:
    return "a picture"


def elsewhere(server: hap_trio.AccessoryServer) -> None:
    server.call_soon(light.brightness.set, 5)
    server.call_soon(light.brightness.set, "5")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    server.call_soon(light.brightness.set)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


# --- a type of one's own: three lines ---------------------------------------------------------------------------------

PH = CharacteristicType("pH", "2E5B0001-6C1C-4B7E-9A4B-3D1F2A6C7E10", Metadata(Format.FLOAT, ["pr", "ev"]), float)
POOL = ServiceType("Pool", "2E5B0002-6C1C-4B7E-9A4B-3D1F2A6C7E10")
pool = Service(POOL, [Characteristic(PH, 7.2)], label="Pool")

assert_type(pool[PH], Characteristic[float])
assert_type(pool[PH].value, float)


class Pool(Service):
    ph = Has(PH)


assert_type(Pool(POOL, [Characteristic(PH, 7.2)]).ph, Characteristic[float])
pool[PH].value = "acid"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
