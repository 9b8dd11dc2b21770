"""A controller speaks to the proxy, and the accessory behind it hears and answers."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from attrs import evolve
from tests.proxy.house import CODE, LOCAL, Plug, open_house, proxied

import hap_trio
from hapcore.accessory.commands import ReplaceDatabase
from hapcore.accessory.handlers import together
from hapcore.catalogue.characteristics import LOCK_CONTROL_POINT, LOCK_TARGET_STATE, SETUP_ENDPOINTS
from hapcore.catalogue.service_types import CAMERA_RTP_STREAM_MANAGEMENT
from hapcore.catalogue.services import Lightbulb, LockMechanism, StatelessProgrammableSwitch
from hapcore.catalogue.values import LockCurrentState, LockTargetState
from hapcore.codec import tlv8
from hapcore.controller.commands import CharacteristicWrite, Identify
from hapcore.decode.model import Kind
from hapcore.ids import HapStatus
from hapcore.ip.controller import Subscribe, VerifyPairing
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, HapStatusError
from hapcore.model.service import Service
from hapcore.proxy import Filters


async def test_the_same_database_another_device():
    async with proxied([Lightbulb("Shelf", on=True), Lightbulb("Ceiling", on=False)]) as house:
        theirs, ours = await house.behind.accessories(), await house.client.accessories()
        assert ours == tuple(
            evolve(
                accessory,
                services=tuple(
                    evolve(
                        service,
                        # Whether this connection gets events is nothing that the two have in common.
                        characteristics=tuple(
                            evolve(one, ev=ours[at].find(one.iid).ev) for one in service.characteristics
                        ),
                    )
                    for service in accessory.services
                ),
            )
            for at, accessory in enumerate(theirs)
        )
        assert house.client.pairing.accessory_id != house.behind.pairing.accessory_id
        assert house.server.database.accessories[0].category == 2


async def test_one_request_for_one_request():
    light = Lightbulb("Desk lamp", on=False, brightness=40, hue=7, saturation=8)
    reads, writes = [], []
    everything = [light.on, light.brightness, light.hue]
    together(
        everything,
        read=lambda ids, caller: (
            reads.append(ids) or {one: HapStatus.BUSY if one == light.hue.id else 1 for one in ids}
        ),
        write=lambda asked, caller: writes.append(asked) or {light.brightness.id: HapStatus.NOT_ALLOWED},
    )
    async with proxied(light) as house:
        await house.until(lambda: house.behind.connected)
        await house.client.accessories()
        reads.clear()
        ids = [one.id for one in everything]
        found = await house.client.read(ids)
        assert [(one.value, one.status) for one in found.values()] == [(True, 0), (1, 0), (None, HapStatus.BUSY)]
        assert reads == [tuple(ids)]
        done = await house.client.write({light.on.id: True, light.brightness.id: 50})
        assert [one.status for one in done.values()] == [0, HapStatus.NOT_ALLOWED]
        assert [[(one.id, one.value) for one in each] for each in writes] == [
            [(light.on.id, True), (light.brightness.id, 50)]
        ]
        request, answer = house.entries[-2:]
        assert (request.kind, answer.kind, answer.answers) == (Kind.REQUEST, Kind.RESPONSE, request.number)
        assert [(one.name, one.value) for one in request.touched] == [
            ("Lightbulb.On", "true"),
            ("Lightbulb.Brightness", "50"),
        ]
        assert [one.status for one in answer.touched] == [0, HapStatus.NOT_ALLOWED]
        assert answer.took is not None
        assert answer.title == "207 Multi-Status"


async def test_the_database_is_read_at_once():
    light = Lightbulb("Desk lamp", on=False, brightness=40)
    reads = []
    together([light.on, light.brightness], read=lambda ids, caller: reads.append(ids) or dict.fromkeys(ids, 1))
    async with proxied(light) as house:
        await house.until(lambda: house.behind.connected)
        await house.client.read([light.on.id])
        reads.clear()
        (accessory,) = await house.client.accessories()
        assert [accessory.find(one.iid).value for one in (light.on, light.brightness)] == [True, 1]
        assert reads == [(light.on.id, light.brightness.id)]


async def test_timed_remote_and_authorized_writes():
    target = Characteristic(LOCK_TARGET_STATE, LockTargetState.SECURED, perms=["pr", "pw", "ev", "tw", "aa"])
    lock = LockMechanism("Door", lock_current_state=LockCurrentState.SECURED, lock_target_state=target)
    callers = []

    @target.setter
    def turn(value, caller):
        callers.append((value, caller))

    async with proxied(lock) as house:
        write = CharacteristicWrite(target.id, 0, auth_data=b"\x00let me in", remote=True)
        (done,) = (await house.client.write([write], timed=5000)).values()
        assert done.status == 0
        ((value, caller),) = callers
        assert (value, caller.timed, caller.remote) == (LockTargetState.UNSECURED, True, True)
        assert caller.auth_data == b"\x00let me in"
        request = house.last(Kind.REQUEST)
        assert "timed" in request.title
        assert "let me in" not in repr(house.entries)
        assert ("1.10", "remote, authData <10 bytes>") in request.details, request.details


async def test_write_response():
    point = Characteristic(LOCK_CONTROL_POINT, perms=["pr", "pw", "wr"])
    lock = Service(CAMERA_RTP_STREAM_MANAGEMENT, [point])
    point.setter(lambda value, caller: bytes(value) + b"\x02\x01\x07")
    async with proxied(Accessory("Safe", services=[lock])) as house:
        sent = tlv8.encode([(1, b"\x05")])
        write = CharacteristicWrite(point.id, sent, response=True)
        (done,) = (await house.client.write([write])).values()
        assert (done.status, done.value) == (0, sent + b"\x02\x01\x07")


async def test_events_and_presses():
    light, button = Lightbulb("Desk lamp", on=False, brightness=40), StatelessProgrammableSwitch("Button")
    press = button.programmable_switch_event
    async with proxied(Accessory("Desk", services=[light, button])) as house:
        assert (await house.client.read([press.id]))[press.id].value is None
        async with house.client.subscribe([light.on.id, light.brightness.id, press.id]) as changes:
            # The proxy has subscribed to all when it is back from its first look.
            await _subscribed(house)
            light.brightness.value = 77
            assert await _next(changes) == (light.brightness.id, 77)
            for _ in range(2):
                press.value = 0
                assert await _next(changes) == (press.id, 0)
        event = house.last(Kind.EVENT)
        assert [(one.name, one.value) for one in event.touched] == [
            ("StatelessProgrammableSwitch.ProgrammableSwitchEvent", "0 (SINGLE_PRESS)")
        ]


async def test_another_controller_hears_of_a_write():
    light = Lightbulb("Desk lamp", on=False)
    async with proxied(light) as house:
        entry = (await house.client.pairings())[0]
        assert entry.admin
        second = house.home.connect("proxy", f"127.0.0.1:{house.server.port}")
        async with second.subscribe([light.on.id]) as changes:
            await house.client.write({light.on.id: True})
            assert await _next(changes) == (light.on.id, True)


async def test_identify():
    light, asked = Accessory("Desk lamp", services=[Lightbulb("Desk lamp", on=False)]), []
    light.identify(lambda: asked.append(True))
    async with proxied(light) as house:
        await house.client.do(Identify())
        assert asked == [True]
        await house.home.remove("proxy")
        await house.home.identify(f"127.0.0.1:{house.server.port}")
        await house.until(lambda: len(asked) == 2)
        assert house.told("POST /identify")


async def test_tlv8_is_told_by_name():
    endpoints = Characteristic(SETUP_ENDPOINTS, perms=["pr", "pw"])
    camera = Accessory("Camera", services=[Service(CAMERA_RTP_STREAM_MANAGEMENT, [endpoints])])
    key = bytes(range(100, 116))
    address = tlv8.encode([(1, b"\x00"), (2, b"192.0.2.7"), (3, b"\x10\x27"), (4, b"\x11\x27")])
    crypto = tlv8.encode([(1, b"\x00"), (2, key), (3, bytes(14))])
    wanted = tlv8.encode([(1, bytes(16)), (3, address), (4, crypto), (5, crypto)])
    held = []
    endpoints.setter(lambda value, caller: held.append(value))
    async with proxied(camera) as house:
        (done,) = (await house.client.write({endpoints.id: wanted})).values()
        assert done.status == 0
        assert held == [wanted]
        (touched,) = house.last(Kind.REQUEST).touched
        assert touched.name == "CameraRTPStreamManagement.SetupEndpoints"
        assert "192.0.2.7" in touched.value
        assert "10000" in touched.value
        assert key.hex() not in touched.value


async def test_values_beyond_their_limits_pass():
    light = Lightbulb("Desk lamp", on=False, brightness=40)
    async with proxied(light) as house:
        ours = house.server.database.find(*light.brightness.id)
        ours.value = 130  # what an accessory says of itself, as an event brings it
        assert ours.value == 130
        async with house.client.subscribe([light.brightness.id]) as changes:
            ours.value = 131
            assert await _next(changes) == (light.brightness.id, 131)


async def test_what_does_not_fit_is_not_passed_on_but_told():
    light = Lightbulb("Desk lamp", on=False, brightness=40)
    light.brightness.setter(lambda value, caller: pytest.fail("it was passed on"))
    async with proxied(light) as house:
        stream = await trio.open_tcp_stream("127.0.0.1", house.server.port)
        async with hap_trio.open_connection(stream) as session:  # one that does not know what fits
            await session.do(VerifyPairing(house.client.pairing))
            (done,) = (await session.write({light.brightness.id: 300})).values()
        assert done.status == HapStatus.INVALID_VALUE
        assert house.told("a value for Lightbulb.Brightness (1.10) was refused, not passed on")


async def test_statuses_of_the_book_only():
    light = Lightbulb("Desk lamp", on=False)

    @light.on.setter
    def refuse(value, caller):
        raise HapStatusError(HapStatus.OUT_OF_RESOURCES)

    async with proxied(light) as house:
        found = await house.client.write({light.on.id: True, (1, 999): 1})
        assert [one.status for one in found.values()] == [HapStatus.OUT_OF_RESOURCES, HapStatus.DOES_NOT_EXIST]


async def test_away_and_back(tmp_path, nursery):
    light, plug = Lightbulb("Desk lamp", on=False, brightness=40), Plug(nursery, tmp_path / "lamp.json")
    async with open_house(await plug.put_in(light)) as house:
        await house.client.read([light.on.id])
        await plug.pull()
        await house.until(lambda: house.told("away"))
        found = await house.client.read([light.on.id, light.brightness.id])
        assert {one.status for one in found.values()} == {HapStatus.UNABLE_TO_COMMUNICATE}
        (done,) = (await house.client.write({light.on.id: True})).values()
        assert done.status == HapStatus.UNABLE_TO_COMMUNICATE
        async with house.client.subscribe([light.brightness.id]) as changes:
            light = Lightbulb("Desk lamp", on=True, brightness=41)
            await plug.put_in(light)
            # What has changed meanwhile is news as soon as it is back.
            assert await _next(changes) == (light.brightness.id, 41)
            await house.until(lambda: house.told("back"))
            assert (await house.client.read([light.on.id]))[light.on.id].value is True
            await _subscribed(house)
            light.brightness.value = 42
            assert await _next(changes) == (light.brightness.id, 42)


async def test_another_database(tmp_path, nursery):
    light, plug = Lightbulb("Desk lamp", on=False), Plug(nursery, tmp_path / "lamp.json")
    async with open_house(await plug.put_in(light)) as house:
        await house.client.accessories()
        await plug.pull()
        await house.until(lambda: house.told("away"))
        light = Lightbulb("Desk lamp", on=False, brightness=40)
        before = house.server.database
        await plug.put_in(light)
        await house.until(lambda: house.told("database has changed"))
        assert house.server.database is not before
        (accessory,) = await house.client.accessories()
        assert accessory.find(light.brightness.iid).value == 40
        async with house.client.subscribe([light.brightness.id]) as changes:
            await _subscribed(house)
            light.brightness.value = 3
            assert await _next(changes) == (light.brightness.id, 3)


async def test_a_controller_that_reads_the_database_finds_out_first():
    light = Lightbulb("Desk lamp", on=False)
    async with (
        hap_trio.open_server(light, setup_code=CODE, **LOCAL) as served,
        open_house(f"127.0.0.1:{served.port}") as house,
    ):
        await _subscribed(house)
        more = Lightbulb("Desk lamp", on=False, brightness=40)
        await served.do(ReplaceDatabase([Accessory.of(more)]))
        await house.client.accessories()
        await house.until(lambda: house.told("database has changed"))
        async with house.client.subscribe([more.brightness.id]) as changes:
            await _subscribed(house)
            more.brightness.value = 41
            assert await _next(changes) == (more.brightness.id, 41)


# Filters


def _doubling(number):
    async def to_accessory(aid, iid, value, caller):
        assert caller.admin
        return value * 2 if (aid, iid) == number else value

    def to_controller(aid, iid, value):
        return value / 2 if (aid, iid) == number else value

    return Filters(to_accessory, to_controller)


async def test_filters_alter_both_directions():
    light = Lightbulb("Desk lamp", on=False, brightness=40)
    async with proxied(light, _doubling((1, 10))) as house:
        assert light.brightness.id == (1, 10)
        await _subscribed(house)
        assert (await house.client.read([light.brightness.id]))[light.brightness.id].value == 20
        second = house.home.connect("proxy", f"127.0.0.1:{house.server.port}")
        async with second.subscribe([light.brightness.id]) as changes:
            await house.client.write({light.brightness.id: 30, light.on.id: True})
            assert (light.brightness.value, light.on.value) == (60, True)
            assert await _next(changes) == (light.brightness.id, 30)
            light.brightness.value = 90
            assert await _next(changes) == (light.brightness.id, 45)
        assert ("Lightbulb.Brightness", "90 -> 45.0") in house.last(Kind.EVENT).details


async def test_a_filter_that_puts_something_else_in_its_place():
    """Who wrote 30 sees what became of it, like everybody."""
    light = Lightbulb("Desk lamp", on=False, brightness=40)
    async with (
        proxied(light, Filters(lambda aid, iid, value, caller: min(value, 20))) as house,
        house.client.subscribe([light.brightness.id]) as changes,
    ):
        await house.client.write({light.brightness.id: 30})
        assert light.brightness.value == 20
        assert await _next(changes) == (light.brightness.id, 20)


async def test_filters_that_refuse_and_filters_that_fail():
    light = Lightbulb("Desk lamp", on=False, brightness=40)

    def to_accessory(aid, iid, value, caller):
        if iid == light.on.iid:
            raise HapStatusError(HapStatus.INSUFFICIENT_PRIVILEGES)
        return 1 / 0

    async def to_controller(aid, iid, value):
        await trio.lowlevel.checkpoint()
        if iid == light.brightness.iid:
            raise HapStatusError(HapStatus.BUSY)
        return value

    async with proxied(light, Filters(to_accessory, to_controller)) as house:
        await _subscribed(house)
        found = await house.client.read([light.on.id, light.brightness.id])
        assert [(one.value, one.status) for one in found.values()] == [(False, 0), (None, HapStatus.BUSY)]
        done = await house.client.write({light.on.id: True, light.brightness.id: 50})
        assert [one.status for one in done.values()] == [
            HapStatus.INSUFFICIENT_PRIVILEGES,
            HapStatus.UNABLE_TO_COMMUNICATE,
        ]
        assert (light.on.value, light.brightness.value) == (False, 40)
        assert any("ZeroDivisionError" in text for _, text in house.last(Kind.RESPONSE).details)
        async with house.client.subscribe([light.on.id, light.brightness.id]) as changes:
            light.brightness.value = 60  # kept back
            light.on.value = True
            assert await _next(changes) == (light.on.id, True)


async def test_filters_that_return_nonsense():
    light = Lightbulb("Desk lamp", on=False, brightness=40)
    answers = {9: object(), 10: "much", 11: None}
    async with proxied(light, Filters(lambda *_: "much", lambda aid, iid, value: answers.get(iid, value))) as house:
        await _subscribed(house)
        found = await house.client.read([light.on.id, light.brightness.id, (1, 11), (1, 3)])
        assert [one.status for one in found.values()] == [*[HapStatus.UNABLE_TO_COMMUNICATE] * 3, 0]
        details = [text for _, text in house.last(Kind.RESPONSE).details]
        assert any("object is no value" in one for one in details)
        assert any("cannot be shown" in one for one in details)
        (done,) = (await house.client.write({light.brightness.id: 50})).values()
        assert done.status == HapStatus.INVALID_VALUE
        assert light.brightness.value == 40
        light.brightness.value = 41
        await house.until(lambda: house.entries[-1].kind is Kind.EVENT)
        assert any("kept back" in text for _, text in house.entries[-1].details)


async def _next(changes):
    with trio.fail_after(10):
        change = await anext(changes)
    return change.id, change.value


async def _subscribed(house):
    """The proxy gets events: asking for them once more on its connection comes after its own subscription."""
    await house.until(lambda: house.behind.connected)
    await trio.testing.wait_all_tasks_blocked(0.01)
    await house.behind.do(Subscribe([one.id for one in house.server.database.characteristics if one.notifies][:1]))
