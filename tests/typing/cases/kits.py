"""What type checkers know of the testing modules and of the fixtures of the pytest plugin. Never run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import pytest
import trio
import trio.testing

import hap_asyncio
import hap_asyncio.testing
import hap_sync
import hap_sync.testing
import hap_trio
import hap_trio.testing
from hapcore.catalogue.services import Lightbulb
from hapcore.engine import Event
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.controller import CharacteristicChanged, ReadResult, WriteResult
from hapcore.pairing.records import PairingEntry
from hapcore.testing import Damage, Device, News, Pair, Remote, TransportFault, VirtualClock, Weather, seeded_entropy

# --- a product, with the fixtures of the plugin -----------------------------------------------------------------------


@pytest.fixture
def hap_accessory() -> Lightbulb:
    return Lightbulb("Lamp", on=False)


def test_of_a_product(hap_pair: Pair, hap_controller: Remote, hap_accessory: Lightbulb) -> None:
    on = hap_accessory.on.id
    assert_type(hap_pair.controller, Remote)
    assert_type(hap_pair.accessory, Device)
    assert_type(hap_pair.now, float)
    assert_type(hap_pair.errors, list[Exception])
    assert_type(hap_pair.pass_time(1.5), None)
    assert_type(hap_pair.cut(), None)
    assert_type(hap_pair.restart(), None)
    assert_type(hap_pair.new_controller(), Remote)
    assert_type(hap_pair.add_controller(admin=False), Remote)
    assert_type(hap_pair.accessory.paired, bool)
    assert_type(hap_pair.accessory.setup_code, str)
    assert_type(hap_pair.accessory.events(), News[Event])
    assert_type(hap_controller.read([on]), Mapping[CharacteristicId, ReadResult])
    assert_type(hap_controller.read([on])[on].value, Value)
    assert_type(hap_controller.write({on: True}), Mapping[CharacteristicId, WriteResult])
    assert_type(hap_controller.pairings(), tuple[PairingEntry, ...])
    with hap_controller.subscribe([on]) as changes:
        assert_type(changes, News[CharacteristicChanged])
        assert_type(changes.wait().value, Value)
        for change in changes:
            assert_type(change.id, CharacteristicId)

    Pair("lamp")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Pair(hap_accessory, wheather=Weather())  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    hap_pair.pass_time("1 s")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    hap_controller.read(on)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    hap_controller.write({"1.9": True})  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    hap_pair.controller = hap_controller.pair("031-45-154")  # type: ignore[assignment, func-returns-value] # pyright: ignore[reportAttributeAccessIssue]


# --- transports -------------------------------------------------------------------------------------------------------

Weather(delay=0.1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Weather(colour="grey")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
assert_type(seeded_entropy()("label", 16), bytes)


async def on_trio() -> None:
    async def pair() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        return trio.testing.memory_stream_pair()

    async def single() -> trio.abc.Stream:
        return hap_trio.testing.memory_streams()[0]

    await hap_trio.testing.check_transport(pair, limit=60)
    await hap_trio.testing.check_transport(single)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    network = hap_trio.testing.Network(Weather(piece=40))
    near, far = network.streams()
    assert_type(near, hap_trio.testing.MemoryStream)
    assert_type(await far.receive_some(100), bytes)
    assert_type(network.cut_now(), None)
    async with hap_trio.open_server(Lightbulb("Lamp"), mdns=False) as server, hap_trio.open_connection(near):
        server.attach(hap_trio.testing.DamagedStream(far, Damage.DROPS_BYTE))
        network.hosts["lamp"] = server.attach
    network.hosts["lamp"] = 80  # type: ignore[assignment] # pyright: ignore[reportArgumentType]
    hap_trio.testing.DamagedStream(far, "drops")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def number(one: int) -> float:
    return one / 2


def in_virtual_time(network: hap_trio.testing.Network) -> None:
    assert_type(hap_trio.testing.virtual_clock(), trio.testing.MockClock)
    assert_type(hap_trio.testing.run(number, 1), float)
    assert_type(hap_asyncio.testing.run(number(1)), float)
    with network.dialled() as nothing:
        assert_type(nothing, None)
    hap_asyncio.testing.run(number)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def on_asyncio() -> None:
    network = hap_asyncio.testing.Network()
    (reader, writer), far = network.streams(Weather(lost_after=1000))
    assert_type(await reader.read(10), bytes)
    assert_type(await writer.drain(), None)
    async with hap_asyncio.open_server(Lightbulb("Lamp"), mdns=False) as server:
        server.attach(*far)
        server.attach(*hap_asyncio.testing.damaged(*far, Damage.REORDERS))
        network.hosts["lamp"] = server.attach
    hap_asyncio.open_connection(far)  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]


def in_blocking_code(path: Path) -> None:
    with hap_sync.testing.virtual_time(patience=0.01) as clock:
        assert_type(clock, VirtualClock)
        assert_type(clock(), float)
        network = hap_sync.testing.Network(clock=clock)
        near, far = network.transports()
        assert_type(near, hap_sync.testing.MemoryTransport)
        with network.dialled(), hap_sync.open_server(Lightbulb("Lamp"), mdns=False) as server:
            server.attach(far)
            network.hosts["lamp"] = server.attach
            with hap_sync.open_controller(path, mdns=False) as home:
                assert_type(home.pair("lamp:1", server.setup_code, "lamp"), hap_sync.Client)
    try:
        hap_sync.testing.check_transport(network.transports, clock=clock)
    except TransportFault as fault:
        assert_type(fault.check, str)
    hap_sync.testing.check_transport(near)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    hap_sync.testing.memory_transports(clock=0.0)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
