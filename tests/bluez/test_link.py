"""A link carried out over BlueZ, by hand: what only real hosts do."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from tests.adapters.ble.table import DATA, NAME, NAME_HANDLE, ON, ON_HANDLE, SCAN_RESPONSE, TABLE, Application, Stage
from tests.adapters.ble.test_central import Bench
from tests.bluez.rig import address, on_bluez

from hap_asyncio.ble.central import open_central
from hap_asyncio.ble.link import _max_write as max_write
from hap_asyncio.ble.peripheral import largest_read
from hap_asyncio.testing.radio import Air
from hapcore.ble.controller.effects import GattDisconnect, GattRead, GattReadDescriptor, GattSubscribe, GattWrite
from hapcore.ble.controller.inputs import GattResult
from hapcore.ble.gatt import MAX_ATTRIBUTE
from hapcore.ble.uuids import CHARACTERISTIC_INSTANCE_ID

SIZES = [0, 1, 19, 20, 21, 22, 23, 181, 182, 183, 184, 185, 254, 255, 256, 511, 512]


@asynccontextmanager
async def open_bench(air: Air, mtu: int = 517) -> AsyncGenerator[Bench, None]:
    """A GATT server with a small table, and a link to it over BlueZ that is connected."""
    server = await air.peripheral("Lamp", address(), max_mtu=mtu)
    application = Application()
    await server.publish(TABLE, application)
    await server.advertise(DATA, SCAN_RESPONSE, 0.16)
    async with open_central() as central:
        bench = Bench(Stage(air, server, application, None), central)  # type: ignore[arg-type]
        try:
            assert (await bench.connect()).error is None
            yield bench
        finally:
            await bench.link.aclose()


@pytest.mark.parametrize("mtu", [23, 185, 517])
@on_bluez
async def test_sizes(air: Air, mtu: int) -> None:
    """Both sides know what fits into a packet, whatever bleak says of the MTU; what does not fit is asked for once."""
    async with open_bench(air, mtu) as bench:
        application, name = bench.here.application, bench.engine.handle(NAME)
        assert bench.link._client is not None
        assert max_write(bench.link._client) == mtu - 3
        sizes = [one[2:] for one in application.log if one[0] in ("opened", "sizes")][-1]
        assert sizes == (largest_read(mtu), MAX_ATTRIBUTE)
        for size in SIZES:
            application.log.clear()
            value = bytes(range(256)) * 2
            assert await bench.do(GattWrite(2, name, value[:size])) == GattResult(2)
            assert await bench.do(GattRead(3, name)) == GattResult(3, value[:size])
            link = bench.here.server.links
            assert application.log == [("write", link, NAME_HANDLE, value[:size]), ("read", link, NAME_HANDLE)]


@on_bluez
async def test_the_table(air: Air) -> None:
    async with open_bench(air) as bench:
        found = sorted((one for one in bench.engine.table if one.iid_handle), key=lambda one: one.handle)
        assert [one.uuid for one in found] == [one.uuid for one in TABLE]
        for service, wanted in zip(found, TABLE, strict=True):
            read = await bench.do(GattRead(2, service.iid_handle))
            assert read == GattResult(2, wanted.iid.to_bytes(2, "little"))
            ordered = sorted(service.characteristics, key=lambda one: one.handle)
            for one, expected in zip(ordered, wanted.characteristics, strict=True):
                assert (one.uuid, one.readable, one.writable) == (expected.uuid, True, True)
                assert one.indicates is expected.indicates
                number = await bench.do(GattReadDescriptor(3, one.handle, CHARACTERISTIC_INSTANCE_ID))
                assert number == GattResult(3, expected.iid.to_bytes(2, "little"))


@on_bluez
async def test_indications(air: Air) -> None:
    async with open_bench(air) as bench:
        on, server, link = bench.engine.handle(ON), bench.here.server, bench.here.application.link
        assert await bench.do(GattSubscribe(2, on)) == GattResult(2)
        for _ in range(3):
            await server.indicate(link, ON_HANDLE)
            assert await bench.engine.news.get() == on
        assert await bench.do(GattSubscribe(3, on, enabled=False)) == GattResult(3)
        await server.indicate(link, ON_HANDLE)
        assert (await bench.do(GattRead(4, on))).data == b"\x01"


@on_bluez
async def test_a_cancelled_request_ends_the_link(air: Air) -> None:
    """Or its late answer would be taken for that of the next."""
    async with open_bench(air) as bench:
        application, name, on = bench.here.application, bench.engine.handle(NAME), bench.engine.handle(ON)
        link = application.link
        application.free.clear()
        bench.link.carry_out(GattRead(2, name))
        await application.until("read", link, NAME_HANDLE)
        assert await bench.do(GattDisconnect()) is None
        await application.until("closed", link)
        application.free.set()
        assert (await bench.connect()).error is None
        assert application.link > link
        assert (await bench.do(GattRead(3, on))).data == b"\x01"


@on_bluez
async def test_dropped(air: Air) -> None:
    """In the middle of a read, which BlueZ calls an unlikely error; and while nothing happens."""
    async with open_bench(air) as bench:
        application, server = bench.here.application, bench.here.server
        application.free.clear()
        assert bench.link.carry_out(GattRead(2, bench.engine.handle(NAME)))
        await application.until("read", application.link, NAME_HANDLE)
        await server.drop(application.link)
        assert await bench.engine.news.get() is None
        application.free.set()
        assert (await bench.connect()).error is None
        await server.drop(application.link)
        assert await bench.engine.news.get() is None
        assert bench.engine.news.empty()


@on_bluez
async def test_out_of_range_and_back(air: Air) -> None:
    async with open_bench(air) as bench:
        application, device = bench.here.application, bench.here.server.device
        air.vanish(device)
        assert await bench.do(GattRead(2, bench.engine.handle(NAME))) is None
        air.come_back(device)
        assert (await bench.connect()).error is None
        assert (await bench.do(GattRead(3, bench.engine.handle(NAME)))).data == b"Lamp"
        assert application.link == 2
