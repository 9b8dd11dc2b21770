"""Bumble's GATT client against our accessory: a foreign client walks the table and speaks PDUs by hand."""

from __future__ import annotations

import asyncio
import contextlib

from bumble import att, hci
from bumble.core import UUID
from bumble.device import Peer
from bumble.gatt_client import CharacteristicProxy
from tests.adapters.ble.home import Home, open_home
from tests.adapters.ble.table import in_the_air

from hapcore.ble import uuids
from hapcore.codec.pdu import Opcode, PduStatus, Request, Response, ResponseReader, write_request
from hapcore.model.uuid import SERVICE_SIGNATURE

LIMIT = 512


async def connect(home: Home) -> Peer:
    """A central with the table read."""
    device = await home.air.device("foreign")
    peer = Peer(await device.connect_le(hci.Address(home.radio.address)))
    await peer.discover_all()
    for service in peer.services:
        for one in service.characteristics:
            await one.discover_descriptors()
    return peer


async def ask(one: CharacteristicProxy, request: Request) -> Response:
    """One procedure."""
    for fragment in write_request(request, LIMIT):
        await one.write_value(fragment, with_response=True)
    reader = ResponseReader(request.tid)
    response = None
    while response is None:
        response = reader.feed(await one.read_value())
    return response


async def number(one: CharacteristicProxy) -> int:
    """The instance id in the descriptor of a characteristic."""
    return int.from_bytes(await one.get_descriptor(UUID(uuids.CHARACTERISTIC_INSTANCE_ID)).read_value(), "little")


@in_the_air
async def test_the_whole_table():
    """Numbers are those of the database, and unique; what only Bluetooth has is there, too."""
    async with open_home() as home:
        peer = await connect(home)
        found: dict[int, UUID] = {}
        for service in peer.services[2:]:
            first, *rest = service.characteristics
            assert first.uuid == UUID(uuids.SERVICE_INSTANCE_ID)
            numbered = [(int.from_bytes(await first.read_value(), "little"), service.uuid)]
            numbered += [(await number(one), one.uuid) for one in rest]
            assert not found.keys() & dict(numbered).keys()
            found.update(numbered)
        assert min(found) == 1
        for service in home.server.database.accessories[0].services:
            assert found[service.iid] == UUID(service.type.uuid)
            for one in service.characteristics:
                assert found[one.iid] == UUID(one.type.uuid)
        assert {UUID(uuids.PAIR_SETUP), UUID(uuids.PAIR_VERIFY), UUID(uuids.PAIRING_PAIRINGS)} <= set(found.values())
        await peer.connection.disconnect()


@in_the_air
async def test_signatures_in_clear():
    """Every signature can be read before pairing (HAP-BLE A.5.1), values cannot."""
    async with open_home() as home:
        peer = await connect(home)
        on = peer.get_characteristics_by_uuid(UUID(home.lamp.on.type.uuid))[0]
        iid = await number(on)
        assert iid == home.lamp.on.iid
        signature = await ask(on, Request(Opcode.CHARACTERISTIC_SIGNATURE_READ, 1, iid))
        assert signature.status == PduStatus.SUCCESS
        assert signature.body
        value = await ask(on, Request(Opcode.CHARACTERISTIC_READ, 2, iid))
        assert value.status in (PduStatus.INSUFFICIENT_AUTHENTICATION, PduStatus.UNSUPPORTED_PDU)
        assert not value.body
        wrong = await ask(on, Request(Opcode.CHARACTERISTIC_SIGNATURE_READ, 3, iid + 1))
        assert wrong.status == PduStatus.INVALID_INSTANCE_ID
        for service in peer.services:
            for one in service.get_characteristics_by_uuid(UUID(SERVICE_SIGNATURE)):
                answer = await ask(one, Request(Opcode.CHARACTERISTIC_SIGNATURE_READ, 4, await number(one)))
                assert answer.status == PduStatus.SUCCESS
        await peer.connection.disconnect()


@in_the_air
async def test_nonsense_ends_the_link_in_order():
    """What is no PDU is refused, the link is dropped, and the next one is as good as any."""
    async with open_home() as home:
        peer = await connect(home)
        on = peer.get_characteristics_by_uuid(UUID(home.lamp.on.type.uuid))[0]
        gone = asyncio.Event()
        peer.connection.on("disconnection", lambda _: gone.set())
        with contextlib.suppress(att.ATT_Error):  # whether it comes to that, the link decides
            await on.write_value(b"\xff\xff\xff", with_response=True)
            await on.read_value()
        await gone.wait()
        again = await connect(home)
        assert await number(again.get_characteristics_by_uuid(UUID(home.lamp.on.type.uuid))[0]) == home.lamp.on.iid
        await again.connection.disconnect()


@in_the_air
async def test_small_mtus_make_long_reads():
    async with open_home(max_mtu=23) as home:
        peer = await connect(home)
        assert await peer.request_mtu(23) == 23
        on = peer.get_characteristics_by_uuid(UUID(home.lamp.brightness.type.uuid))[0]
        signature = await ask(on, Request(Opcode.CHARACTERISTIC_SIGNATURE_READ, 9, await number(on)))
        assert len(signature.body) > 22
        await peer.connection.disconnect()
