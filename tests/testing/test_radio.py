"""The virtual air: unmodified bleak code meets a GATT server, as it would meet it over a real radio."""

from __future__ import annotations

import asyncio
import math

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.core import UUID
from bumble.device import Connection, Peer
from tests.adapters.ble.table import (
    DATA,
    FLAGS,
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

from hap_asyncio.ble.peripheral import RadioError
from hap_asyncio.testing.radio import open_air

SIZES = [0, 1, 19, 20, 21, 22, 23, 181, 182, 183, 184, 185, 254, 255, 256, 511, 512]


async def gone(client: BleakClient) -> None:
    while client.is_connected:  # noqa: ASYNC110 - what is tested tells in no other way
        await asyncio.sleep(0)


class Heard:
    """What a scanner hears, kept."""

    def __init__(self) -> None:
        self.all: list[tuple[BLEDevice, AdvertisementData]] = []
        self._news = asyncio.Event()

    def __call__(self, device: BLEDevice, data: AdvertisementData) -> None:
        self.all.append((device, data))
        self._news.set()

    async def more(self, count: int) -> None:
        wanted = len(self.all) + count
        while len(self.all) < wanted:
            self._news.clear()
            await self._news.wait()


@in_the_air
async def test_a_scan_shows_what_is_advertised():
    async with stage() as here:
        heard = Heard()
        async with BleakScanner(heard, backend=here.backend.scanner):
            await heard.more(4)
        device, data = heard.all[-1]
        assert device.address == here.server.address
        assert data.manufacturer_data == {0x4C: b"\x06\x31\x00\x01"}
        assert data.local_name == "Lamp"
        assert data.rssi == -50
        before = len(heard.all)
        await asyncio.sleep(0.1)
        assert len(heard.all) == before  # the scanner was stopped


@in_the_air
async def test_scan_responses_are_for_active_scans_only():
    async with stage() as here:
        heard = Heard()
        async with BleakScanner(heard, scanning_mode="passive", backend=here.backend.scanner):
            await heard.more(4)
        assert {data.local_name for _, data in heard.all} == {None}


@in_the_air
async def test_a_changed_payload_is_heard():
    async with stage() as here:
        heard = Heard()
        async with BleakScanner(heard, backend=here.backend.scanner):
            await heard.more(2)
            await here.server.advertise(FLAGS + b"\x05\xff\x4c\x00\x11\x77", b"", 0.16)
            await heard.more(4)
            assert heard.all[-1][1].manufacturer_data == {0x4C: b"\x11\x77"}
            assert heard.all[-1][1].local_name is None
            await here.server.stop_advertising()
            await asyncio.sleep(0)
            before = len(heard.all)
            await asyncio.sleep(0.1)
            assert len(heard.all) == before


@in_the_air
async def test_scanners_share_an_adapter():
    async with stage() as here:
        one, other = Heard(), Heard()
        async with BleakScanner(one, backend=here.backend.scanner):
            async with BleakScanner(other, backend=here.backend.scanner):
                await other.more(2)
            await one.more(2)
        assert one.all
        assert other.all


@in_the_air
async def test_a_filter_for_services_is_kept():
    uuid = "0000feed-0000-1000-8000-00805f9b34fb"
    async with stage() as here:
        await here.server.advertise(FLAGS + b"\x03\x03\xed\xfe", b"", 0.16)
        other = await here.air.peripheral("other")
        await other.publish(TABLE, Application())
        await other.advertise(DATA, b"", 0.16)
        heard = Heard()
        async with BleakScanner(heard, service_uuids=[uuid], backend=here.backend.scanner):
            await heard.more(4)
        assert {data.service_uuids[0] for _, data in heard.all} == {uuid}


@in_the_air
async def test_duplicates_are_filtered_for_hosts_that_ask():
    async with stage() as here:
        device = await here.air.device("host")
        reports: list[bytes] = []
        device.host.on("advertising_report", lambda report: reports.append(report.data))
        await device.start_scanning(filter_duplicates=True)
        await asyncio.sleep(0.15)
        assert reports == [DATA, SCAN_RESPONSE]
        await here.server.advertise(FLAGS, SCAN_RESPONSE, 0.16)
        await asyncio.sleep(0.15)
        assert reports == [DATA, SCAN_RESPONSE, FLAGS]
        await device.stop_scanning()


@pytest.mark.parametrize(("data", "response"), [(bytes(32), b""), (b"", bytes(32))])
@in_the_air
async def test_more_than_31_bytes_are_refused(data: bytes, response: bytes):
    async with stage() as here:
        with pytest.raises(RadioError, match="31"):
            await here.server.advertise(data, response, 0.16)
        # Not only by us: the controller itself does not take them.
        with pytest.raises(hci.HCI_Error):
            await here.server.device.start_advertising(advertising_data=data, scan_response_data=response)


@in_the_air
async def test_the_interval_is_real_unless_it_is_limited():
    async with open_air(interval=math.inf) as air:
        server = await air.peripheral()
        await server.publish(TABLE, Application())
        device = await air.device("host")
        times: list[float] = []
        device.host.on("advertising_report", lambda _: times.append(asyncio.get_running_loop().time()))
        await device.start_scanning(active=False)
        await server.advertise(DATA, b"", 0.1)
        while len(times) < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        assert times[2] - times[0] >= 0.19


@pytest.mark.parametrize("like_bluez", [False, True])
@pytest.mark.parametrize(("mtu", "writes"), [(23, 20), (185, 182), (517, 514)])
@in_the_air
async def test_values_of_every_size(mtu: int, writes: int, like_bluez: bool):
    async with stage(max_mtu=mtu, like_bluez=like_bluez) as here:  # noqa: SIM117 - too long for one line
        async with BleakClient(await here.find(), backend=here.backend.client) as client:
            characteristic = client.services.get_characteristic(NAME)
            assert characteristic.max_write_without_response_size == writes
            for size in SIZES:
                here.application.values[NAME_HANDLE] = value = bytes(index % 251 for index in range(size))
                here.application.log.clear()
                assert await client.read_gatt_char(NAME) == value
                await client.write_gatt_char(NAME, value[::-1], response=True)
                assert here.application.values[NAME_HANDLE] == value[::-1]
                assert [one[0] for one in here.application.log] == ["read", "write"]  # one each, however long
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(NAME, bytes(513), response=True)
            assert refused.value.code == 0x0D


@pytest.mark.parametrize("mtu", [23, 185, 517])
@in_the_air
async def test_the_mtu_is_agreed(mtu: int):
    async with stage(max_mtu=mtu) as here, BleakClient(await here.find(), backend=here.backend.client) as client:
        assert client.mtu_size == mtu


@in_the_air
async def test_connecting_by_address():
    async with stage() as here:
        async with BleakClient(here.server.address, backend=here.backend.client) as client:
            assert await client.read_gatt_char(NAME) == b"Lamp"
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient("F0:00:00:00:00:00", timeout=0.2, backend=here.backend.client).connect()


@in_the_air
async def test_as_the_platform_for_code_without_a_backend():
    async with stage() as here:
        with here.backend.as_platform():
            device = await BleakScanner.find_device_by_address(here.server.address)
            async with BleakClient(device) as client:
                assert await client.read_gatt_char(ON) == b"\x01"
        assert not isinstance(BleakClient("F0:00:00:00:00:00")._backend, here.backend.client)


@in_the_air
async def test_descriptors():
    async with stage() as here, BleakClient(await here.find(), backend=here.backend.client) as client:
        found = client.services.get_characteristic(NAME).descriptors
        assert [one.uuid for one in found] == ["dc46f0fe-81d2-4616-b5d9-6abdd796939a"]
        assert await client.read_gatt_descriptor(found[0]) == b"\x32\x01"
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_descriptor(found[0], b"\x00\x00")
        assert refused.value.code == 0x03


@in_the_air
async def test_indications():
    async with stage() as here, BleakClient(await here.find(), backend=here.backend.client) as client:
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        await here.server.indicate(here.application.link, ON_HANDLE)  # nobody wants it yet
        await client.start_notify(ON, lambda _, data: heard.put_nowait(bytes(data)))
        await here.server.indicate(here.application.link, ON_HANDLE)
        assert await heard.get() == b""
        await client.stop_notify(ON)
        await here.server.indicate(here.application.link, ON_HANDLE)
        assert heard.empty()
        asked = [one[2:] for one in here.application.log if one[0] == "subscribe"]
        assert asked == [(ON_HANDLE, True), (ON_HANDLE, False)]


@in_the_air
async def test_the_disconnected_callback():
    async with stage() as here:
        ended: list[BleakClient] = []
        client = BleakClient(await here.find(), disconnected_callback=ended.append, backend=here.backend.client)
        await client.connect()
        await here.server.drop(here.application.link)
        await gone(client)
        assert ended == [client]
        with pytest.raises(BleakError):
            await client.read_gatt_char(NAME)
        await client.connect()
        assert await client.read_gatt_char(NAME) == b"Lamp"
        await client.disconnect()
        assert ended == [client, client]


@pytest.mark.parametrize("like_bluez", [False, True])
@in_the_air
async def test_dropped_in_mid_read(like_bluez: bool):
    async with stage(like_bluez=like_bluez) as here:  # noqa: SIM117 - as above
        async with BleakClient(await here.find(), backend=here.backend.client) as client:
            here.application.free.clear()
            reading = asyncio.ensure_future(client.read_gatt_char(NAME))
            await here.application.until("read", here.application.link, NAME_HANDLE)
            await here.server.drop(here.application.link)
            with pytest.raises(BleakError) as lost:
                await reading
            assert (getattr(lost.value, "code", None) == 0x0E) is like_bluez
            assert here.application.cancelled == 1


async def nobody(here: Stage) -> BLEDevice:
    """Found, and then gone."""
    device = await here.find()
    await here.server.stop_advertising()
    return device


@in_the_air
async def test_a_connection_attempt_that_times_out():
    async with stage() as here:
        device = await nobody(here)
        with pytest.raises(TimeoutError):
            await BleakClient(device, timeout=0.1, backend=here.backend.client).connect()
        await here.server.advertise(DATA, b"", 0.16)
        async with BleakClient(device, backend=here.backend.client) as client:  # nothing is left of it
            assert client.is_connected


@in_the_air
async def test_a_host_hears_that_its_attempt_was_cancelled():
    async with stage() as here:
        await here.server.stop_advertising()
        device = await here.air.device("host")
        started = asyncio.get_running_loop().time()
        with pytest.raises(core.TimeoutError):
            await device.connect_le(hci.Address(here.server.address), timeout=0.05)
        assert asyncio.get_running_loop().time() - started < 1
        with pytest.raises(hci.HCI_Error):  # there is nothing to cancel any more
            await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
        await here.server.advertise(DATA, b"", 0.16)
        assert await device.connect_le(hci.Address(here.server.address), timeout=5)


@in_the_air
async def test_a_cancelled_connection_attempt():
    async with stage() as here:
        device = await nobody(here)
        attempt = asyncio.ensure_future(BleakClient(device, backend=here.backend.client).connect())
        await asyncio.sleep(0.05)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await here.server.advertise(DATA, b"", 0.16)
        async with BleakClient(device, backend=here.backend.client) as client:
            assert client.is_connected


@pytest.mark.parametrize("turns", range(0, 60, 3))
@in_the_air
async def test_an_attempt_cancelled_at_any_step_leaves_nothing(turns: int):
    async with stage() as here:
        device = await here.find()
        client = BleakClient(device, backend=here.backend.client)
        attempt = asyncio.ensure_future(client.connect())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        attempt.cancel()
        await asyncio.wait([attempt])
        if not attempt.cancelled():
            await client.disconnect()
        async with BleakClient(device, backend=here.backend.client) as client:
            assert await client.read_gatt_char(NAME) == b"Lamp"


@in_the_air
async def test_a_cancelled_read_does_not_spoil_the_next():
    async with stage() as here, BleakClient(await here.find(), backend=here.backend.client) as client:
        here.application.free.clear()
        reading = asyncio.ensure_future(client.read_gatt_char(NAME))
        await here.application.until("read", here.application.link, NAME_HANDLE)
        reading.cancel()
        await asyncio.wait([reading])
        here.application.free.set()
        assert await client.read_gatt_char(ON) == b"\x01"


@in_the_air
async def test_a_fresh_connection_can_be_lost():
    async with stage() as here:
        device = await here.find()
        here.air.lose_connections(1)
        with pytest.raises(BleakError, match="failed to discover services, device disconnected"):
            await BleakClient(device, backend=here.backend.client).connect()
        async with BleakClient(device, backend=here.backend.client) as client:
            assert client.is_connected


@in_the_air
async def test_a_radio_that_vanishes():
    async with stage() as here, BleakClient(await here.find(), backend=here.backend.client) as client:
        here.air.vanish(here.server.device)
        with pytest.raises(BleakError):
            await client.read_gatt_char(NAME)
        assert not client.is_connected
        await here.application.until("closed", here.application.link)
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient(here.server.address, timeout=0.2, backend=here.backend.client).connect()
        here.air.come_back(here.server.device)
        await client.connect()
        assert await client.read_gatt_char(NAME) == b"Lamp"


@in_the_air
async def test_a_dongle_that_is_pulled_out(caplog: pytest.LogCaptureFixture):
    async with stage() as here, BleakClient(await here.find(), backend=here.backend.client) as client:
        here.air.unplug(here.server.device)
        await here.application.until("closed", here.application.link)
        with pytest.raises(RadioError, match="gone"):
            await here.server.advertise(DATA, b"\0", 0.16)
        with pytest.raises(BleakError):
            await client.read_gatt_char(NAME)
    assert "the Bluetooth controller is gone" in [one.getMessage() for one in caplog.records]


@in_the_air
async def test_of_two_that_answer_one_advertisement_the_first_is_connected():
    async with stage() as here:
        other = await here.air.bleak()
        one = BleakClient(await here.find(), timeout=0.3, backend=here.backend.client)
        two = BleakClient(await here.find(), timeout=0.3, backend=other.client)
        joined: list[Connection] = []
        for backend in (here.backend, other):
            backend.client.adapter.device.on("connection", joined.append)
        results = await asyncio.gather(one.connect(), two.connect(), return_exceptions=True)
        assert len(joined) == 1  # the other was not led to believe so, either
        assert sorted(type(one).__name__ for one in results) == ["NoneType", "TimeoutError"]
        assert here.application.log[0][:2] == ("opened", 1)
        winner = one if one.is_connected else two
        await winner.disconnect()


@in_the_air
async def test_many_accessories_and_many_computers():
    async with open_air() as air:
        applications = [Application() for _ in range(4)]
        servers = [await air.peripheral(f"lamp {number}") for number in range(4)]
        for number, (server, application) in enumerate(zip(servers, applications, strict=True)):
            await server.publish(TABLE, application)
            await server.advertise(FLAGS + bytes((4, 0xFF, 0x4C, 0, number)), b"", 0.16)

        async def visit(server: str, number: int) -> None:
            backend = await air.bleak()
            async with BleakClient(server, backend=backend.client) as client:
                await client.write_gatt_char(NAME, bytes([number]) * 300, response=True)
                assert await client.read_gatt_char(NAME) == bytes([number]) * 300

        await asyncio.gather(*(visit(server.address, number) for number, server in enumerate(servers)))
        assert [one.values[NAME_HANDLE][:1] for one in applications] == [b"\0", b"\1", b"\2", b"\3"]


@in_the_air
async def test_a_foreign_client_walks_the_table():
    """Bumble's own GATT client, from a public address: data must come from the address that connected."""
    async with stage() as here:
        device = await here.air.device("foreign")
        address = hci.Address(here.server.address)
        connection = await device.connect_le(address, own_address_type=hci.OwnAddressType.PUBLIC)
        async with Peer(connection) as peer:
            assert await peer.request_mtu(185) == 185
            name = peer.get_characteristics_by_uuid(UUID(NAME))[0]
            assert await name.read_value() == b"Lamp"
        await connection.disconnect()
        await here.application.until("closed", here.application.link)


@in_the_air
async def test_an_advertisement_without_sense_is_heard():
    async with stage() as here:
        await here.server.advertise(b"\x05\xff\x4c", b"\xff", 0.16)
        heard = Heard()
        async with BleakScanner(heard, backend=here.backend.scanner):
            await heard.more(2)
        assert heard.all[-1][1].manufacturer_data == {}
