"""The GATT server over Bumble: what a central may do to it, and real controllers' transports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from bleak import BleakClient, BleakScanner
from bumble import att, hci
from bumble.controller import Controller
from bumble.core import UUID
from bumble.device import Connection, Device, Peer
from bumble.gatt_client import Client
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink
from tests.adapters.ble.table import (
    DATA,
    IDENTIFY_HANDLE,
    NAME,
    NAME_HANDLE,
    ON,
    ON_HANDLE,
    SCAN_RESPONSE,
    TABLE,
    Application,
    Stage,
    in_the_air,
    stage,
)

from hap_asyncio.ble.bumble import BumbleServer
from hap_asyncio.ble.peripheral import RadioError, largest_read
from hap_asyncio.ble.radio import open_radio, static_address, switch_on
from hap_asyncio.testing.radio import open_air
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.ble.uuids import CHARACTERISTIC_INSTANCE_ID, SERVICE_INSTANCE_ID

ADDRESS = "C1:02:03:04:05:06"


@asynccontextmanager
async def walking(here: Stage) -> AsyncGenerator[Peer, None]:
    """Bumble's own client, connected, with the table read."""
    device = await here.air.device("foreign")
    connection = await device.connect_le(hci.Address(here.server.address))
    async with Peer(connection) as peer:
        for service in peer.services:
            for one in service.characteristics:
                await one.discover_descriptors()
        yield peer
    if connection.handle in device.connections:
        await connection.disconnect()


def value_of(peer: Peer, uuid: str) -> int:
    """The handle of a characteristic's value."""
    return peer.get_characteristics_by_uuid(UUID(uuid))[0].handle


async def refused(client: Client, request: att.ATT_PDU) -> int:
    """The ATT error that a request gets."""
    response = await client.send_request(request)
    assert isinstance(response, att.ATT_Error_Response), response
    return int(response.error_code)


@in_the_air
async def test_a_foreign_client_walks_the_table():
    async with stage() as here, walking(here) as peer:
        found = [
            one
            for one in peer.services
            if str(one.uuid).upper().endswith("26BB765291") or len(one.uuid.uuid_bytes) == 16
        ]
        assert len(found) == len(TABLE)
        for service, expected in zip(found, TABLE, strict=True):
            first, *rest = service.characteristics
            assert first.uuid == UUID(SERVICE_INSTANCE_ID)
            assert int(first.properties) == 0x02
            assert await first.read_value() == expected.iid.to_bytes(2, "little")
            assert not first.descriptors
            assert [one.uuid for one in rest] == [UUID(one.uuid) for one in expected.characteristics]
            for one, wanted in zip(rest, expected.characteristics, strict=True):
                assert int(one.properties) == (0x2A if wanted.indicates else 0x0A)
                kinds = [descriptor.type for descriptor in one.descriptors]
                assert kinds == [UUID("2902")] * wanted.indicates + [UUID(CHARACTERISTIC_INSTANCE_ID)]
                assert await one.descriptors[-1].read_value() == wanted.iid.to_bytes(2, "little")


@in_the_air
async def test_long_reads_are_one_read():
    """HAP-BLE A.2.4: the rest of a value comes from what was read, in order, and never of another attribute."""
    async with stage(max_mtu=23) as here, walking(here) as peer:
        client, name, on = peer.gatt_client, value_of(peer, NAME), value_of(peer, ON)
        here.application.values[NAME_HANDLE] = bytes(range(50))

        async def blob(handle: int, offset: int) -> bytes:
            response = await client.send_request(
                att.ATT_Read_Blob_Request(attribute_handle=handle, value_offset=offset)
            )
            assert isinstance(response, att.ATT_Read_Blob_Response)
            return response.part_attribute_value

        def asking(handle: int, offset: int) -> att.ATT_PDU:
            return att.ATT_Read_Blob_Request(attribute_handle=handle, value_offset=offset)

        assert await refused(client, asking(name, 22)) == att.ATT_REQUEST_NOT_SUPPORTED_ERROR  # nothing was read
        first = await client.send_request(att.ATT_Read_Request(attribute_handle=name))
        assert first.attribute_value == bytes(range(22))
        here.application.values[NAME_HANDLE] = b"another"
        assert await refused(client, asking(name, 44)) == att.ATT_INVALID_OFFSET_ERROR
        assert await refused(client, asking(on, 22)) == att.ATT_REQUEST_NOT_SUPPORTED_ERROR
        assert await blob(name, 22) == bytes(range(22, 44))
        assert await blob(name, 44) == bytes(range(44, 50))
        assert await blob(name, 50) == b""  # who probes whether there is more
        assert [one[0] for one in here.application.log].count("read") == 1
        # A value of exactly one packet is probed, too.
        here.application.values[NAME_HANDLE] = bytes(22)
        await client.send_request(att.ATT_Read_Request(attribute_handle=name))
        assert await blob(name, 22) == b""
        # Another read is another value.
        await client.send_request(att.ATT_Read_Request(attribute_handle=on))
        assert await refused(client, asking(name, 22)) == att.ATT_REQUEST_NOT_SUPPORTED_ERROR


@in_the_air
async def test_what_may_not_be_written():
    async with stage() as here, walking(here) as peer:
        client = peer.gatt_client
        instance = peer.get_characteristics_by_uuid(UUID(SERVICE_INSTANCE_ID))[0].handle
        configuration = peer.get_characteristics_by_uuid(UUID(ON))[0].descriptors[0].handle

        def writing(handle: int, value: bytes) -> att.ATT_PDU:
            return att.ATT_Write_Request(attribute_handle=handle, attribute_value=value)

        assert await refused(client, writing(instance, b"\0\0")) == att.ATT_WRITE_NOT_PERMITTED_ERROR
        assert await refused(client, writing(configuration, b"\2")) == att.ATT_INVALID_ATTRIBUTE_LENGTH_ERROR
        assert await refused(client, writing(configuration, b"\1\0")) == att.ATT_REQUEST_NOT_SUPPORTED_ERROR
        assert await refused(client, writing(0xFFF0, b"")) == att.ATT_INVALID_HANDLE_ERROR
        assert not [one for one in here.application.log if one[0] in ("write", "subscribe")]


@in_the_air
async def test_commands_without_an_answer_come_to_nothing(caplog: pytest.LogCaptureFixture):
    """No characteristic has Write Without Response: nothing is written, nobody is told of an error."""
    async with stage() as here, walking(here) as peer:
        name = peer.get_characteristics_by_uuid(UUID(NAME))[0]
        instance = peer.get_characteristics_by_uuid(UUID(SERVICE_INSTANCE_ID))[0].handle
        configuration = peer.get_characteristics_by_uuid(UUID(ON))[0].descriptors[0].handle
        before = await name.read_value()
        push(
            peer.connection,
            *(
                att.ATT_Write_Command(attribute_handle=handle, attribute_value=value)
                for handle in (name.handle, instance, configuration, 0xFFF0)
                for value in (b"", b"\2\0", b"\1\0")
            ),
        )
        assert await name.read_value() == before
        assert not [one for one in here.application.log if one[0] in ("write", "subscribe")]
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


@in_the_air
async def test_what_gatt_does_not_allow_is_not_asked():
    async with stage() as here:
        table = [
            GattService(
                NAME,
                1,
                1,
                [
                    GattCharacteristic(ON, 2, ON_HANDLE, readable=False),
                    GattCharacteristic(NAME, 3, NAME_HANDLE, writable=False),
                ],
            )
        ]
        await here.server.publish(table, here.application)
        async with walking(here) as peer:
            reading = att.ATT_Read_Request(attribute_handle=value_of(peer, ON))
            assert await refused(peer.gatt_client, reading) == att.ATT_READ_NOT_PERMITTED_ERROR
            writing = att.ATT_Write_Request(attribute_handle=value_of(peer, NAME), attribute_value=b"1")
            assert await refused(peer.gatt_client, writing) == att.ATT_WRITE_NOT_PERMITTED_ERROR
        assert {one[0] for one in here.application.log} <= {"opened", "sizes", "closed"}


@pytest.mark.parametrize("code", [0x01, 0x05, 0x0E, 0x80])
@in_the_air
async def test_refusals_carry_the_code(code: int):
    async with stage() as here, walking(here) as peer:
        here.application.refused = code
        client = peer.gatt_client
        assert await refused(client, att.ATT_Read_Request(attribute_handle=value_of(peer, NAME))) == code
        write = att.ATT_Write_Request(attribute_handle=value_of(peer, NAME), attribute_value=b"1")
        assert await refused(client, write) == code
        configuration = peer.get_characteristics_by_uuid(UUID(ON))[0].descriptors[0].handle
        write = att.ATT_Write_Request(attribute_handle=configuration, attribute_value=b"\2\0")
        assert await refused(client, write) == code
        here.application.refused = 0
        await here.server.indicate(here.application.link, ON_HANDLE)  # it was refused, so there is nobody to tell


def push(connection: Connection, *requests: att.ATT_PDU) -> None:
    """Send without waiting for answers, which ATT does not allow."""
    for request in requests:
        connection.send_l2cap_pdu(att.ATT_CID, bytes(request))


@in_the_air
async def test_one_access_at_a_time():
    async with stage() as here, walking(here) as peer:
        name = value_of(peer, NAME)
        here.application.free.clear()
        push(peer.connection, *(att.ATT_Read_Request(attribute_handle=name) for _ in range(5)))
        await asyncio.sleep(0.05)
        assert here.application.busiest == 1
        here.application.free.set()
        while len([one for one in here.application.log if one[0] == "read"]) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert here.application.busiest == 1


@in_the_air
async def test_who_floods_is_dropped():
    async with stage() as here, walking(here) as peer:
        here.application.free.clear()
        push(peer.connection, *(att.ATT_Read_Request(attribute_handle=value_of(peer, NAME)) for _ in range(50)))
        await here.application.until("closed", 1)
        assert here.application.cancelled == 1
        assert len([one for one in here.application.log if one[0] == "read"]) == 1


@in_the_air
async def test_another_table_in_its_place():
    async with stage() as here:
        other = Application()
        other.values[IDENTIFY_HANDLE] = b"other"
        await here.server.publish([GattService(NAME, 7, 1, [GattCharacteristic(NAME, 8, IDENTIFY_HANDLE)])], other)
        async with walking(here) as peer:
            assert [one.uuid for one in peer.services[2:]] == [UUID(NAME)]
            assert await peer.get_characteristics_by_uuid(UUID(NAME))[0].read_value() == b"other"
        assert not here.application.log


@in_the_air
async def test_advertising_goes_on_after_each_link():
    """What was wanted meanwhile, not what was there before."""
    async with stage() as here:
        for number in range(3):
            async with walking(here):
                changed = DATA[:-1] + bytes([number])
                await here.server.advertise(changed, SCAN_RESPONSE, 0.16)
                assert not here.server.device.legacy_advertiser
            found = await BleakScanner.find_device_by_filter(
                lambda _, heard, data=changed: heard.manufacturer_data.get(0x4C) == data[-4:],
                timeout=5,
                backend=here.backend.scanner,
            )
            assert found is not None
        async with walking(here):
            await here.server.stop_advertising()
        assert await BleakScanner.discover(0.2, backend=here.backend.scanner) == []


@in_the_air
async def test_the_confirmation_of_an_indication_is_waited_for():
    async with stage() as here, walking(here) as peer:
        on = peer.get_characteristics_by_uuid(UUID(ON))[0]
        heard: list[bytes] = []
        await on.subscribe(heard.append)
        peer.gatt_client.send_confirmation = lambda _: None  # type: ignore[method-assign]
        telling = asyncio.ensure_future(here.server.indicate(here.application.link, ON_HANDLE))
        await asyncio.sleep(0.05)
        assert heard == [b""]
        assert not telling.done()
        await here.server.drop(here.application.link)
        with pytest.raises(RadioError):
            await telling


@in_the_air
async def test_a_controller_of_another_process():
    async with open_air() as air:
        port = await air.lend()
        backend = await air.bleak()
        application = Application()
        async with open_radio(f"tcp-client:127.0.0.1:{port}", address=ADDRESS, name="Lamp") as server:
            assert server.address == ADDRESS
            await server.publish(TABLE, application)
            await server.advertise(DATA, SCAN_RESPONSE, 0.1)
            async with BleakClient(ADDRESS, backend=backend.client) as client:
                assert await client.read_gatt_char(NAME) == b"Lamp"
        assert await BleakScanner.discover(0.2, backend=backend.scanner) == []


@pytest.mark.parametrize("name", ["nonsense:1", "usb", "tcp-client:127.0.0.1:1", "file:/nowhere/at/all"])
@in_the_air
async def test_controllers_that_are_not_there(name: str):
    with pytest.raises(RadioError, match="cannot open the Bluetooth controller"):
        async with open_radio(name, address=ADDRESS):
            raise AssertionError("there is no such thing")


@in_the_air
async def test_controllers_with_extended_advertising():
    """As most dongles of today: the same packets on the air by other commands."""
    link = LocalLink()

    async def device(name: str) -> Device:
        controller = Controller(name, link=link, public_address=f"00:00:00:00:00:0{name}")
        return await switch_on(controller, AsyncPipeSink(controller), f"F0:00:00:00:00:0{name}", name)

    accessory, central = await device("1"), await device("2")
    assert accessory.supports_le_extended_advertising
    server, application = BumbleServer(accessory), Application()
    await server.publish(TABLE, application)
    await server.advertise(DATA, SCAN_RESPONSE, 0.02)
    for number in range(1, 4):
        connection = await central.connect_le(hci.Address(server.address), timeout=5)
        async with Peer(connection) as peer:
            assert await peer.get_characteristics_by_uuid(UUID(NAME))[0].read_value() == b"Lamp"
            await server.advertise(DATA[:-1] + bytes([number]), SCAN_RESPONSE, 0.02)
        await server.drop(number)
        await application.until("closed", number)
    await server.aclose()
    assert accessory.legacy_advertising_set is None
    for one in (accessory, central):
        one.host.emit("flush")


def test_static_addresses():
    assert static_address(bytes.fromhex("010203040506")) == "C1:02:03:04:05:06"
    assert hci.Address(static_address(bytes(6))).is_static


@pytest.mark.parametrize(("mtu", "largest"), [(23, 512), (100, 512), (101, 99), (185, 183), (517, 512)])
def test_sizes_of_values(mtu: int, largest: int):
    assert largest_read(mtu) == largest
