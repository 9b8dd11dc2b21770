"""Accessory and controller on trio over loopback: what a user does, and what goes wrong."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve
from tests.adapters.trio_home import CODE, WRONG_CODE, House, lamp, open_house, open_lamp

import hap_trio
from hap_trio.pump import HIGH_WATER
from hap_trio.stream import dial
from hapcore.catalogue.characteristics import NAME
from hapcore.catalogue.services import Lightbulb
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
    ReplaceDatabase,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    SubscriptionChanged,
    UpdateValues,
)
from hapcore.ip.controller import (
    CharacteristicChanged,
    FinishPairSetup,
    GetAccessories,
    Identify,
    Read,
    StartPairSetup,
    VerifyPairing,
)
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError
from hapcore.pairing.records import new_controller_identity
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as house:
        yield house


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
    assert (await client.read([on], meta=True))[on].fields
    (entry,) = await client.pairings()
    assert entry.identifier == client.pairing.controller_id.encode()
    await house.home.remove("lamp")
    assert not server.paired
    assert house.home.aliases == ()
    with pytest.raises(LocalProtocolError, match="there are none yet"):
        house.home.connect("lamp")


async def test_reads_the_database(house: House) -> None:
    client = await house.pair()
    (accessory,) = await client.accessories()
    assert accessory.name == "Desk lamp"
    assert (await client.do(GetAccessories()))[0].aid == 1


async def test_timed_write(house: House) -> None:
    client = await house.pair()
    on = house.light.on.id
    feed = house.server.events()
    assert (await client.write({on: True}, timed=2000))[on].status == HapStatus.SUCCESS
    written = (await upto(feed, CharacteristicsWritten))[-1]
    assert isinstance(written, CharacteristicsWritten)
    assert written.writes[0].timed
    assert house.light.on.value is True


async def test_values_are_checked_before_they_leave(house: House) -> None:
    client = await house.pair()
    with pytest.raises(ValueRefused):
        await client.write({house.light.brightness.id: 101})
    with pytest.raises(ValueRefused):
        house.light.brightness.value = 101
    assert house.light.brightness.value == 40


async def test_events_reach_the_controller(house: House, autojump_clock: trio.testing.MockClock) -> None:
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
        assert await upto_unsubscribed(feed) == [brightness.id]
        brightness.value = 13
        on.value = False
        assert await anext(changes) == CharacteristicChanged(on.id, False)
        with pytest.raises(StopAsyncIteration):
            await anext(more)


async def test_what_has_no_events_cannot_be_subscribed_to(house: House) -> None:
    client = await house.pair()
    name = house.server.database.accessories[0].information[NAME]
    with pytest.raises(Refused, match=f"no events of {name.id}") as refusal:
        async with client.subscribe([name.id, house.light.on.id]):
            pytest.fail("subscribed to a name")
    assert refusal.value.hap_status == HapStatus.NOTIFICATION_NOT_SUPPORTED
    async with client.subscribe([house.light.on.id]) as changes:
        house.light.on.value = True
        assert await anext(changes) == CharacteristicChanged(house.light.on.id, True)


async def test_no_echo_to_the_writer_but_news_to_the_other(house: House) -> None:
    first = await house.pair()
    second = await add_controller(house, first)
    on = house.light.on.id
    async with first.subscribe([on]) as mine, second.subscribe([on]) as theirs:
        await first.write({on: True})
        assert await anext(theirs) == CharacteristicChanged(on, True)
        await second.write({on: False})
        assert await anext(mine) == CharacteristicChanged(on, False)


async def test_the_server_reports_what_happens(house: House) -> None:
    feed = house.server.events()
    client = await house.pair()
    async with client.subscribe([house.light.on.id]):
        await client.write({house.light.on.id: True})
    await house.home.remove("lamp")
    kinds = [type(event) for event in await upto(feed, SessionClosed)]
    for kind in (PairingAdded, SessionOpened, SubscriptionChanged, CharacteristicsWritten, PairingRemoved):
        assert kind in kinds
    assert feed.lost == 0


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


async def test_pairing_is_refused_to_the_second(house: House) -> None:
    await house.pair()
    with pytest.raises(PairingRefused) as refusal:
        await house.home.pair(house.address, CODE, "again")
    assert refusal.value.error == 6
    with pytest.raises(LocalProtocolError, match="already"):
        await house.home.pair(house.address, CODE, "lamp")
    with pytest.raises(LocalProtocolError, match="eight digits"):
        await house.home.pair(house.address, "1234", "other")


async def test_identify() -> None:
    identified: list[str] = []
    accessory = Accessory("Bulb", services=[lamp()])

    @accessory.identify
    async def _() -> None:
        identified.append("blink")

    async with (
        hap_trio.open_server(accessory, setup_code=CODE, address="127.0.0.1", mdns=False) as server,
        hap_trio.open_controller(mdns=False) as home,
    ):
        address = f"127.0.0.1:{server.port}"
        await home.identify(address)
        client = await home.pair(address, CODE, "bulb")
        await client.identify()
        assert identified == ["blink", "blink"]


async def test_both_sides_remember(tmp_path: Path) -> None:
    state, pairings = tmp_path / "lamp.json", tmp_path / "pairings.json"
    async with open_house(pairings, state=state) as house:
        device_id, iid = house.server.device_id, house.light.on.iid
        await house.pair()
        # Stored as soon as it is there, not at the end.
        assert b'"lamp"' in pairings.read_bytes()
    async with open_house(pairings, state=state, setup_code=None) as house:
        assert (house.server.device_id, house.light.on.iid) == (device_id, iid)
        assert house.server.setup_code == CODE
        assert house.server.paired
        # The lamp has another port now, and the file does not know it.
        client = house.home.connect("lamp", address=house.address)
        assert (await client.read([(1, iid)]))[CharacteristicId(1, iid)].value is False
        with pytest.raises(Disconnected, match="cannot connect"):
            await house.home.connect("lamp").read([(1, iid)])


async def test_corrupt_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(StateError):
        async with open_lamp(state=path):
            pytest.fail("served with half a state")
    with pytest.raises(StateError):
        async with hap_trio.open_controller(path, mdns=False):
            pytest.fail("opened with half a file")
    assert path.read_text() == "{"


async def test_what_cannot_be_known_again_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hap_sync.store.FileStore.persist", full)
    with pytest.raises(OSError, match="No space left"):
        async with open_lamp(state=tmp_path / "lamp.json"):
            pytest.fail("served")


async def test_reconnects_when_the_connection_is_gone(house: House) -> None:
    client = await house.pair()
    on = house.light.on.id
    await client.read([on])
    await client.aclose()
    assert not client.connected
    assert (await client.read([on]))[on].value is False


async def test_a_restarted_accessory_is_found_again(tmp_path: Path) -> None:
    state = tmp_path / "lamp.json"
    async with hap_trio.open_controller(mdns=False) as home:
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


async def test_fails_over_to_the_address_that_works(house: House) -> None:
    client = await house.pair()
    record = house.home.record("lamp")
    await house.home.save(evolve(record, addresses=("::1", "127.0.0.1")))
    assert (await client.read([house.light.on.id]))[house.light.on.id].value is False
    await house.home.save(evolve(record, port=1))
    await client.aclose()
    with pytest.raises(Disconnected, match="port 1: Connection refused"):
        await client.read([house.light.on.id])


async def test_another_device_at_the_address_is_not_taken_for_ours(house: House) -> None:
    client = await house.pair()
    async with open_lamp() as (_, other):
        elsewhere = house.home.connect("lamp", address=f"127.0.0.1:{other.port}")
        with pytest.raises(AccessoryChanged):
            await elsewhere.read([(1, 2)])
    assert await client.pairings()
    # Of several failures the telling one is raised, with a note of the others.
    async with open_lamp() as (_, other):
        await client.aclose()
        record = house.home.record("lamp")
        await house.home.save(evolve(record, addresses=("::1", "127.0.0.1"), port=other.port))
        with pytest.raises(AccessoryChanged) as failure:
            await client.read([(1, 2)])
        assert "cannot connect to ::1" in failure.value.__notes__[0]


async def test_a_host_name_that_cannot_be(house: House) -> None:
    client = await house.pair()
    for host in ("a" * 64, "\udcff", "a..b"):
        with pytest.raises(Disconnected):
            await house.home.connect("lamp", f"{host}:1").read([(1, 2)])
    assert await client.pairings()


async def test_unpairing_an_accessory_that_is_gone_needs_force() -> None:
    async with hap_trio.open_controller(mdns=False) as home:
        async with open_lamp() as (_, server):
            await home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
        with pytest.raises(Disconnected):
            await home.remove("lamp")
        assert home.aliases == ("lamp",)
        await home.remove("lamp", force=True)
        assert home.aliases == ()


# --- the application's handlers ---------------------------------------------------------------------------------------


async def test_setters_decide(house: House, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[tuple[object, bool]] = []

    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        await trio.lowlevel.checkpoint()
        if not value:
            raise RuntimeError("the switch is stuck")
        calls.append((value, caller.admin))

    @house.light.brightness.setter
    def _(value: int, caller: Caller) -> None:
        if value == 13:
            raise HapStatusError(HapStatus.BUSY)
        if value == 14:
            raise RuntimeError("the bulb burnt out")
        calls.append((value, caller.admin))

    client = await house.pair()
    on, brightness = house.light.on.id, house.light.brightness.id

    async def status(level: int) -> int:
        return (await client.write({brightness: level}))[brightness].status

    assert {r.status for r in (await client.write({on: True, brightness: 50})).values()} == {HapStatus.SUCCESS}
    assert calls == [(True, True), (50, True)]
    assert await status(13) == HapStatus.BUSY
    with caplog.at_level(logging.ERROR, "hap_trio"):
        assert await status(14) == HapStatus.UNABLE_TO_COMMUNICATE
        assert (await client.write({on: False}))[on].status == HapStatus.UNABLE_TO_COMMUNICATE
    assert "the bulb burnt out" in caplog.text
    assert "the switch is stuck" in caplog.text
    assert house.light.on.value is True
    assert str(brightness) in caplog.text
    assert await status(15) == HapStatus.SUCCESS
    assert house.light.brightness.value == 15


async def test_getters_answer(house: House) -> None:
    levels = [10, 1000]

    @house.light.brightness.getter
    async def _(caller: Caller) -> int:
        await trio.lowlevel.checkpoint()
        return levels.pop(0)

    @house.light.on.getter
    def _(caller: Caller) -> bool:
        raise HapStatusError(HapStatus.BUSY)

    client = await house.pair()
    await client.accessories()
    levels[:] = [10, 1000]
    on, brightness = house.light.on.id, house.light.brightness.id
    results = await client.read([on, brightness])
    assert results[brightness].value == 10
    assert results[on].status == HapStatus.BUSY
    assert (await client.read([brightness]))[brightness].status == HapStatus.UNABLE_TO_COMMUNICATE  # 1000 is no level


async def test_a_setter_may_set_others(house: House) -> None:
    @house.light.on.setter
    def _(value: bool, caller: Caller) -> None:
        house.light.brightness.value = 100 if value else 1

    client = await house.pair()
    brightness = house.light.brightness.id
    async with client.subscribe([brightness]) as changes:
        await client.write({house.light.on.id: True})
        assert await anext(changes) == CharacteristicChanged(brightness, 100)


async def test_a_handler_that_never_returns_holds_up_nobody_else(
    house: House, autojump_clock: trio.testing.MockClock
) -> None:
    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        await trio.sleep(math.inf)

    client = await house.pair()
    second = await add_controller(house, client)
    on = house.light.on.id
    statuses: list[int] = []

    async def write() -> None:
        statuses.append((await client.write({on: True}))[on].status)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await second.read([house.light.brightness.id])
    assert statuses == [HapStatus.TIMED_OUT]


async def test_another_database_takes_the_place_of_the_first(house: House) -> None:
    client = await house.pair()
    identified: list[str] = []
    new = Lightbulb("Desk lamp", on=False, brightness=1)
    accessory = Accessory.of(new)
    accessory.identify(lambda: identified.append("new"))
    await house.server.do(ReplaceDatabase([accessory]))
    async with client.subscribe([new.brightness.id]) as changes:
        new.brightness.value = 75
        with trio.fail_after(5):
            assert await anext(changes) == CharacteristicChanged(new.brightness.id, 75)
    await client.identify()
    assert identified == ["new"]
    house.light.brightness.value = 3  # of no account any more, and no error
    assert (await client.read([new.brightness.id]))[new.brightness.id].value == 75


# --- cancellation -----------------------------------------------------------------------------------------------------


async def test_a_cancelled_write_leaves_the_connection_usable(house: House) -> None:
    asked, go = trio.Event(), trio.Event()

    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        asked.set()
        await go.wait()

    client = await house.pair()
    on, brightness = house.light.on.id, house.light.brightness.id
    await client.read([on])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.write, {on: True})
        await asked.wait()
        nursery.cancel_scope.cancel()
    wires = list(house.server._pump._wires)
    go.set()
    assert (await client.read([brightness]))[brightness].value == 40
    assert list(house.server._pump._wires) == wires  # the very same connection
    assert house.light.on.value is True  # and the accessory finished the write


async def test_a_cancelled_connect_leaves_nothing_behind(house: House) -> None:
    client = await house.pair()
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.read([house.light.on.id])
    assert scope.cancelled_caught
    for patience in range(12):  # cancelled at one checkpoint after the other
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.read, [house.light.on.id])
            for _ in range(patience):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert (await client.read([house.light.on.id]))[house.light.on.id].value is False


@pytest.mark.parametrize("everything", [False, True])
async def test_cancelled_pairing_is_on_both_sides_or_on_neither(everything: bool, tmp_path: Path) -> None:
    """Cancelled at one checkpoint after the other: `pair()` alone, or the whole controller."""
    outcomes: list[bool] = []

    async def pair(address: str, path: Path) -> None:
        async with hap_trio.open_controller(path, mdns=False) as home, trio.open_nursery() as nursery:
            nursery.start_soon(home.pair, address, CODE, "lamp")

    async def cancelled_after(steps: int) -> None:
        path = tmp_path / f"{steps}.json"
        async with open_house(path) as house:
            async with trio.open_nursery() as nursery:
                if everything:
                    nursery.start_soon(pair, house.address, path)
                else:
                    nursery.start_soon(house.pair)
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            async with hap_trio.open_controller(path, mdns=False) as home:
                outcomes.append(house.server.paired)
                assert (home.aliases == ("lamp",)) == house.server.paired

    # How many checkpoints a pairing takes depends on the disk: go on until some were too late to cancel anything.
    steps = 0
    while outcomes.count(True) < 3:
        await cancelled_after(steps)
        steps += 1 + steps // 16
    assert outcomes.count(False) >= 5


# --- the end, and trouble ---------------------------------------------------------------------------------------------


async def test_stopping_with_clients_connected() -> None:
    async with hap_trio.open_controller(mdns=False) as home, AsyncExitStack() as stack:
        async with open_lamp() as (light, server):
            client = await home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
            changes = await stack.enter_async_context(client.subscribe([light.on.id]))
            feed = server.events()
        assert [type(event) async for event in feed] == [SessionClosed]  # and it ends with the server
        with pytest.raises(Disconnected):
            await anext(changes)
        light.on.value = True  # not served any more: an ordinary attribute
        assert light.on.value is True


def test_what_was_served_works_without_trio_again() -> None:
    light = lamp()

    async def serve() -> None:
        async with open_lamp(light):
            light.on.value = True

    trio.run(serve)
    light.on.value = False
    assert light.on.value is False


async def test_an_exception_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_house():
            raise KeyError("mine")


async def test_serve_runs_until_cancelled() -> None:
    async with trio.open_nursery() as nursery:

        async def start(task_status: trio.TaskStatus[hap_trio.AccessoryServer]) -> None:
            await hap_trio.serve(lamp(), address="127.0.0.1", mdns=False, task_status=task_status)

        server = await nursery.start(start)
        async with await trio.open_tcp_stream("127.0.0.1", server.port):
            pass
        assert len(server.setup_code) == 10
        assert server.setup_uri.startswith("X-HM://")
        nursery.cancel_scope.cancel()
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream("127.0.0.1", server.port)


async def test_a_taken_port_is_the_operating_systems_error() -> None:
    async with open_lamp() as (_, server):
        with pytest.raises(OSError, match="in use"):
            async with open_lamp(port=server.port):
                pytest.fail("two servers on one port")


async def test_a_hundred_connections(house: House) -> None:
    client = await house.pair()
    clients = [house.home.connect("lamp", address=house.address) for _ in range(100)]
    on = house.light.on.id
    values: list[object] = []

    async def use(one: hap_trio.Client) -> None:
        async with one.subscribe([on]) as changes:
            values.append((await one.read([on]))[on].value)
            if len(values) == len(clients):
                house.light.on.value = True
            values.append((await anext(changes)).value)

    async with trio.open_nursery() as nursery:
        for one in clients:
            nursery.start_soon(use, one)
    assert values == [False] * 100 + [True] * 100
    assert (await client.read([on]))[on].value is True


async def test_abrupt_ends_disturb_nobody(house: House) -> None:
    client = await house.pair()
    await client.read([house.light.on.id])
    for opening in (b"", b"GET /acc", b"POST /pair-setup HTTP/1.1\r\nContent-Length: 100\r\n\r\n\x00", bytes(5000)):
        stream = await trio.open_tcp_stream("127.0.0.1", house.server.port)
        if opening:
            await stream.send_all(opening)
        stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        await stream.aclose()  # a reset
    assert client.connected
    assert (await client.read([house.light.on.id]))[house.light.on.id].value is False


async def test_a_peer_that_never_reads_costs_little_memory(house: House) -> None:
    client = await house.pair()
    await client.read([house.light.on.id])
    question = b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n" * 1000
    async with await dial("127.0.0.1", house.server.port) as rude:
        sent = 0

        def unsent() -> int:
            return max(wire.unsent for wire in house.server._pump._wires.values())

        with trio.move_on_after(10):
            while (
                True
            ):  # until nothing goes in any more, and the server, which has stopped to read, sits on its answers
                rest = question[sent % len(question) :]
                taken = rude.send_nowait(rest)
                sent += taken
                if not taken:
                    await trio.testing.wait_all_tasks_blocked(0.02)
                    if rude.send_nowait(question[sent % len(question) :][:1]):
                        sent += 1
                    elif unsent():
                        break
        assert 0 < unsent() < 4 * HIGH_WATER
        assert (await client.read([house.light.on.id]))[house.light.on.id].value is False
    await trio.testing.wait_all_tasks_blocked()
    assert len(house.server._pump._wires) == 1


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


PERSIST = hap_trio.FileStore.persist


def full_later(store: hap_trio.FileStore, key: str, value: bytes) -> None:
    """There is room for the keys that are offered, and none for the pairing they are of."""
    if key == "lamp":
        full()
    PERSIST(store, key, value)


async def test_an_accessory_that_cannot_store_does_not_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house(state=tmp_path / "lamp.json") as house:
        with monkeypatch.context() as broken:
            broken.setattr(hap_trio.FileStore, "persist", full)
            with pytest.raises(Refused):
                await house.pair()
            assert not house.server.paired
        await house.pair()
        assert house.server.paired


async def test_a_controller_that_cannot_store_takes_the_pairing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path / "pairings.json") as house:
        with monkeypatch.context() as broken:
            broken.setattr(hap_trio.FileStore, "persist", full_later)
            with pytest.raises(OSError, match="No space") as failure:
                await house.pair()
        assert not hasattr(failure.value, "__notes__")
        assert not house.server.paired
        assert house.home.aliases == ()


async def test_a_pairing_that_is_lost_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house(tmp_path / "pairings.json") as house:

        def full_and_gone(store: hap_trio.FileStore, key: str, value: bytes) -> None:
            if key == "lamp":
                trio.from_thread.run_sync(house.server.stop)
            full_later(store, key, value)

        with monkeypatch.context() as broken:
            broken.setattr(hap_trio.FileStore, "persist", full_and_gone)
            with pytest.raises(OSError, match="No space") as failure:
                await house.pair()
        assert "pair it again" in failure.value.__notes__[0]


# --- on the network ---------------------------------------------------------------------------------------------------


async def test_is_found_on_the_network_also_after_it_moved(tmp_path: Path) -> None:
    state = tmp_path / "lamp.json"
    async with (
        hap_trio.open_mdns(["127.0.0.1"], probe=False) as mdns,
        hap_trio.open_controller(mdns=mdns) as home,
        AsyncExitStack() as stack,
    ):
        async with open_lamp(state=state, mdns=mdns) as (light, server):
            found = await home.find(server.device_id.lower())
            assert (found.port, found.addresses, found.paired) == (server.port, ("127.0.0.1",), False)
            assert found.model == "Lightbulb"
            client = await home.pair(found, CODE, "lamp")
            async with aclosing(home.discover(10)) as discovery:
                async for news in discovery:
                    if news.device_id == server.device_id and news.paired:
                        break
            await client.read([light.on.id])
            browsing = await stack.enter_async_context(mdns.browse())
            assert isinstance(await anext(browsing), DiscoveredAccessory)
        assert isinstance(await anext(browsing), Gone)  # a goodbye, although the mDNS goes on
        async with open_lamp(state=state, mdns=mdns) as (light, server):
            assert server.port != found.port
            assert (await client.read([light.on.id]))[light.on.id].value is False
            assert home.record("lamp").port == server.port


async def test_discovering_ends_in_time() -> None:
    async with hap_trio.open_mdns(["127.0.0.1"], probe=False) as mdns, hap_trio.open_controller(mdns=mdns) as home:
        async for _ in home.discover(0.05):
            pass
        with pytest.raises(TimedOut, match="was not seen"):
            await home.find("00:00:00:00:00:00", timeout=0.05)


async def test_without_mdns_nothing_is_looked_for(house: House) -> None:
    with pytest.raises(LocalProtocolError, match="without mDNS"):
        await house.home.find(house.server.device_id)


# --- any stream -------------------------------------------------------------------------------------------------------


async def test_over_any_stream(autojump_clock: trio.testing.MockClock) -> None:
    """The whole story over a stream that is no socket, in virtual time."""
    async with open_lamp() as (light, server):
        near, far = trio.testing.memory_stream_pair()
        ended = server.attach(near)
        async with hap_trio.open_connection(far, "lamp") as session:
            await session.do(StartPairSetup())
            pairing = await session.do(FinishPairSetup(SetupCode(CODE)))
            await session.do(VerifyPairing(pairing))
            await session.do(GetAccessories())
            assert (await session.do(Read([light.on.id])))[light.on.id].value is False
            async with session.subscribe([light.on.id]) as changes:
                light.on.value = True
                assert (await anext(changes)).value is True
            assert not ended.is_set()
        with trio.fail_after(5):
            await ended.wait()
        with pytest.raises(Disconnected):
            await session.do(GetAccessories())


async def test_an_accessory_that_never_answers_times_out(autojump_clock: trio.testing.MockClock) -> None:
    _, far = trio.testing.memory_stream_pair()
    async with hap_trio.open_connection(far, request_timeout=3) as session:
        start = trio.current_time()
        with pytest.raises(TimedOut):
            await session.do(Identify())
        assert trio.current_time() - start == pytest.approx(3)
        assert session.closed
        with pytest.raises(Disconnected, match="is closed"):
            await session.do(Identify())


# --- helpers ----------------------------------------------------------------------------------------------------------


async def upto(feed: hap_trio.Feed[Event], kind: type[Event]) -> list[Event]:
    """What has been reported, up to the first of a kind."""
    events = [await anext(feed)]
    while not isinstance(events[-1], kind):
        events.append(await anext(feed))
    return events


async def upto_unsubscribed(feed: hap_trio.Feed[Event]) -> list[CharacteristicId]:
    """What is unsubscribed from next."""
    while True:
        event = await anext(feed)
        if isinstance(event, SubscriptionChanged) and not event.enabled:
            return [event.id]


async def add_controller(house: House, admin: hap_trio.Client) -> hap_trio.Client:
    """A second controller, added by the first."""
    new = new_controller_identity(hap_trio.system_entropy)
    await admin.add_pairing(new.identifier.encode(), new.ltpk, admin=False)
    pairing = evolve(admin.pairing, controller_id=new.identifier, controller_ltsk=new.ltsk)
    await house.home.save(PairedAccessory("second", pairing, addresses=("127.0.0.1",), port=house.server.port))
    return house.home.connect("second")
