"""Our controller against real accessories: HAP-python and HAP-NodeJS, unmodified, in processes of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from tests.interop.foreign_peers import WRONG_CODE, Foreign, Peers

import hap_trio
from hapcore.crypto.secret import Secret
from hapcore.errors import PairingRefused, Refused
from hapcore.ids import CharacteristicId, HapStatus
from hapcore.ip.controller import CharacteristicWrite
from hapcore.setup_code import SetupPayload
from hapcore.state import encode_pairings

pytestmark = pytest.mark.trio

#: The longest one test may take.
LIMIT = 60

both = pytest.mark.parametrize("name", ["happython", "hapnodejs"])


class Bench:
    """A running foreign accessory and our controller, not paired yet."""

    def __init__(self, accessory: Foreign, hello: dict, controller: hap_trio.Controller) -> None:
        self.accessory = accessory
        self.controller = controller
        self.where = f"{hello['host']}:{hello['port']}"
        self.device_id: str = hello["device_id"]
        self.code: str = hello["setup_code"]
        self.uri: str = hello["setup_uri"]
        ids = {name: CharacteristicId.parse(text) for name, text in hello["ids"].items()}
        self.on, self.brightness, self.button = ids["on"], ids["brightness"], ids["button"]
        self.lock, self.echo = ids["lock_target"], ids["echo"]

    async def pair(self) -> hap_trio.Client:
        """Pair under the alias "bench"."""
        client = await self.controller.pair(self.where, self.code, "bench")
        assert (await self.accessory.line(event="paired"))["ok"]
        return client


@asynccontextmanager
async def bench(peers: Peers, name: str, directory: Path) -> AsyncIterator[Bench]:
    state = directory / "peer"
    state.mkdir()
    with trio.fail_after(LIMIT):
        async with (
            peers.accessory(name, state) as (accessory, hello),
            hap_trio.open_controller(directory / "pairings.json", mdns=False) as controller,
        ):
            yield Bench(accessory, hello, controller)


@both
async def test_database(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        accessories = await client.accessories()
        assert [one.aid for one in accessories] == [1]
        found = {one.iid: one for service in accessories[0].services for one in service.characteristics}
        assert found[rig.on.iid].type == "00000025-0000-1000-8000-0026BB765291"
        assert found[rig.brightness.iid].metadata.max == 100
        assert found[rig.brightness.iid].value == 40
        assert rig.controller.record("bench").pairing.accessory_id.upper() == rig.device_id.upper()


@both
async def test_read_and_write(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        before = await client.read([rig.on, rig.brightness])
        assert before[rig.on].value is False
        assert before[rig.brightness].value == 40
        written = await client.write({rig.on: True, rig.brightness: 55})
        assert {one.status for one in written.values()} == {HapStatus.SUCCESS}
        assert (await rig.accessory.line(event="written", name="on"))["value"] in (True, 1)
        assert (await rig.accessory.line(event="written", name="brightness"))["value"] == 55
        after = await client.read([rig.on, rig.brightness])
        assert (after[rig.on].value, after[rig.brightness].value) == (True, 55)


@both
async def test_read_of_an_unknown_characteristic_has_a_status(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        results = await client.read([rig.on, (1, 9999)])
        assert results[rig.on].value is False
        assert results[CharacteristicId(1, 9999)].status != HapStatus.SUCCESS


@both
async def test_timed_write(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        written = await client.write({rig.lock: 1}, timed=3000)
        assert written[rig.lock].status == HapStatus.SUCCESS
        assert (await rig.accessory.line(event="written", name="lock_target"))["value"] == 1


@both
async def test_timed_write_by_itself_where_the_database_asks_for_it(peers: Peers, tmp_path: Path, name: str) -> None:
    """HAP-NodeJS refuses a plain write here, so this passes only if our controller prepared it."""
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        written = await client.write({rig.lock: 1})
        assert written[rig.lock].status == HapStatus.SUCCESS
        assert (await rig.accessory.line(event="written", name="lock_target"))["value"] == 1


@both
async def test_write_response(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        written = await client.write([CharacteristicWrite(rig.echo, "stressed", response=True)])
        assert written[rig.echo].status == HapStatus.SUCCESS
        assert written[rig.echo].value == "desserts"


@both
async def test_events(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        async with client.subscribe([rig.brightness, rig.button]) as changes:
            await rig.accessory.command("set brightness 77")
            await rig.accessory.command("press 1")
            missing = {(rig.brightness, 77), (rig.button, 1)}
            while missing:
                change = await anext(changes)
                missing.discard((change.id, change.value))
            # A request between events: responses and events come over one connection.
            assert (await client.read([rig.on]))[rig.on].value is False
        await rig.accessory.command("set brightness 78")
        assert (await client.read([rig.brightness]))[rig.brightness].value == 78


@both
async def test_pairings_are_listed_added_and_removed(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        ours = client.pairing.controller_id.encode()
        (row,) = await client.pairings()
        assert (row.identifier.upper(), row.ltpk, row.admin) == (ours.upper(), client.pairing.controller_ltpk, True)
        guest = b"AAAAAAAA-0000-4000-8000-00000000CAFE"
        await client.add_pairing(guest, bytes(range(32)), admin=False)
        rows = {one.identifier.upper(): one for one in await client.pairings()}
        assert rows.keys() == {ours.upper(), guest}
        assert not rows[guest].admin
        await client.remove_pairing(guest)
        assert len(await client.pairings()) == 1


@both
async def test_unpaired_again(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        await client.read([rig.on])
        await rig.controller.remove("bench")
        await rig.accessory.line(event="unpaired")
        assert rig.controller.aliases == ()
        await rig.pair()
        assert (await rig.controller.connect("bench", rig.where).read([rig.on]))[rig.on].value is False


@both
async def test_kept_pairing_works_after_a_restart_of_the_controller(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        await (await rig.pair()).aclose()
        async with hap_trio.open_controller(tmp_path / "pairings.json", mdns=False) as other:
            client = other.connect("bench")
            assert (await client.read([rig.on]))[rig.on].value is False


@both
async def test_wrong_setup_code(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        with pytest.raises(PairingRefused) as refusal:
            await rig.controller.pair(rig.where, WRONG_CODE, "bench")
        assert (refusal.value.error, refusal.value.step) == (2, 4)
        assert rig.controller.aliases == ()
        await rig.pair()


@both
async def test_paired_accessory_refuses_another_pairing(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        await rig.pair()
        with pytest.raises(PairingRefused) as refusal:
            await rig.controller.pair(rig.where, rig.code, "again")
        assert (refusal.value.error, refusal.value.step) == (6, 2)


@both
async def test_unknown_controller_is_refused(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        await rig.pair()
        record = rig.controller.record("bench")
        stranger = attrs.evolve(
            record.pairing,
            controller_id="AAAAAAAA-0000-4000-8000-00000000DEAD",
            controller_ltsk=Secret(bytes(range(32))),
        )
        forged = tmp_path / "forged.json"
        forged.write_bytes(encode_pairings({"bench": attrs.evolve(record, pairing=stranger)}))
        forged.chmod(0o600)
        async with hap_trio.open_controller(forged, mdns=False) as other:
            with pytest.raises(PairingRefused) as refusal:
                await other.connect("bench", rig.where).read([rig.on])
        assert (refusal.value.error, refusal.value.step) == (2, 4)
        assert (await rig.controller.connect("bench", rig.where).read([rig.on]))[rig.on].value is False


async def test_identify_before_pairing(peers: Peers, tmp_path: Path) -> None:
    """HAP-python has no /identify at all."""
    async with bench(peers, "hapnodejs", tmp_path) as rig:
        await rig.controller.identify(rig.where)
        await rig.pair()
        with pytest.raises(Refused):
            await rig.controller.identify(rig.where)


@both
async def test_their_setup_uri_is_read(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        payload = SetupPayload.parse(rig.uri)
        assert payload.code is not None
        assert payload.code.text == rig.code
        assert (payload.category, payload.ip, payload.ble) == (5, True, False)
