"""More of our controller against real accessories, on trio; test_controllers.py has what every adapter is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from tests.interop.foreign_peers import Foreign, Peers

import hap_trio
from hapcore.crypto.secret import Secret
from hapcore.errors import PairingRefused, Refused
from hapcore.ids import CharacteristicId, HapStatus
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
async def test_read_of_an_unknown_characteristic_has_a_status(peers: Peers, tmp_path: Path, name: str) -> None:
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        results = await client.read([rig.on, (1, 9999)])
        assert results[rig.on].value is False
        assert results[CharacteristicId(1, 9999)].status != HapStatus.SUCCESS


@both
async def test_timed_write_by_itself_where_the_database_asks_for_it(peers: Peers, tmp_path: Path, name: str) -> None:
    """HAP-NodeJS refuses a plain write here, so this passes only if our controller prepared it."""
    async with bench(peers, name, tmp_path) as rig:
        client = await rig.pair()
        written = await client.write({rig.lock: 1})
        assert written[rig.lock].status == HapStatus.SUCCESS
        assert (await rig.accessory.line(event="written", name="lock_target"))["value"] == 1


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
