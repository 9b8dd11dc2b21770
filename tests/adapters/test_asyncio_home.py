"""Accessory and controller on asyncio over loopback: what a user does, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import socket
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.adapters.asyncio_home import (
    CODE,
    WRONG_CODE,
    House,
    cancelled_at,
    in_virtual_time,
    lamp,
    on_asyncio,
    open_house,
    open_lamp,
    run,
    settled,
)

import hap_asyncio
from hap_asyncio.wire import HIGH_WATER
from hapcore.catalogue.characteristics import NAME
from hapcore.discovery import DiscoveredAccessory, Gone
from hapcore.engine import Event
from hapcore.errors import (
    AccessoryChanged,
    Disconnected,
    LocalProtocolError,
    PairingRefused,
    Refused,
    StateError,
    TimedOut,
    ValueRefused,
)
from hapcore.ids import Caller, CharacteristicId, HapStatus
from hapcore.ip.accessory import (
    CharacteristicsWritten,
    PairingAdded,
    PairingRemoved,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    SubscriptionChanged,
    UpdateValues,
)
from hapcore.ip.controller import CharacteristicChanged, Connection, State
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError
from hapcore.pairing.records import new_controller_identity
from hapcore.state import PairedAccessory


@on_asyncio
async def test_pair_read_write_and_remove(house: House) -> None:
    light, server = house.light, house.server
    assert not server.paired
    client = await house.pair()
    assert server.paired
    assert house.home.aliases == ("lamp",)
    assert house.home.connect("lamp") is client
    on, brightness = light.on.id, light.brightness.id
    assert not client.connected
    results = await client.read([on, brightness])
    assert client.connected
    assert {one: result.value for one, result in results.items()} == {on: False, brightness: 40}
    written = await client.write({on: True, brightness: 55})
    assert {result.status for result in written.values()} == {HapStatus.SUCCESS}
    assert (light.on.value, light.brightness.value) == (True, 55)
    (accessory,) = await client.accessories()
    assert accessory.name == "Desk lamp"
    (entry,) = await client.pairings()
    assert entry.identifier == client.pairing.controller_id.encode()
    await house.home.remove("lamp")
    assert not server.paired
    with pytest.raises(LocalProtocolError, match="there are none yet"):
        house.home.connect("lamp")


@on_asyncio
async def test_values_are_checked_before_they_leave(house: House) -> None:
    client = await house.pair()
    with pytest.raises(ValueRefused):
        await client.write({house.light.brightness.id: 101})
    with pytest.raises(ValueRefused):
        house.light.brightness.value = 101
    assert house.light.brightness.value == 40


@in_virtual_time
async def test_events_reach_the_controller(house: House) -> None:
    client = await house.pair()
    on, brightness = house.light.on, house.light.brightness
    feed = house.server.events()
    async with client.subscribe([on.id]) as changes:
        on.value = True
        assert await anext(changes) == CharacteristicChanged(on.id, True)
        async with client.subscribe([on.id, brightness.id]) as more:
            await house.server.do(UpdateValues({brightness.id: 12}))
            assert await anext(more) == CharacteristicChanged(brightness.id, 12)
        # The inner block ended the subscription to the brightness only.
        assert await upto_unsubscribed(feed) == brightness.id
        brightness.value = 13
        on.value = False
        assert await anext(changes) == CharacteristicChanged(on.id, False)
        with pytest.raises(StopAsyncIteration):
            await anext(more)


@on_asyncio
async def test_what_has_no_events_cannot_be_subscribed_to(house: House) -> None:
    client = await house.pair()
    name = house.server.database.accessories[0].information[NAME]
    with pytest.raises(Refused, match=f"no events of {name.id}") as refusal:
        async with client.subscribe([name.id, house.light.on.id]):
            pytest.fail("subscribed to a name")
    assert refusal.value.hap_status == HapStatus.NOTIFICATION_NOT_SUPPORTED


@on_asyncio
async def test_no_echo_to_the_writer_but_news_to_the_other(house: House) -> None:
    first = await house.pair()
    second = await add_controller(house, first)
    on = house.light.on.id
    async with first.subscribe([on]) as mine, second.subscribe([on]) as theirs:
        await first.write({on: True})
        assert await anext(theirs) == CharacteristicChanged(on, True)
        await second.write({on: False})
        assert await anext(mine) == CharacteristicChanged(on, False)


@on_asyncio
async def test_the_server_reports_what_happens(house: House) -> None:
    feed = house.server.events()
    client = await house.pair()
    async with client.subscribe([house.light.on.id]):
        await client.write({house.light.on.id: True}, timed=2000)
    await house.home.remove("lamp")
    events = await upto(feed, SessionClosed)
    for kind in (PairingAdded, SessionOpened, SubscriptionChanged, CharacteristicsWritten, PairingRemoved):
        assert kind in map(type, events)
    (written,) = (event for event in events if isinstance(event, CharacteristicsWritten))
    assert written.writes[0].timed


@on_asyncio
async def test_a_wrong_code_is_refused_and_another_try_is_free(house: House) -> None:
    feed = house.server.events()
    with pytest.raises(PairingRefused) as refusal:
        await house.home.pair(house.address, WRONG_CODE, "lamp")
    assert (refusal.value.error, refusal.value.step) == (2, 4)
    assert isinstance(await anext(feed), SetupAttemptFailed)
    assert not house.server.paired
    async with house.home.start_pairing(house.address, "lamp") as started:
        with pytest.raises(LocalProtocolError):
            await started.finish("031-45-15")
        with pytest.raises(PairingRefused):
            await started.finish(WRONG_CODE)
        client = await started.finish(CODE)
    assert (await client.read([house.light.on.id]))[house.light.on.id].value is False


@on_asyncio
async def test_pairing_is_refused_to_the_second(house: House) -> None:
    await house.pair()
    with pytest.raises(PairingRefused) as refusal:
        await house.home.pair(house.address, CODE, "again")
    assert refusal.value.error == 6
    with pytest.raises(LocalProtocolError, match="already"):
        await house.home.pair(house.address, CODE, "lamp")
    with pytest.raises(LocalProtocolError, match="eight digits"):
        await house.home.pair(house.address, "1234", "other")


@on_asyncio
async def test_identify() -> None:
    identified: list[str] = []
    accessory = Accessory("Bulb", services=[lamp()])

    @accessory.identify
    async def _() -> None:
        identified.append("blink")

    async with (
        hap_asyncio.open_server(accessory, setup_code=CODE, address="127.0.0.1", mdns=False) as server,
        hap_asyncio.open_controller(mdns=False) as home,
    ):
        address = f"127.0.0.1:{server.port}"
        await home.identify(address)
        client = await home.pair(address, CODE, "bulb")
        await client.identify()
        assert identified == ["blink", "blink"]


def test_both_sides_remember(tmp_path: Path) -> None:
    state, pairings = tmp_path / "lamp.json", tmp_path / "pairings.json"

    async def first() -> tuple[str, int]:
        async with open_house(pairings, state=state) as house:
            await house.pair()
            assert b'"lamp"' in pairings.read_bytes()  # stored as soon as it is there, not at the end
            return house.server.device_id, house.light.on.iid

    async def second() -> None:
        async with open_house(pairings, state=state, setup_code=None) as house:
            assert (house.server.device_id, house.light.on.iid) == (device_id, iid)
            assert house.server.setup_code == CODE
            assert house.server.paired
            # The lamp has another port now, and the file does not know it.
            client = house.home.connect("lamp", address=house.address)
            assert (await client.read([(1, iid)]))[CharacteristicId(1, iid)].value is False
            with pytest.raises(Disconnected, match="cannot connect"):
                await house.home.connect("lamp").read([(1, iid)])

    device_id, iid = run(first())
    run(second())  # another loop, the same files


@on_asyncio
async def test_corrupt_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(StateError):
        async with open_lamp(state=path):
            pytest.fail("served with half a state")
    with pytest.raises(StateError):
        async with hap_asyncio.open_controller(path, mdns=False):
            pytest.fail("opened with half a file")
    assert path.read_text() == "{"


@on_asyncio
async def test_what_cannot_be_known_again_is_not_served(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hap_sync.store.FileStore.persist", full)
        with pytest.raises(OSError, match="No space left"):
            async with open_lamp(state=tmp_path / "lamp.json"):
                pytest.fail("served")


@on_asyncio
async def test_reconnects_when_the_connection_is_gone(house: House) -> None:
    client = await house.pair()
    on = house.light.on.id
    await client.read([on])
    await client.aclose()
    assert not client.connected
    assert (await client.read([on]))[on].value is False


@on_asyncio
async def test_a_restarted_accessory_is_found_again(tmp_path: Path) -> None:
    state = tmp_path / "lamp.json"
    async with hap_asyncio.open_controller(mdns=False) as home:
        async with open_lamp(state=state) as (light, server):
            port, on = server.port, light.on.id
            client = await home.pair(f"127.0.0.1:{port}", CODE, "lamp")
            async with client.subscribe([on]) as changes:
                light.on.value = True
                await anext(changes)
                server.stop()
                with pytest.raises(Disconnected):
                    await anext(changes)
            assert not client.connected
        with pytest.raises(Disconnected):
            await client.read([on])
        async with open_lamp(state=state, port=port):
            assert (await client.read([on]))[on].value is False


@on_asyncio
async def test_a_host_name_that_cannot_be(house: House) -> None:
    client = await house.pair()
    for host in ("a" * 64, "\udcff", "a..b"):
        with pytest.raises(Disconnected):
            await house.home.connect("lamp", f"{host}:1").read([(1, 2)])
    assert await client.pairings()


@on_asyncio
async def test_engines_of_ones_own() -> None:
    made: list[Connection] = []

    def engine(*args: Any, **options: Any) -> Connection:
        made.append(Connection(*args, **options))
        return made[-1]

    async with open_lamp() as (light, server), hap_asyncio.open_controller(mdns=False, engine=engine) as home:
        client = await home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
        await client.read([light.on.id])
    assert [one.state for one in made] == [State.CLOSED, State.CLOSED]


@on_asyncio
async def test_another_device_at_the_address_is_not_taken_for_ours(house: House) -> None:
    client = await house.pair()
    async with open_lamp() as (_, other):
        elsewhere = house.home.connect("lamp", address=f"127.0.0.1:{other.port}")
        with pytest.raises(AccessoryChanged):
            await elsewhere.read([(1, 2)])
        # Of several failures the telling one is raised, with a note of the others; what works is found.

        record = house.home.record("lamp")
        await client.aclose()
        await house.home.save(evolve(record, addresses=("::1", "127.0.0.1"), port=other.port))
        with pytest.raises(AccessoryChanged) as failure:
            await client.read([(1, 2)])
        assert "cannot connect to ::1" in failure.value.__notes__[0]
        await house.home.save(evolve(record, addresses=("::1", "127.0.0.1")))
        assert await client.pairings()


@in_virtual_time
async def test_accessories_by_name(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    names: dict[str, list[str]] = {"lamp.test": ["192.0.2.1", "127.0.0.1"], "deaf.test": ["192.0.2.1", "192.0.2.2"]}
    connect = loop.create_connection

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]

    async def create_connection(make: object, host: str, port: int) -> object:
        if host.startswith("192.0.2."):
            await asyncio.sleep(math.inf)
        return await connect(make, host, port)

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    port = house.server.port
    await house.home.identify(f"lamp.test:{port}")
    start = loop.time()
    with pytest.raises(Disconnected, match="no answer within 5 s"):
        await house.home.identify(f"deaf.test:{port}")
    assert loop.time() - start == pytest.approx(5, abs=0.5)
    with pytest.raises(Disconnected, match="not known"):
        await house.home.identify(f"nobody.test:{port}")


@on_asyncio
async def test_unpairing_an_accessory_that_is_gone_needs_force() -> None:
    async with hap_asyncio.open_controller(mdns=False) as home:
        async with open_lamp() as (_, server):
            await home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
        with pytest.raises(Disconnected):
            await home.remove("lamp")
        assert home.aliases == ("lamp",)
        await home.remove("lamp", force=True)
        assert home.aliases == ()


# --- the application's handlers ---------------------------------------------------------------------------------------


@on_asyncio
async def test_handlers_decide(house: House, caplog: pytest.LogCaptureFixture) -> None:
    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        await asyncio.sleep(0)
        if not value:
            raise RuntimeError("the switch is stuck")

    @house.light.brightness.setter
    def _(value: int, caller: Caller) -> None:
        if value == 13:
            raise HapStatusError(HapStatus.BUSY)

    @house.light.brightness.getter
    async def _(caller: Caller) -> int:
        await asyncio.sleep(0)
        return 15

    client = await house.pair()
    on, brightness = house.light.on.id, house.light.brightness.id
    results = await client.write({on: True, brightness: 13})
    assert (results[on].status, results[brightness].status) == (HapStatus.SUCCESS, HapStatus.BUSY)
    assert house.light.on.value is True
    with caplog.at_level(logging.ERROR, logger="hap_asyncio"):
        assert (await client.write({on: False}))[on].status == HapStatus.UNABLE_TO_COMMUNICATE
    assert "the switch is stuck" in caplog.text
    assert str(on) in caplog.text
    assert house.light.on.value is True
    assert (await client.read([brightness]))[brightness].value == 15


@on_asyncio
async def test_a_handler_whose_own_work_was_cancelled_is_a_failed_one(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        work = asyncio.get_running_loop().create_future()
        work.cancel()
        await work

    client = await house.pair()
    on = house.light.on.id
    assert (await client.write({on: True}))[on].status == HapStatus.UNABLE_TO_COMMUNICATE
    assert "was cancelled" in caplog.text


@in_virtual_time
async def test_a_handler_that_never_returns_holds_up_nobody_else(house: House) -> None:
    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        await asyncio.sleep(math.inf)

    client = await house.pair()
    second = await add_controller(house, client)
    on = house.light.on.id
    writing = asyncio.create_task(client.write({on: True}))
    await second.read([house.light.brightness.id])
    assert not writing.done()
    assert (await writing)[on].status == HapStatus.TIMED_OUT


# --- cancellation -----------------------------------------------------------------------------------------------------


@on_asyncio
async def test_a_cancelled_write_leaves_the_connection_usable(house: House) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        asked.set()
        await go.wait()

    client = await house.pair()
    on, brightness = house.light.on.id, house.light.brightness.id
    await client.read([on])
    writing = asyncio.create_task(client.write({on: True}))
    await asked.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    wires = list(house.server._pump._wires)
    go.set()
    assert (await client.read([brightness]))[brightness].value == 40
    assert list(house.server._pump._wires) == wires  # the very same connection
    assert house.light.on.value is True  # and the accessory finished the write


@on_asyncio
async def test_a_cancelled_call_leaves_nothing_behind(house: House) -> None:
    client = await house.pair()
    await settled()
    number = 1
    while await cancelled_at(number, client.read([house.light.on.id])):
        await client.aclose()
        await settled()
        assert not house.server._pump._open
        number += 1
    assert number > 1  # the call waits once: for what comes of its command
    assert (await client.read([house.light.on.id]))[house.light.on.id].value is False


@in_virtual_time
async def test_it_fits_into_task_groups_and_timeouts(house: House) -> None:
    client = await house.pair()
    on = house.light.on.id
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(client.read([on])) for _ in range(5)]
    assert {read.result()[on].value for read in reads} == {False}

    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        await asyncio.sleep(math.inf)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.write({on: True})
    with pytest.raises(ExceptionGroup) as failures:
        async with asyncio.TaskGroup() as group, client.subscribe([on]) as changes:
            group.create_task(fail())
            await anext(changes)
    assert failures.group_contains(RuntimeError, match="mine")


@pytest.mark.parametrize("everything", [False, True])
@on_asyncio
async def test_cancelled_pairing_is_on_both_sides_or_on_neither(everything: bool, tmp_path: Path) -> None:
    """Cancelled at one await after the other: `pair()` alone, or the whole controller."""
    outcomes: list[bool] = []

    async def pair(address: str, path: Path) -> None:
        async with hap_asyncio.open_controller(path, mdns=False) as home:
            await home.pair(address, CODE, "lamp")

    async def cancelled(number: int) -> bool:
        path = tmp_path / f"{number}.json"
        async with open_house(path) as house:
            reached = await cancelled_at(number, pair(house.address, path) if everything else house.pair())
            async with hap_asyncio.open_controller(path, mdns=False) as home:
                outcomes.append(house.server.paired)
                assert (home.aliases == ("lamp",)) == house.server.paired
        return reached

    number = 1
    while await cancelled(number):
        number += 1
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert outcomes[-2] is True  # cancelled at the last await: done all the same
    assert outcomes == sorted(outcomes)


def test_a_pairing_survives_the_end_of_the_program(tmp_path: Path) -> None:
    """`asyncio.run()` cancels every task there is; what the accessory knows must be on disk all the same."""
    path = tmp_path / "pairings.json"

    async def main() -> bool:
        async with AsyncExitStack() as stack:
            house = await stack.enter_async_context(open_house(path))
            feed = house.server.events()
            pairing = asyncio.create_task(house.pair())
            await upto(feed, PairingAdded)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.wait([pairing])
            return house.server.paired

    assert run(main()) is True
    assert b'"lamp"' in path.read_bytes()


# --- the end, and trouble ---------------------------------------------------------------------------------------------


@on_asyncio
async def test_stopping_with_clients_connected() -> None:
    async with hap_asyncio.open_controller(mdns=False) as home, AsyncExitStack() as stack:
        async with open_lamp() as (light, server):
            client = await home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
            changes = await stack.enter_async_context(client.subscribe([light.on.id]))
            feed = server.events()
        assert [type(event) async for event in feed] == [SessionClosed]  # and it ends with the server
        with pytest.raises(Disconnected):
            await anext(changes)
        light.on.value = True  # not served any more: an ordinary attribute
        assert light.on.value is True


@on_asyncio
async def test_the_end_of_a_controller_closes_its_connections() -> None:
    async with open_lamp() as (light, server):
        async with hap_asyncio.open_controller(mdns=False) as home:
            address = f"127.0.0.1:{server.port}"
            client = await home.pair(address, CODE, "lamp")
            other = home.connect("lamp", address=address)
            for one in (client, other):
                await one.read([light.on.id])
            feed = server.events()
        assert not client.connected
        assert not other.connected
        for _ in range(2):
            assert isinstance(await anext(feed), SessionClosed)


@on_asyncio
async def test_what_one_task_opened_another_may_close() -> None:
    stack = AsyncExitStack()

    async def start() -> tuple[House, hap_asyncio.Client]:
        house = await stack.enter_async_context(open_house())
        return house, await house.pair()

    house, client = await asyncio.create_task(start())
    on = house.light.on.id
    assert (await client.read([on]))[on].value is False
    await asyncio.create_task(stack.aclose())
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with pytest.raises(LocalProtocolError, match="closed"):
        await client.read([on])


@on_asyncio
async def test_an_exception_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_house():
            raise KeyError("mine")


@on_asyncio
async def test_serve_runs_until_cancelled() -> None:
    ready = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(hap_asyncio.serve(lamp(), address="127.0.0.1", mdns=False, started=ready.set_result))
    server: hap_asyncio.AccessoryServer = await ready
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert len(server.setup_code) == 10
    assert server.setup_uri.startswith("X-HM://")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


@on_asyncio
async def test_a_taken_port_is_the_operating_systems_error() -> None:
    async with open_lamp() as (_, server):
        with pytest.raises(OSError, match="in use"):
            async with open_lamp(port=server.port):
                pytest.fail("two servers on one port")


@on_asyncio
async def test_a_hundred_connections(house: House) -> None:
    client = await house.pair()
    clients = [house.home.connect("lamp", address=house.address) for _ in range(100)]
    on = house.light.on.id
    values: list[object] = []

    async def use(one: hap_asyncio.Client) -> None:
        async with one.subscribe([on]) as changes:
            values.append((await one.read([on]))[on].value)
            if len(values) == len(clients):
                house.light.on.value = True
            values.append((await anext(changes)).value)

    async with asyncio.TaskGroup() as group:
        for one in clients:
            group.create_task(use(one))
    assert values == [False] * 100 + [True] * 100
    assert (await client.read([on]))[on].value is True


@on_asyncio
async def test_abrupt_ends_disturb_nobody(house: House) -> None:
    client = await house.pair()
    await client.read([house.light.on.id])
    for opening in (b"", b"GET /acc", b"POST /pair-setup HTTP/1.1\r\nContent-Length: 100\r\n\r\n\x00", bytes(5000)):
        with socket.create_connection(("127.0.0.1", house.server.port)) as rude:
            rude.sendall(opening)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))  # a reset
        await settled()
    assert client.connected
    assert (await client.read([house.light.on.id]))[house.light.on.id].value is False


@on_asyncio
async def test_a_peer_that_never_reads_costs_little_memory(house: House) -> None:
    client = await house.pair()
    await client.read([house.light.on.id])
    question = b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n" * 1000
    with socket.create_connection(("127.0.0.1", house.server.port)) as rude:
        rude.setblocking(False)
        sent = full = 0
        while full < 50:  # until nothing goes in any more: the server has stopped to read
            try:
                sent += rude.send(question[sent % len(question) :])
                full = 0
            except BlockingIOError:
                full += 1
                await asyncio.sleep(0.001)
        unsent = max(wire.unsent for wire in house.server._pump._wires.values())
        assert 0 < unsent < 4 * HIGH_WATER
        assert (await client.read([house.light.on.id]))[house.light.on.id].value is False
    await settled()
    assert len(house.server._pump._wires) == 1


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


PERSIST = hap_asyncio.FileStore.persist


def full_later(store: hap_asyncio.FileStore, key: str, value: bytes) -> None:
    """There is room for the keys that are offered, and none for the pairing they are of."""
    if key == "lamp":
        full()
    PERSIST(store, key, value)


@on_asyncio
async def test_an_accessory_that_cannot_store_does_not_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house(state=tmp_path / "lamp.json") as house:
        with monkeypatch.context() as broken:
            broken.setattr(hap_asyncio.FileStore, "persist", full)
            with pytest.raises(Refused):
                await house.pair()
            assert not house.server.paired
        await house.pair()
        assert house.server.paired


@on_asyncio
async def test_a_controller_that_cannot_store_takes_the_pairing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path / "pairings.json") as house:
        with monkeypatch.context() as broken:
            broken.setattr(hap_asyncio.FileStore, "persist", full_later)
            with pytest.raises(OSError, match="No space") as failure:
                await house.pair()
        assert not hasattr(failure.value, "__notes__")
        assert not house.server.paired
        assert house.home.aliases == ()


@on_asyncio
async def test_a_pairing_that_is_lost_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    async with open_house(tmp_path / "pairings.json") as house:

        async def stop() -> None:
            house.server.stop()

        def full_and_gone(store: hap_asyncio.FileStore, key: str, value: bytes) -> None:
            if key == "lamp":
                asyncio.run_coroutine_threadsafe(stop(), loop).result()
            full_later(store, key, value)

        with monkeypatch.context() as broken:
            broken.setattr(hap_asyncio.FileStore, "persist", full_and_gone)
            with pytest.raises(OSError, match="No space") as failure:
                await house.pair()
        assert "pair it again" in failure.value.__notes__[0]


# --- on the network ---------------------------------------------------------------------------------------------------


@on_asyncio
async def test_is_found_on_the_network_also_after_it_moved(tmp_path: Path) -> None:
    state, name = tmp_path / "lamp.json", f"Lamp {secrets.token_hex(6)}"  # the network may be shared
    async with (
        hap_asyncio.open_mdns(["127.0.0.1"], probe=False) as mdns,
        hap_asyncio.open_controller(mdns=mdns) as home,
        AsyncExitStack() as stack,
    ):
        async with open_lamp(state=state, mdns=mdns, name=name) as (light, server):
            found = await home.find(server.device_id.lower())
            assert (found.port, found.addresses, found.paired) == (server.port, ("127.0.0.1",), False)
            client = await home.pair(found, CODE, "lamp")
            async with aclosing(home.discover(10)) as discovery:
                async for news in discovery:
                    if news.device_id == server.device_id and news.paired:
                        break
            await client.read([light.on.id])
            browsing = await stack.enter_async_context(mdns.browse())
            await upto_device(browsing, server.device_id, DiscoveredAccessory)
        await upto_device(browsing, server.device_id, Gone)  # a goodbye, although the mDNS goes on
        async with open_lamp(state=state, mdns=mdns, name=name) as (light, server):
            assert server.port != found.port
            assert (await client.read([light.on.id]))[light.on.id].value is False
            assert home.record("lamp").port == server.port


@on_asyncio
async def test_mdns_of_its_own_is_opened_when_it_is_needed() -> None:
    async with hap_asyncio.open_controller(interfaces=["127.0.0.1"]) as home:
        async for _ in home.discover(0.05):
            pass
        with pytest.raises(TimedOut, match="was not seen"):
            await home.find("00:00:00:00:00:00", timeout=0.05)
        endless = home.discover()
        waiting = asyncio.create_task(drain(endless))
        await asyncio.sleep(0)
    await waiting  # ended with the controller


@on_asyncio
async def test_without_mdns_nothing_is_looked_for(house: House) -> None:
    with pytest.raises(LocalProtocolError, match="without mDNS"):
        await house.home.find(house.server.device_id)


# --- helpers ----------------------------------------------------------------------------------------------------------


async def fail() -> None:
    raise RuntimeError("mine")


async def drain(discovery: hap_asyncio.Discovery) -> None:
    async for _ in discovery:
        pass


async def upto(feed: hap_asyncio.Feed[Event], kind: type[Event]) -> list[Event]:
    """What has been reported, up to the first of a kind."""
    events = [await anext(feed)]
    while not isinstance(events[-1], kind):
        events.append(await anext(feed))
    return events


async def upto_unsubscribed(feed: hap_asyncio.Feed[Event]) -> CharacteristicId:
    """What is unsubscribed from next."""
    while True:
        event = await anext(feed)
        if isinstance(event, SubscriptionChanged) and not event.enabled:
            return event.id


async def upto_device(browsing: contextlib.AbstractAsyncContextManager, device_id: str, kind: type) -> None:
    """Wait for news of one accessory, whatever the neighbours announce."""
    async for news in browsing:
        if news.device_id == device_id and isinstance(news, kind):
            return


async def add_controller(house: House, admin: hap_asyncio.Client) -> hap_asyncio.Client:
    """A second controller, added by the first."""
    new = new_controller_identity(hap_asyncio.system_entropy)
    await admin.add_pairing(new.identifier.encode(), new.ltpk, admin=False)
    pairing = evolve(admin.pairing, controller_id=new.identifier, controller_ltsk=new.ltsk)
    await house.home.save(PairedAccessory("second", pairing, addresses=("127.0.0.1",), port=house.server.port))
    return house.home.connect("second")
