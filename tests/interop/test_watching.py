"""Our controller on trio watches over foreign accessories, which are killed and start again somewhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
from attrs import evolve
from tests.interop.foreign_peers import Foreign, Peers

import hap_trio
from hapcore.errors import LocalProtocolError
from hapcore.home.supervision import (
    Available,
    DatabaseChanged,
    Gap,
    Happening,
    Source,
    Unavailable,
    ValueChanged,
)
from hapcore.ids import CharacteristicId

pytestmark = pytest.mark.trio

#: The longest one test may take: a peer starts twice, on a busy machine.
LIMIT = 90
#: Those that announce themselves on loopback; of the others we are told where they are.
ANNOUNCED = ("homekitpython", "homebridge")
LOOPBACK = ["127.0.0.1"]

each = pytest.mark.parametrize("name", ["happython", "hapnodejs", *ANNOUNCED])


class Rig:
    """A foreign accessory and our controller, paired."""

    def __init__(self, peers: Peers, name: str, directory: Path, stack: AsyncExitStack) -> None:
        self._peers = peers
        self.name = name
        self._state = directory / "peer"
        self._state.mkdir()
        self._stack = stack
        self.home: hap_trio.Controller
        self.accessory: Foreign

    async def start(self) -> None:
        """Start the accessory, for the first time or again."""
        self.accessory, hello = await self._stack.enter_async_context(self._peers.accessory(self.name, self._state))
        self.hello = hello
        self.port = int(hello["port"])
        self.ids = {name: CharacteristicId.parse(text) for name, text in hello["ids"].items()}

    async def tell(self) -> None:
        """Say where it is, if it does not do so itself."""
        if self.name not in ANNOUNCED:
            await self.home.save(evolve(self.home.record("bench"), addresses=("127.0.0.1",), port=self.port))

    async def begin(self, directory: Path) -> None:
        """Pair."""
        await self.start()
        mdns = self.name in ANNOUNCED
        opened = hap_trio.open_controller(directory / "pairings.json", mdns=mdns, interfaces=LOOPBACK if mdns else None)
        self.home = await self._stack.enter_async_context(opened)
        where = await self.home.find(self.hello["device_id"]) if mdns else f"127.0.0.1:{self.port}"
        await self.home.pair(where, self.hello["setup_code"], "bench")
        await self.tell()


async def until(happenings: AsyncIterator[Happening], kind: type[Happening]) -> list[Happening]:
    """What happens, to the first of that kind."""
    told = [await anext(happenings)]
    while not isinstance(told[-1], kind):
        told.append(await anext(happenings))
    return told


@each
async def test_followed_lost_found_again_and_removed(peers: Peers, tmp_path: Path, name: str) -> None:
    with trio.fail_after(LIMIT):
        async with AsyncExitStack() as stack:
            rig = Rig(peers, name, tmp_path, stack)
            await rig.begin(tmp_path)
            home = rig.home
            light = (await home.connect("bench").device()).accessories[rig.ids["on"].aid].lightbulb
            assert (light.on, light.brightness) == (rig.ids["on"], rig.ids["brightness"])
            happenings = await stack.enter_async_context(home.supervise())
            told = await until(happenings, Available)
            assert isinstance(told[0], DatabaseChanged)
            assert {one.id: one.value for one in told if isinstance(one, ValueChanged)}[light.brightness] == 40

            await rig.accessory.command("set brightness 77")
            assert (await until(happenings, ValueChanged))[-1] == ValueChanged(
                "bench", light.brightness, 77, Source.EVENT
            )
            await home.connect("bench").set(light.on, True)
            await rig.accessory.line(event="written", name="on")
            if "button" in rig.ids:
                await rig.accessory.command("press 1")
                assert (await until(happenings, ValueChanged))[-1] == ValueChanged(
                    "bench", rig.ids["button"], 1, Source.EVENT
                )

            before = rig.port
            await rig.accessory.kill()
            assert [type(one) for one in await until(happenings, Unavailable)] == [Unavailable]
            await rig.start()
            assert rig.port != before
            await rig.tell()
            told = await until(happenings, Available)
            assert isinstance(told[-2], Gap)
            assert home.record("bench").port == rig.port

            await rig.accessory.command("set brightness 33")
            assert (await until(happenings, ValueChanged))[-1] == ValueChanged(
                "bench", light.brightness, 33, Source.EVENT
            )
            await home.remove("bench")
            assert isinstance((await until(happenings, Unavailable))[-1], Unavailable)
            with pytest.raises(LocalProtocolError):
                home.record("bench")
