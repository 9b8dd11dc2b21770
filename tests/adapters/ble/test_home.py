"""Our controller over unmodified bleak, a virtual air, our accessory on Bumble: what a home does, end to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bumble.device import Connection
from tests.adapters.ble.home import CODE, Home, Lamp, heard, open_home
from tests.adapters.ble.table import in_the_air

from hap_asyncio.ble.central import open_central
from hap_asyncio.ble.client import PeerClient, open_peer
from hap_sync.store import MemoryStore
from hapcore.accessory.commands import ReplaceDatabase
from hapcore.accessory.events import PairingAdded, SessionClosed, SessionOpened, SubscriptionChanged
from hapcore.ble.controller.events import AvailabilityChanged, DatabaseChanged
from hapcore.ble.controller.states import Link
from hapcore.controller.commands import FinishPairSetup, StartPairSetup
from hapcore.controller.events import CharacteristicChanged
from hapcore.errors import Disconnected, HapError, PairingRefused
from hapcore.ids import HapStatus
from hapcore.model.characteristic import HapStatusError
from hapcore.setup_code import SetupCode

#: Seconds without work after which a link is dropped in these tests.
QUICK = 0.1


async def parted(peer: PeerClient) -> None:
    """Until the link is dropped."""
    while peer.peer.link is not Link.IDLE:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("like_bluez", [False, True])
@pytest.mark.parametrize("mtu", [23, 185, 517])
@in_the_air
async def test_a_home(mtu: int, like_bluez: bool):
    async with open_home(max_mtu=mtu, like_bluez=like_bluez) as home:
        lamp, seen = home.lamp, home.server.events()
        async with open_peer(home.central, device_id=home.server.device_id, store=home.store) as peer:
            await peer.do(StartPairSetup())
            home.pairing = await peer.do(FinishPairSetup(SetupCode(CODE)))
            assert (await heard(seen, PairingAdded)).admin
            accessories = await peer.accessories()
            assert [one.type[:8].lstrip("0") for one in accessories[0].services] == ["3E", "43", "A2"]
            read = await peer.read([lamp.on.id, lamp.brightness.id, lamp.name.id])
            assert [one.value for one in read.values()] == [False, 50, "Lamp"]
            await peer.write({lamp.on.id: True, lamp.brightness.id: 80})
            assert (lamp.on.value, lamp.brightness.value) == (True, 80)
            assert len(await peer.pairings()) == 1
            async with peer.subscribe([lamp.on.id]) as changes:
                lamp.on.value = False
                assert await anext(changes) == CharacteristicChanged(lamp.on.id, False)
        await heard(seen, SessionClosed)
        assert home.server.paired


@in_the_air
async def test_a_wrong_setup_code():
    async with open_home() as home:
        async with open_peer(home.central, device_id=home.server.device_id) as peer:
            await peer.do(StartPairSetup())
            with pytest.raises(PairingRefused):
                await peer.do(FinishPairSetup(SetupCode("111-22-334")))
        assert not home.server.paired
        await home.pair()
        assert home.server.paired


@in_the_air
async def test_timed_writes():
    async with open_home() as home, home.paired() as peer:
        written: list[bool] = []
        home.lamp.swing.setter(lambda value, caller: written.append(caller.timed))
        await peer.write({home.lamp.swing.id: 1})  # the database says that it wants one
        await peer.write({home.lamp.on.id: True}, timed=2000)
        assert written == [True]
        assert home.lamp.on.value is True


@in_the_air
async def test_handlers_are_asked():
    async with open_home() as home, home.paired() as peer:

        async def slowly() -> int:
            await asyncio.sleep(0.01)
            return 33

        def broken(_: bool) -> None:
            raise HapStatusError(HapStatus.RESOURCE_BUSY)

        home.lamp.brightness.getter(lambda _: slowly())
        home.lamp.on.setter(lambda value, _: broken(value))
        assert (await peer.read([home.lamp.brightness.id]))[home.lamp.brightness.id].value == 33
        assert (await peer.write({home.lamp.on.id: True}))[home.lamp.on.id].status != HapStatus.SUCCESS
        assert home.lamp.on.value is False


@in_the_air
async def test_a_session_is_resumed():
    async with open_home() as home, home.paired(idle_timeout=QUICK) as peer:
        seen = home.server.events()
        home.server._peripheral.resumable.clear()  # as after a restart
        await peer.read([home.lamp.on.id])
        assert not (await heard(seen, SessionOpened)).resumed
        await parted(peer)
        assert peer.peer._session.resume is not None
        before = home.radio.links
        await peer.read([home.lamp.on.id])
        assert (await heard(seen, SessionOpened)).resumed
        assert home.radio.links == before + 1


@in_the_air
async def test_a_disconnected_event():
    """The state number is advertised, the controller connects and reads what changed."""
    async with open_home() as home, home.paired(idle_timeout=QUICK) as peer:  # noqa: SIM117 - too long for one line
        async with peer.subscribe([home.lamp.brightness.id]) as changes:
            await parted(peer)
            home.lamp.brightness.value = 77
            assert await anext(changes) == CharacteristicChanged(home.lamp.brightness.id, 77)


@in_the_air
async def test_a_broadcast():
    """The changed value itself is advertised, encrypted: nobody connects."""
    async with open_home() as home, home.paired(idle_timeout=QUICK) as peer:  # noqa: SIM117 - too long for one line
        async with peer.subscribe([home.lamp.on.id]) as changes:
            await parted(peer)
            before = home.radio.links
            home.lamp.on.value = True
            assert await anext(changes) == CharacteristicChanged(home.lamp.on.id, True)
            assert home.radio.links == before


@in_the_air
async def test_what_was_learnt_is_kept():
    async with open_home() as home:
        await home.pair()
        async with home.paired() as peer:
            events = peer.events()
            assert peer.peer.accessories
            await peer.read([home.lamp.on.id])
        assert not [event async for event in events if isinstance(event, DatabaseChanged)]


@in_the_air
async def test_another_database():
    async with open_home() as home, home.paired(idle_timeout=QUICK) as peer:
        events = peer.events()
        await peer.read([home.lamp.on.id])
        other = Lamp()
        other.name.value = "Other"
        other.service.characteristics.remove(other.swing)
        await home.server.do(ReplaceDatabase([other.accessory]))
        await parted(peer)
        assert (await peer.read([other.name.id]))[other.name.id].value == "Other"
        found = await heard(events, DatabaseChanged)
        assert other.swing.type.uuid not in [one.type for one in found.accessories[0].services[1].characteristics]
        other.on.value = True
        assert (await peer.read([other.on.id]))[other.on.id].value is True


def cut_at(home: Home, step: int, *, answered: bool) -> Callable[[], bool]:
    """Have the accessory drop the link at the access with this number, before or after the answer; tells whether."""
    radio, count = home.radio, 0
    asked = radio._ask

    async def ask(connection: Connection, what: Callable[[int], Awaitable[Any]]) -> Any:
        nonlocal count
        count += 1
        result = await asked(connection, what) if answered or count != step else None
        if count == step:
            await radio.drop(radio.links)
        return result

    radio._ask = ask

    def over() -> bool:
        radio._ask = asked
        return count >= step

    return over


@pytest.mark.parametrize("answered", [False, True])
@in_the_air
async def test_dropped_at_every_step_of_a_session(answered: bool):
    """Of resuming, reading, a plain and a timed write: the next call is fine."""
    async with open_home() as home:
        await home.pair()
        for step in range(1, 40):
            async with home.paired() as peer:
                over = cut_at(home, step, answered=answered)
                for what in (
                    peer.read([home.lamp.on.id]),
                    peer.write({home.lamp.on.id: True}),
                    peer.write({home.lamp.swing.id: 1}),
                ):
                    with contextlib.suppress(Disconnected):
                        await what
                happened = over()
                assert (await peer.read([home.lamp.name.id]))[home.lamp.name.id].value == "Lamp", step
            if not happened:
                break
        assert 10 < step < 39


async def set_up(home: Home) -> None:
    """Pair, and no more."""
    async with open_peer(home.central, device_id=home.server.device_id) as peer:
        await peer.do(StartPairSetup())
        await peer.do(FinishPairSetup(SetupCode(CODE)))


@pytest.mark.parametrize("answered", [False, True])
@in_the_air
async def test_dropped_at_every_step_of_pair_setup(answered: bool):
    """It can be begun again, unless the accessory has stored the pairing: then only its last answer was lost."""
    late: list[int] = []
    for step in range(1, 20):
        async with open_home() as home:
            over = cut_at(home, step, answered=answered)
            try:
                await set_up(home)
            except Disconnected:
                assert over()
                if home.server.paired:
                    late.append(step)
                else:
                    await set_up(home)
            assert home.server.paired
            if not over():
                break
    assert 5 < step < 19
    assert len(late) <= 1


@in_the_air
async def test_a_write_that_was_cut_is_not_repeated():
    async with open_home() as home, home.paired() as peer:
        await peer.read([home.lamp.on.id])
        calls: list[bool] = []

        async def never(value: bool) -> None:
            calls.append(value)
            await asyncio.Event().wait()

        home.lamp.on.setter(lambda value, _: never(value))
        writing = asyncio.ensure_future(peer.write({home.lamp.on.id: True}))
        while not calls:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        await home.radio.drop(home.radio.links)
        with pytest.raises(Disconnected):
            await writing
        await peer.read([home.lamp.name.id])
        assert calls == [True]


@in_the_air
async def test_lost_fresh_connections():
    async with open_home() as home, home.paired() as peer:
        home.air.lose_connections(2)
        assert (await peer.read([home.lamp.name.id]))[home.lamp.name.id].value == "Lamp"


@in_the_air
async def test_a_cancelled_read():
    async with open_home() as home, home.paired() as peer:
        await peer.read([home.lamp.on.id])
        free = asyncio.Event()

        async def slowly() -> int:
            await free.wait()
            return 12

        home.lamp.brightness.getter(lambda _: slowly())
        reading = asyncio.ensure_future(peer.read([home.lamp.brightness.id]))
        await asyncio.sleep(0.02)
        reading.cancel()
        await asyncio.wait([reading])
        free.set()
        assert (await peer.read([home.lamp.name.id]))[home.lamp.name.id].value == "Lamp"


@in_the_air
async def test_out_of_range_and_back():
    async with open_home() as home, home.paired() as peer:
        await peer.read([home.lamp.on.id])
        home.air.vanish(home.radio.device)
        events = peer.events()
        reading = asyncio.ensure_future(peer.read([home.lamp.name.id]))
        await asyncio.sleep(0.3)
        assert not reading.done()
        home.air.come_back(home.radio.device)
        assert (await reading)[home.lamp.name.id].value == "Lamp"
        assert not [one for one in events._items if isinstance(one, AvailabilityChanged) and not one.reachable]


@in_the_air
async def test_two_controllers_take_turns():
    """One central at a time: who comes second waits until the first has let go."""
    async with open_home() as home, home.paired(idle_timeout=QUICK) as one:  # noqa: SIM117 - as above
        async with open_central(await home.air.bleak()) as other_computer:
            assert home.pairing is not None
            async with open_peer(other_computer, home.pairing, store=MemoryStore(), idle_timeout=QUICK) as two:
                results = await asyncio.gather(
                    *(peer.read([home.lamp.name.id]) for peer in (one, two) for _ in range(2)), return_exceptions=True
                )
                assert [next(iter(one.values())).value for one in results if isinstance(one, dict)] == ["Lamp"] * 4


@in_the_air
async def test_without_a_radio():
    class Broken:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        async def start(self) -> None:
            raise OSError("no Bluetooth adapter")

    class Backend:
        client = scanner = Broken

    async with open_home() as home, open_central(Backend()) as central:  # noqa: SIM117 - as above
        async with open_peer(central, device_id=home.server.device_id) as peer:
            with pytest.raises(HapError, match="no Bluetooth adapter"):
                await peer.do(StartPairSetup())


@in_the_air
async def test_the_state_file_keeps_the_accessory(tmp_path):
    state = tmp_path / "lamp.json"
    async with open_home(state=state) as home:
        await home.pair()
        device_id, pairing, store = home.server.device_id, home.pairing, home.store
    async with open_home(state=state) as home:
        assert home.server.device_id == device_id
        home.pairing, home.store = pairing, store
        async with home.paired() as peer:
            assert (await peer.read([home.lamp.name.id]))[home.lamp.name.id].value == "Lamp"


@in_the_air
async def test_subscriptions_are_seen_by_the_accessory():
    async with open_home() as home, home.paired() as peer:
        seen = home.server.events()
        async with peer.subscribe([home.lamp.on.id]):
            event = await heard(seen, SubscriptionChanged)
            assert (event.id, event.enabled) == (home.lamp.on.id, True)
