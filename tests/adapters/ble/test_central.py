"""Scanning for all who want to hear, and links carried out with bleak: what goes wrong on real radios."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from tests.adapters.ble.table import (
    NAME,
    NAME_HANDLE,
    ON,
    ON_HANDLE,
    TABLE,
    Application,
    Stage,
    in_the_air,
    stage,
)

from hap_asyncio.ble import link as link_module
from hap_asyncio.ble.central import Central, open_central
from hap_asyncio.ble.link import GattLink
from hapcore.ble.controller.effects import (
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattSubscribe,
    GattWrite,
    Scan,
)
from hapcore.ble.controller.inputs import Advertisement, GattResult
from hapcore.ble.gatt import GattService
from hapcore.ble.uuids import CHARACTERISTIC_INSTANCE_ID
from hapcore.engine import Effect


class Engine:
    """In the place of an engine: what it is told, in order."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[GattResult | int | None] = asyncio.Queue()
        self.table: tuple[GattService, ...] = ()

    def result(self, result: GattResult) -> None:
        self.table = result.table or self.table
        self.news.put_nowait(result)

    def indicated(self, handle: int) -> None:
        self.news.put_nowait(handle)

    def lost(self) -> None:
        self.news.put_nowait(None)

    def handle(self, uuid: str) -> int:
        return next(one.handle for each in self.table for one in each.characteristics if one.uuid == uuid)


class Bench:
    """A link carried out by hand."""

    def __init__(self, here: Stage, central: Central) -> None:
        self.here = here
        self.central = central
        self.engine = Engine()
        self.link = GattLink(central, self.engine)

    async def do(self, effect: Effect) -> GattResult | int | None:
        assert self.link.carry_out(effect)
        return await self.engine.news.get()

    async def connect(self) -> GattResult:
        result = await self.do(GattConnect(1, await hear(self.central)))
        assert isinstance(result, GattResult)
        return result


async def hear(central: Central) -> str:
    """Where something advertises, so that it can be connected."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def one(heard: Advertisement) -> None:
        if not found.done():
            found.set_result(heard.address)

    central.listen(one, lambda _: None)
    try:
        return await found
    finally:
        central.unlisten(one)


def on_a_bench(like_bluez: bool = False) -> Callable[..., Callable[..., None]]:
    """A bench for a test."""

    def decorate(test: Callable[..., object]) -> Callable[..., None]:
        @in_the_air
        async def run() -> None:
            async with stage(like_bluez=like_bluez) as here, open_central(here.backend) as central:
                bench = Bench(here, central)
                try:
                    await test(bench)  # type: ignore[misc]
                finally:
                    await bench.link.aclose()

        run.__name__ = test.__name__
        return run

    return decorate


@pytest.mark.parametrize("like_bluez", [False, True])
@in_the_air
async def test_the_table(like_bluez: bool):
    async with stage(like_bluez=like_bluez) as here, open_central(here.backend) as central:
        bench = Bench(here, central)
        result = await bench.connect()
        assert result.error is None
        assert result.max_write == 514
        found = sorted((one for one in bench.engine.table if one.iid_handle), key=lambda one: one.handle)
        assert [one.uuid for one in found] == [one.uuid for one in TABLE]
        for service, wanted in zip(found, TABLE, strict=True):
            read = await bench.do(GattRead(2, service.iid_handle))
            assert read == GattResult(2, wanted.iid.to_bytes(2, "little"))
            ordered = sorted(service.characteristics, key=lambda one: one.handle)
            for one, expected in zip(ordered, wanted.characteristics, strict=True):
                assert (one.uuid, one.readable, one.writable, one.indicates) == (
                    expected.uuid,
                    True,
                    True,
                    expected.indicates,
                )
                number = await bench.do(GattReadDescriptor(3, one.handle, CHARACTERISTIC_INSTANCE_ID))
                assert number == GattResult(3, expected.iid.to_bytes(2, "little"))
        await bench.link.aclose()


@on_a_bench()
async def test_operations(bench):
    await bench.connect()
    name, on = bench.engine.handle(NAME), bench.engine.handle(ON)
    assert await bench.do(GattWrite(2, name, b"x" * 512)) == GattResult(2)
    assert await bench.do(GattRead(3, name)) == GattResult(3, b"x" * 512)
    assert await bench.do(GattSubscribe(4, on)) == GattResult(4)
    await bench.here.server.indicate(bench.here.application.link, ON_HANDLE)
    assert await bench.engine.news.get() == on
    assert await bench.do(GattSubscribe(5, on, enabled=False)) == GattResult(5)
    assert await bench.do(GattDisconnect()) is None
    late = await bench.do(GattRead(6, name))
    assert late.error == "there is no link"
    assert not bench.link.carry_out(Scan(True))


@on_a_bench()
async def test_what_is_refused_is_told(bench):
    await bench.connect()
    bench.here.application.refused = 0x05
    result = await bench.do(GattRead(2, bench.engine.handle(NAME)))
    assert result.data is None
    assert result.error
    bench.here.application.refused = 0
    assert (await bench.do(GattRead(3, bench.engine.handle(NAME)))).data == b"Lamp"
    assert "no characteristic 999" in (await bench.do(GattRead(4, 999))).error


@on_a_bench()
async def test_the_error_of_a_link_that_ends_is_its_end(bench):
    """0x0E in the middle of a read is what BlueZ makes of a lost link."""
    await bench.connect()
    bench.here.application.refused = 0x0E
    assert await bench.do(GattRead(2, bench.engine.handle(NAME))) is None
    await bench.here.application.until("closed", 1)


@pytest.mark.parametrize("like_bluez", [False, True])
@in_the_air
async def test_dropped_in_the_middle(like_bluez: bool):
    async with stage(like_bluez=like_bluez) as here, open_central(here.backend) as central:
        bench = Bench(here, central)
        await bench.connect()
        here.application.free.clear()
        assert bench.link.carry_out(GattRead(2, bench.engine.handle(NAME)))
        await here.application.until("read", 1, NAME_HANDLE)
        await here.server.drop(1)
        assert await bench.engine.news.get() is None
        assert bench.engine.news.empty()
        here.application.free.set()
        assert (await bench.connect()).error is None
        await bench.link.aclose()


@on_a_bench()
async def test_dropped_while_idle(bench):
    await bench.connect()
    await bench.here.server.drop(1)
    assert await bench.engine.news.get() is None


@on_a_bench()
async def test_a_cancelled_operation_ends_the_link(bench):
    await bench.connect()
    bench.here.application.free.clear()
    bench.link.carry_out(GattRead(2, bench.engine.handle(NAME)))
    await bench.here.application.until("read", 1, NAME_HANDLE)
    assert await bench.do(GattDisconnect()) is None
    await bench.here.application.until("closed", 1)
    assert bench.engine.news.empty()


@on_a_bench()
async def test_an_attempt_is_given_up(bench):
    address = await hear(bench.central)
    await bench.here.server.stop_advertising()
    bench.link.carry_out(GattConnect(1, address))
    await asyncio.sleep(0.05)
    assert await bench.do(GattDisconnect()) is None
    await bench.here.server.advertise(b"\x02\x01\x06\x07\xff\x4c\x00\x06\x31\x00\x01", b"", 0.1)
    assert (await bench.connect()).error is None


@pytest.mark.parametrize(("lost", "fine"), [(1, True), (2, True), (3, False)])
@in_the_air
async def test_fresh_connections_that_are_lost(lost: int, fine: bool):
    async with stage() as here, open_central(here.backend) as central:
        bench = Bench(here, central)
        address = await hear(central)
        here.air.lose_connections(lost)
        result = await bench.do(GattConnect(1, address))
        assert (result.error is None) is fine
        if not fine:
            assert "disconnected" in result.error
        await bench.link.aclose()


@on_a_bench()
async def test_nobody_there(bench):
    bench.central._devices.clear()
    link = GattLink(bench.central, bench.engine)
    link.carry_out(GattConnect(1, "F0:00:00:00:00:00"))
    await asyncio.sleep(0.05)
    link.carry_out(GattDisconnect())
    assert await bench.engine.news.get() is None
    await link.aclose()


@in_the_air
async def test_one_scan_for_all():
    async with stage() as here, open_central(here.backend) as central:
        starts = 0
        original = here.backend.scanner.start

        async def counted(self):
            nonlocal starts
            starts += 1
            await original(self)

        here.backend.scanner.start = counted
        one: list[Advertisement] = []
        two: list[Advertisement] = []
        central.listen(one.append, lambda _: None)
        central.listen(two.append, lambda _: None)
        while not (one and two):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        assert one[0] == Advertisement(here.server.address, b"\x06\x31\x00\x01", "", -50)
        central.unlisten(one.append)
        assert starts == 1


@pytest.mark.parametrize(("times", "heard"), [(2, True), (4, False)])
@in_the_air
async def test_a_host_that_is_busy_is_asked_again(times: int, heard: bool):
    async with stage() as here, open_central(here.backend) as central:
        original, refusals = here.backend.scanner.start, iter(range(times))

        async def start(self):
            if next(refusals, None) is not None:
                raise BleakError("[org.bluez.Error.InProgress] Operation already in progress")
            await original(self)

        here.backend.scanner.start = start
        news: asyncio.Queue[object] = asyncio.Queue()
        central.listen(news.put_nowait, news.put_nowait)
        first = await news.get()
        assert isinstance(first, Advertisement) is heard
        assert heard or "already in progress" in str(first)


@in_the_air
async def test_no_scan_while_somebody_connects():
    async with stage() as here, open_central(here.backend) as central:
        scanning: list[bool] = []
        original = here.backend.client.connect

        async def connect(self, *args, **kwargs):
            scanning.append(central._scanner is not None)
            await original(self, *args, **kwargs)

        here.backend.client.connect = connect
        heard: list[Advertisement] = []
        central.listen(heard.append, lambda _: None)
        bench = Bench(here, central)
        assert (await bench.connect()).error is None
        assert scanning == [False]
        heard.clear()
        await bench.link.aclose()
        while not heard:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@in_the_air
async def test_others_are_not_handed_on():
    """What is not of Apple's company id is ignored quietly."""
    async with stage() as here, open_central(here.backend) as central:
        other = await here.air.peripheral()
        await other.publish(TABLE, Application())
        await other.advertise(b"\x02\x01\x06\x05\xff\x01\x00\x06\x31", b"", 0.02)
        await here.server.advertise(b"\x02\x01\x06", b"", 0.02)
        heard: list[Advertisement] = []
        central.listen(heard.append, lambda _: None)
        await asyncio.sleep(0.2)
        assert heard == []


class Grumpy:
    """A scanner that cannot."""

    error: Exception = OSError("no adapter")

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def start(self) -> None:
        raise self.error

    async def stop(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError("no adapter"), "no adapter"), (BleakError(), "BleakError"), (TimeoutError(), "it took too long")],
)
@in_the_air
async def test_no_scanning_is_told(error: Exception, said: str):
    class Backend:
        client = None
        scanner = type("Scanner", (Grumpy,), {"error": error})

    async with open_central(Backend()) as central:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        central.listen(lambda _: None, told.set_result)
        assert await told == said


@in_the_air
async def test_a_thousand_devices_and_no_more():
    async with stage() as here, open_central(here.backend) as central:
        await hear(central)
        device = central._devices[here.server.address]
        for number in range(3000):
            found = type(device)(f"F0:00:00:00:{number:02X}", None, device.details)
            central._hear(found, AdvertisementData(None, {0x4C: b"\x06"}, {}, [], None, -90, ()))
        assert len(central._devices) == 1000
        assert f"F0:00:00:00:{2999:02X}" in central._devices


class Stuck:
    """A client of a host that does nothing any more."""

    def __init__(self, *_: object, **__: object) -> None:
        self.address = "F0:00:00:00:00:00"
        self.is_connected = True
        self.services = None

    async def connect(self, _pair: bool) -> None:
        await asyncio.Event().wait()

    async def disconnect(self) -> None:
        await asyncio.Event().wait()


@in_the_air
async def test_a_host_that_hangs(monkeypatch: pytest.MonkeyPatch):
    class Backend:
        client = Stuck
        scanner = Grumpy

    for limit in ("_CONNECT_LIMIT", "_PARTING"):
        monkeypatch.setattr(link_module, limit, 0.05)
    async with open_central(Backend()) as central:
        engine = Engine()
        link = GattLink(central, engine)
        link.carry_out(GattConnect(1, "F0:00:00:00:00:00"))
        result = await engine.news.get()
        assert isinstance(result, GattResult)
        assert result.error == "it took too long"
        link.carry_out(GattConnect(2, "F0:00:00:00:00:00"))
        await asyncio.sleep(0)
        link.carry_out(GattDisconnect())
        assert await engine.news.get() is None
        await link.aclose()
