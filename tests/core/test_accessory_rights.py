"""Who may do what: every set of permissions, every operation, admins and others, both transports (HAP 9.1, 9.2)."""

from __future__ import annotations

import json
from itertools import combinations, product

import pytest
from tests.core.accessory_rig import Rig, kind
from tests.core.ble_rig import ADMIN, USER, Refused
from tests.core.ble_rig import Rig as BleRig

from hapcore.ble.accessory.broadcasts import Interval
from hapcore.ble.advert import EncryptedAdvert
from hapcore.codec.pdu import Opcode, PduStatus
from hapcore.codec.tlv8 import encode
from hapcore.ids import HapStatus
from hapcore.ip.accessory import AnswerWrite, UpdateValues, WriteRequested
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.database import Database
from hapcore.model.metadata import Format
from hapcore.model.service import Service, ServiceType

PERMS = ("pr", "pw", "ev", "aa", "tw", "wr")
#: Every set that is possible: to be timed, or to answer with a value, it has to be writable.
SETS = [
    frozenset(some)
    for size in range(len(PERMS) + 1)
    for some in combinations(PERMS, size)
    if "pw" in some or not {"tw", "wr"} & set(some)
]
#: Only admins may: nothing, read, write, either.
RESERVED = list(product((False, True), repeat=2))
KEPT = 7


def thing():
    """A service for each way of reserving, with a characteristic for each set of permissions."""
    services = []
    made = {}
    for at, (reading, writing) in enumerate(RESERVED):
        service = Service(
            ServiceType(f"Reserved {at}", f"AD00FF{at:02X}-0000-4000-8000-000000000000"), key=str(at), iid=0x100 + at
        )
        for number, perms in enumerate(SETS):
            one = Characteristic(
                kind(f"{' '.join(sorted(perms))}", at * 256 + number, Format.UINT8, " ".join(perms), int),
                KEPT,
                admin_only_read=reading,
                admin_only_write=writing,
                iid=0x200 + 0x100 * at + number,
            )
            made[service.add(one)] = (perms, reading, writing)
        services.append(service)
    return Accessory("Thing", services=services), made


def reading(perms, admin_reads, admin_writes, admin):
    if admin_reads and not admin:
        return HapStatus.INSUFFICIENT_PRIVILEGES
    return HapStatus.SUCCESS if "pr" in perms else HapStatus.WRITE_ONLY


def watching(perms, admin_reads, admin_writes, admin):
    if admin_reads and not admin:
        return HapStatus.INSUFFICIENT_PRIVILEGES
    return HapStatus.SUCCESS if "ev" in perms else HapStatus.NOTIFICATION_NOT_SUPPORTED


def writing(perms, admin_reads, admin_writes, admin, *, timed=False, response=False):
    if "tw" in perms and not timed:
        return HapStatus.INVALID_VALUE
    # Who asks for the value back reads it, and where it may always come back, every write is a read.
    if not admin and (admin_writes or (admin_reads and ("wr" in perms or response))):
        return HapStatus.INSUFFICIENT_PRIVILEGES
    if "pw" not in perms:
        return HapStatus.READ_ONLY
    # Nobody is there to judge what authorizes it.
    return HapStatus.INSUFFICIENT_AUTHORIZATION if "aa" in perms else HapStatus.SUCCESS


def wrong(made, admin, found, expected):
    """What came out as the table does not have it."""
    return {
        (*map(str, sorted(made[one][0])), *made[one][1:]): (HapStatus(found[one]), expected(*made[one], admin))
        for one in made
        if found[one] != expected(*made[one], admin)
    }


@pytest.fixture
def served():
    accessory, made = thing()
    return Rig(accessories=[accessory]), made


def by_entry(answer, made):
    found = {one.iid: HapStatus.SUCCESS for one in made}
    if answer.body:
        found |= {one["iid"]: HapStatus(one.get("status", 0)) for one in json.loads(answer.body)["characteristics"]}
    return {one: found[one.iid] for one in made}


def test_the_table_is_whole():
    assert (len(SETS), len(thing()[1])) == (8 + 32, 4 * 40)


@pytest.mark.parametrize("admin", [True, False])
def test_reading_over_ip(served, admin):
    rig, made = served
    line = rig.session(admin=admin)
    assert not wrong(made, admin, by_entry(line.get(*(f"1.{one.iid}" for one in made)), made), reading)
    database = json.loads(line.ask("GET", "/accessories").body)
    shown = {
        one["iid"]: one.get("value")
        for accessory in database["accessories"]
        for service in accessory["services"]
        for one in service["characteristics"]
    }
    allowed = {one for one in made if not reading(*made[one], admin)}
    assert {one for one in made if shown[one.iid] is not None} == allowed


@pytest.mark.parametrize("admin", [True, False])
def test_watching_over_ip(served, admin):
    rig, made = served
    line = rig.session(admin=admin)
    answer = line.put(*({"aid": 1, "iid": one.iid, "ev": True} for one in made))
    assert not wrong(made, admin, by_entry(answer, made), watching)
    rig.submit(UpdateValues({one.id: 9 for one in made}))
    told = {entry["iid"] for message in line.events() for entry in message}
    assert told == {one.iid for one in made if not watching(*made[one], admin)}


@pytest.mark.parametrize("admin", [True, False])
@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("response", [True, False])
def test_writing_over_ip(served, admin, timed, response):
    rig, made = served
    line = rig.session(admin=admin)
    more = {}
    if timed:
        line.ask("PUT", "/prepare", {"ttl": 1000, "pid": 11})
        more = {"pid": 11}
    entry = {"value": 8, **({"r": True} if response else {})}
    found = by_entry(line.put(*({"aid": 1, "iid": one.iid, **entry} for one in made), **more), made)

    def expected(*row):
        status = writing(*row, timed=timed, response=response)
        # The write stands: only the wish to have the value back is refused.
        return HapStatus.WRITE_ONLY if not status and response and "wr" not in row[0] else status

    assert not wrong(made, admin, found, expected)
    written = {one for one in made if one.value != KEPT}
    assert written == {one for one in made if not writing(*made[one], admin, timed=timed, response=response)}


@pytest.fixture
def on_air():
    accessory, made = thing()
    return BleRig(Database([accessory])), made


def central(rig, admin):
    return rig.connect().verify(ADMIN if admin else USER)


def pdu(status, perms, needed):
    """The status over Bluetooth LE: what is not there at all is no request, the rest is said in few words."""
    if status is HapStatus.INSUFFICIENT_PRIVILEGES:
        return PduStatus.INSUFFICIENT_AUTHENTICATION
    if status is HapStatus.INSUFFICIENT_AUTHORIZATION:
        return PduStatus.INSUFFICIENT_AUTHORIZATION
    if status is HapStatus.SUCCESS:
        return PduStatus.SUCCESS
    return PduStatus.INVALID_REQUEST if needed in perms else PduStatus.UNSUPPORTED_PDU


def differences(made, found, expected):
    return {
        (*sorted(made[one][0]), *made[one][1:]): (PduStatus(found[one]), expected(one))
        for one in made
        if found[one] != expected(one)
    }


@pytest.mark.parametrize("admin", [True, False])
def test_reading_over_bluetooth(on_air, admin):
    rig, made = on_air
    line = central(rig, admin)
    found = {one: line.ask(one.iid, Opcode.CHARACTERISTIC_READ)[0] for one in made}

    def expected(one):
        perms = made[one][0]
        # Here it is asked first whether there is anything to read.
        return PduStatus.UNSUPPORTED_PDU if "pr" not in perms else pdu(reading(*made[one], admin), perms, "pr")

    assert not differences(made, found, expected)


@pytest.mark.parametrize("admin", [True, False])
@pytest.mark.parametrize("timed", [True, False])
def test_writing_over_bluetooth(on_air, admin, timed):
    rig, made = on_air
    line = central(rig, admin)
    body = encode([(1, b"\x08"), *([(8, b"\x64")] if timed else [])])
    found = {}
    for one in made:
        if timed:
            status = line.ask(one.iid, Opcode.CHARACTERISTIC_TIMED_WRITE, body)[0]
            if not status:
                status = line.ask(one.iid, Opcode.CHARACTERISTIC_EXECUTE_WRITE)[0]
        else:
            status = line.ask(one.iid, Opcode.CHARACTERISTIC_WRITE, body)[0]
        found[one] = status

    def allowed(one):
        perms, admin_reads, admin_writes = made[one]
        # A write does not bring the value back unless it is asked to.
        return writing(perms - {"wr"}, admin_reads, admin_writes, admin, timed=timed)

    def expected(one):
        perms = made[one][0]
        if "pw" not in perms:
            return PduStatus.UNSUPPORTED_PDU
        if not admin and made[one][2]:
            return PduStatus.INSUFFICIENT_AUTHENTICATION
        return pdu(allowed(one), perms, "pw")

    assert not differences(made, found, expected)
    assert {one for one in made if one.value != KEPT} == {one for one in made if not allowed(one)}


@pytest.mark.parametrize("admin", [True, False])
def test_a_value_does_not_come_back_to_who_must_not_read_it_over_bluetooth(on_air, admin):
    rig, made = on_air
    asked = [one for one, (perms, *_) in made.items() if {"pr", "pw"} <= perms and not {"aa", "tw"} & perms]
    for one in asked[::2]:
        one.setter(lambda value, caller: 99)  # the answer of a setter is a value too
    line = central(rig, admin)
    found, read = {}, set()
    for one in asked:
        line.send(one.iid, Opcode.CHARACTERISTIC_WRITE, encode([(1, b"\x08"), (9, b"\x01")]))
        line.begin_read(one.iid)
        for event in rig.told(WriteRequested):
            rig.submit(AnswerWrite(event.request, values={one.id: 99}))
        rig.events.clear()
        (reply,) = rig.replies
        rig.replies.clear()
        response = line.read_cipher.open(reply.data)
        found[one], body = response[2], response[3:]
        if body:
            read.add(one)
    denied = {one for one in asked if not admin and any(made[one][1:])}
    assert {one for one in asked if found[one]} == denied
    assert read == set(asked) - denied
    assert all(one.value == KEPT for one in denied), "what is refused is not done either"


@pytest.mark.parametrize("reserved", [True, False])
@pytest.mark.parametrize("admin", [True, False])
def test_what_only_admins_may_read_is_not_broadcast(admin, reserved):
    """All controllers have the same key: whoever has it reads what is on the air."""
    told = kind("Told", 1, Format.UINT8, "pr ev bn", int)
    one = Characteristic(told, KEPT, admin_only_read=reserved, iid=0x200)
    rig = BleRig(Database([Accessory("Thing", services=[Service(ServiceType("Own", told.uuid), [one], iid=0x100)])]))
    line = central(rig, admin)
    configured, _ = line.ask(one.iid, Opcode.CHARACTERISTIC_CONFIGURATION, encode([(1, b"\x01\x00")]))
    assert configured == (PduStatus.INVALID_REQUEST if reserved else PduStatus.SUCCESS)
    assert one.iid not in rig.engine.broadcasts.settings or not reserved
    # One that was configured when everybody might read it.
    rig.engine.broadcasts.configure(one.iid, Interval.FAST)
    cell = next(each for each in rig.engine.table.cells.values() if each.protocol)
    assert line.ask(cell.iid, Opcode.PROTOCOL_CONFIGURATION, encode([(1, b"")]), target=cell.service_iid)[0] == 0
    line.close()
    rig.adverts.clear()
    rig.submit(UpdateValues({one.id: 9}))
    assert isinstance(rig.on_air, EncryptedAdvert) is not reserved


@pytest.mark.parametrize("admin", [True, False])
def test_watching_over_bluetooth(on_air, admin):
    rig, made = on_air
    line = central(rig, admin)
    for one in made:
        if "ev" in made[one][0]:
            line.subscribe(one.iid)
        else:
            with pytest.raises(Refused):
                line.subscribe(one.iid)
    rig.submit(UpdateValues({one.id: 9 for one in made}))
    told = set()
    while rig.indications:
        told.update(rig.indications)
        rig.indications.clear()
        line.confirm()
    # What can be told but not read is told: the indication is empty, and reading after it is refused.
    handles = {line.handle(one.iid) for one in made if not watching(*made[one], admin)}
    assert told == handles
