"""Our accessory against a real controller: aiohomekit, unmodified, in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from tests.interop.foreign_peers import SETUP_CODE, WRONG_CODE, Foreign, PeerFailedError, Peers

import hap_trio
from hapcore.catalogue import services
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata, Permission

pytestmark = pytest.mark.trio

#: The longest one test may take.
LIMIT = 60

ECHO = CharacteristicType(
    "Echo",
    "C0FFEE00-0000-4000-8000-0000000000E0",
    Metadata(Format.STRING, (Permission.READ, Permission.WRITE, Permission.WRITE_RESPONSE)),
    str,
)
TIMED = (Permission.READ, Permission.WRITE, Permission.EVENTS, Permission.TIMED_WRITE)


class Lamp:
    """The accessory that is served: a light with an echo, a button and a lock."""

    def __init__(self) -> None:
        self.light = services.Lightbulb(on=False, brightness=40)
        self.button = services.StatelessProgrammableSwitch()
        self.lock = services.LockMechanism()
        self.written: list[tuple[str, object]] = []
        self.identified = 0
        self.on, self.brightness = self.light.on, self.light.brightness
        self.press = self.button.programmable_switch_event
        target = self.lock.lock_target_state
        self.lock_target = target
        self.echo = self.light.add(Characteristic(ECHO, ""))
        self.on.setter(lambda value, _caller: self.written.append(("on", value)))
        self.echo.setter(lambda value, _caller: value[::-1])
        self.accessory = Accessory("Bench", services=[self.light, self.button, self.lock])

        @self.accessory.identify
        def identify() -> None:
            self.identified += 1


class Bench:
    """Our running accessory and aiohomekit, not paired yet."""

    def __init__(self, lamp: Lamp, server: hap_trio.AccessoryServer, controller: Foreign) -> None:
        self.lamp = lamp
        self.server = server
        self.controller = controller
        self.where = {"host": "127.0.0.1", "port": server.port, "device_id": server.device_id}
        self.on, self.brightness = str(lamp.on.id), str(lamp.brightness.id)
        self.button, self.lock, self.echo = str(lamp.press.id), str(lamp.lock_target.id), str(lamp.echo.id)

    async def pair(self) -> dict:
        """Pair; what aiohomekit knows then."""
        return await self.controller.do("pair", setup_code=SETUP_CODE, **self.where)


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[Lamp, hap_trio.AccessoryServer]]:
    lamp = Lamp()
    async with hap_trio.open_server(
        lamp.accessory,
        state=directory / "state.json",
        setup_code=SETUP_CODE,
        address="127.0.0.1",
        mdns=False,
    ) as server:
        yield lamp, server


@asynccontextmanager
async def bench(peers: Peers, directory: Path) -> AsyncIterator[Bench]:
    with trio.fail_after(LIMIT):
        async with peers.controller() as controller, serving(directory) as (lamp, server):
            yield Bench(lamp, server, controller)


async def test_pair_and_database(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        assert not rig.server.paired
        known = await rig.pair()
        assert known["accessory"].upper() == rig.server.device_id.upper()
        assert rig.server.paired
        (accessory,) = await rig.controller.do("accessories")
        found = {one["iid"]: one for service in accessory["services"] for one in service["characteristics"]}
        on = found[rig.lamp.on.id.iid]
        assert (on["type"], on["format"]) == ("00000025-0000-1000-8000-0026BB765291", "bool")
        assert not on["value"]
        assert found[rig.lamp.brightness.id.iid]["value"] == 40


async def test_read_and_write(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        before = await rig.controller.do("get", ids=[rig.on, rig.brightness])
        assert (bool(before[rig.on]["value"]), before[rig.brightness]["value"]) == (False, 40)
        assert await rig.controller.do("put", values={rig.on: True, rig.brightness: 55}) == {}
        assert rig.lamp.written == [("on", True)]
        assert rig.lamp.brightness.value == 55
        after = await rig.controller.do("get", ids=[rig.on, rig.brightness])
        assert (bool(after[rig.on]["value"]), after[rig.brightness]["value"]) == (True, 55)


async def test_bad_requests_get_statuses(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        answer = await rig.controller.do("get", ids=[rig.on, "1.9999"])
        assert not answer[rig.on]["value"]
        assert answer["1.9999"]["status"] == -70409
        refused = await rig.controller.do("put", values={rig.brightness: 101})
        assert refused[rig.brightness]["status"] == -70410
        assert rig.lamp.brightness.value == 40


async def test_timed_write(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        answer = await rig.controller.do("timed", values={rig.lock: 1}, ttl=3000)
        assert answer["prepared"] == {"status": 0}
        assert answer["written"] == {}
        assert rig.lamp.lock_target.value == 1


async def test_write_response(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        answer = await rig.controller.do("respond", values={rig.echo: "stressed"})
        (row,) = answer["characteristics"]
        assert (row["status"], row["value"]) == (0, "desserts")


async def test_events(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        assert await rig.controller.do("subscribe", ids=[rig.brightness, rig.button]) == {}
        rig.lamp.brightness.value = 77
        rig.lamp.press.value = 1
        await rig.controller.changed({rig.brightness: 77, rig.button: 1})
        assert await rig.controller.do("unsubscribe", ids=[rig.brightness, rig.button]) == {}
        rig.lamp.brightness.value = 78
        assert (await rig.controller.do("get", ids=[rig.brightness]))[rig.brightness]["value"] == 78


async def test_pairings_are_listed_added_and_removed(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        known = await rig.pair()
        (row,) = await rig.controller.do("pairings")
        assert (row["pairingId"], row["publicKey"], row["permissions"]) == (known["controller"], known["ltpk"], 1)
        guest = "aaaaaaaa-0000-4000-8000-00000000cafe"
        assert await rig.controller.do("add", identifier=guest, ltpk="11" * 32, admin=False) is True
        rows = await rig.controller.do("pairings")
        assert [(one["pairingId"], one["permissions"]) for one in rows] == [(known["controller"], 1), (guest, 0)]
        assert await rig.controller.do("remove") is True
        assert not rig.server.paired


async def test_paired_again_after_removal(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        await rig.controller.do("get", ids=[rig.on])
        assert await rig.controller.do("remove") is True
        await rig.pair()
        assert not (await rig.controller.do("get", ids=[rig.on]))[rig.on]["value"]


async def test_connection_closed_and_made_again(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        await rig.controller.do("verify")
        await rig.controller.do("close")
        assert not (await rig.controller.do("get", ids=[rig.on]))[rig.on]["value"]


async def test_wrong_setup_code(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        with pytest.raises(PeerFailedError, match="AuthenticationError"):
            await rig.controller.do("pair", setup_code=WRONG_CODE, **rig.where)
        assert not rig.server.paired
        await rig.pair()


async def test_paired_accessory_refuses_another_pairing(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        with pytest.raises(PeerFailedError, match="UnavailableError"):
            await rig.pair()


async def test_unknown_controller_is_refused(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.pair()
        with pytest.raises(PeerFailedError, match="AuthenticationError"):
            await rig.controller.do("stranger")
        assert not (await rig.controller.do("get", ids=[rig.on]))[rig.on]["value"]


async def test_identify_before_pairing(peers: Peers, tmp_path: Path) -> None:
    async with bench(peers, tmp_path) as rig:
        await rig.controller.do("identify", **rig.where)
        assert rig.lamp.identified == 1
        await rig.pair()
        with pytest.raises(PeerFailedError):
            await rig.controller.do("identify", **rig.where)
        assert rig.lamp.identified == 1


async def test_paired_accessory_restarts(peers: Peers, tmp_path: Path) -> None:
    with trio.fail_after(LIMIT):
        async with peers.controller() as controller:
            async with serving(tmp_path) as (lamp, server):
                await Bench(lamp, server, controller).pair()
                device_id = server.device_id
                lamp.on.value = True
                assert (await controller.do("get", ids=[str(lamp.on.id)]))[str(lamp.on.id)]["value"]
            async with serving(tmp_path) as (lamp, server):
                assert (server.device_id, server.paired) == (device_id, True)
                await controller.do("moved", port=server.port)
                assert not (await controller.do("get", ids=[str(lamp.on.id)]))[str(lamp.on.id)]["value"]
