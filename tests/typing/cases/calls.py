"""What type checkers know of the calls of hap_trio. Never run; read by mypy and pyright.

The same text without `async` and `await` must hold for hap_sync, and with the other name for hap_asyncio.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

import hap_trio as hap
from hapcore.catalogue.services import Lightbulb
from hapcore.catalogue.values import LockCurrentState, LockTargetState
from hapcore.controller.device import Device
from hapcore.discovery import DiscoveredAccessory
from hapcore.engine import Event
from hapcore.home.supervision import DatabaseChanged, Happening, ValueChanged
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.accessory import UpdateValues
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    FinishPairSetup,
    GetAccessories,
    Read,
    ReadResult,
    StartPairSetup,
    Status,
    VerifyPairing,
    Write,
    WriteResult,
)
from hapcore.model.handle import Handle
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing, PairingEntry
from hapcore.setup_code import SetupCode

ON = CharacteristicId(1, 9)

# --- a controller -----------------------------------------------------------------------------------------------------


async def controller(home: hap.Controller, found: DiscoveredAccessory) -> None:
    assert_type(home.connect("lamp"), hap.Client)
    assert_type(await home.pair(found, "031-45-154", "lamp"), hap.Client)
    assert_type(await home.pair("192.0.2.7:51826", "031-45-154", "lamp"), hap.Client)
    assert_type(await home.find("12:34:56:78:9A:BC", timeout=1.0), DiscoveredAccessory)
    async for one in home.discover(timeout=5.0):
        assert_type(one, DiscoveredAccessory)
    async with home.start_pairing(found, "lamp") as started:
        assert_type(started, hap.StartedPairing)
        assert_type(await started.finish("031-45-154"), hap.Client)
    async with home.supervise(["lamp"], [ON, (1, 10)], poll=300, pace=0.5) as happenings:
        assert_type(happenings, hap.Feed[Happening])
        async for item in happenings:
            assert_type(item.alias, str)
            if isinstance(item, ValueChanged):
                assert_type(item.id, Handle[Value])
                assert_type(item.value, Value)
                assert_type(item.id.text(item.value), str)
            elif isinstance(item, DatabaseChanged):
                assert_type(item.device, Device)
    assert_type(await home.identify(found), None)
    assert_type(await home.remove("lamp", force=True), None)

    home.connect(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await home.pair("192.0.2.7:51826", 3145154, "lamp")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await home.pair("192.0.2.7:51826", "031-45-154")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await home.pair(("192.0.2.7", "51826"), "031-45-154", "lamp")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    home.supervise([1])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    await home.remove("lamp", forced=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def client(lamp: hap.Client) -> None:
    assert_type(lamp.pairing, Pairing)
    assert_type(lamp.connected, bool)
    assert_type(await lamp.accessories(), tuple[AccessoryDescription, ...])
    results = await lamp.read([ON], meta=True)
    assert_type(results, Mapping[CharacteristicId, ReadResult])
    assert_type(results[ON].value, Value)
    assert_type(results[ON].status, Status)
    assert_type(await lamp.write({ON: True, (1, 10): 30}, timed=1000), Mapping[CharacteristicId, WriteResult])
    assert_type(await lamp.write([CharacteristicWrite(ON, True)]), Mapping[CharacteristicId, WriteResult])
    assert_type(await lamp.pairings(), tuple[PairingEntry, ...])
    assert_type(await lamp.add_pairing(b"phone", bytes(32), admin=True), None)
    assert_type(await lamp.remove_pairing(b"phone"), None)
    assert_type(await lamp.identify(), None)
    async with lamp.subscribe([ON, (1, 10)]) as changes:
        assert_type(changes, hap.Feed[CharacteristicChanged])
        async for change in changes:
            assert_type(change.id, CharacteristicId)
            assert_type(change.value, Value)

    await lamp.read(ON)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await lamp.read(["1.9"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    await lamp.read([ON], metadata=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await lamp.write({"1.9": True})  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
    await lamp.write({ON: object()})  # type: ignore[dict-item] # pyright: ignore[reportArgumentType]
    await lamp.write({ON: True}, 1000)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await lamp.write({ON: True}, timed="1 s")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await lamp.add_pairing("phone", bytes(32))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    print((await lamp.read([ON]))[ON].valeu)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]


async def typed(lamp: hap.Client) -> None:
    device = await lamp.device()
    assert_type(device, Device)
    light, lock = device.lightbulb, device.lock_mechanism
    assert_type(await lamp.get(light.on), bool)
    assert_type(await lamp.get(lock.lock_target_state), LockTargetState)
    assert_type(await lamp.set(light.on, True), None)
    assert_type(await lamp.set(lock.lock_target_state, LockTargetState.SECURED, timed=2500), None)
    print(await lamp.get(light.on))
    anything: object = await lamp.get(light.on)
    print(anything)
    if light.brightness:
        assert_type(await lamp.get(light.brightness), int)
        await lamp.set(light.brightness, 40)
        await lamp.write({light.on: True, light.brightness: 30})
        results = await lamp.read([light.on, light.brightness, (1, 9)])
        assert_type(light.brightness.typed(results[light.brightness].value), int | None)
    async with lamp.subscribe([light.on, lock.lock_current_state]) as changes:
        async for change in changes:
            assert_type(light.on.typed(change.value), bool | None)
            assert_type(device[change.id], Handle[Value])
    assert_type(await lamp.snapshot(640, 360, aid=2), bytes)

    await lamp.get(light.brightness)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await lamp.get((1, 9))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await lamp.set(light.on, "on")  # type: ignore[misc] # pyright: ignore[reportArgumentType]
    await lamp.set(lock.lock_target_state, LockCurrentState.SECURED)  # type: ignore[misc] # pyright: ignore[reportArgumentType]
    await lamp.snapshot(640)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def session(session: hap.Session, pairing: Pairing) -> None:
    assert_type(await session.do(StartPairSetup()), None)
    assert_type(await session.do(FinishPairSetup(SetupCode("031-45-154"))), Pairing)
    assert_type(await session.do(VerifyPairing(pairing)), None)
    assert_type(await session.do(GetAccessories()), tuple[AccessoryDescription, ...])
    assert_type(await session.do(Read([ON])), Mapping[CharacteristicId, ReadResult])
    assert_type(await session.do(Write([CharacteristicWrite(ON, True)])), Mapping[CharacteristicId, WriteResult])
    assert_type(await session.accessories(), tuple[AccessoryDescription, ...])
    assert_type(await session.read([(1, 9)]), Mapping[CharacteristicId, ReadResult])
    assert_type(session.closed, bool)

    await session.do("read")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await session.do(FinishPairSetup("031-45-154"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await session.do(VerifyPairing())  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


# --- an accessory -----------------------------------------------------------------------------------------------------


async def accessory(light: Lightbulb) -> None:
    async with hap.open_server([light], setup_code="031-45-154", state="lamp.json", mdns=False) as server:
        assert_type(server, hap.AccessoryServer)
        assert_type(server.device_id, str)
        assert_type(server.port, int)
        assert_type(server.paired, bool)
        assert_type(server.events(), hap.Feed[Event])
        assert_type(await server.do(UpdateValues({light.on.id: True})), None)
        async for event in server.events():
            assert_type(event, Event)

    hap.open_server("lamp")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    hap.open_server(light, setup_code=3145154)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    hap.open_server(light, port="51826")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    hap.open_server(light, setupcode="031-45-154")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
