"""aiohomekit's Bluetooth LE controller and an accessory of ours, in one process with a virtual air between them.

Reads JSON commands on stdin, prints one JSON line for each, as aiohomekit_controller.py does. The accessory is a lamp;
the first line is `{"event": "ready", "device_id": ..., "ids": {"on": "1.9", ...}}`. What the accessory tells its
application comes as `{"event": "told", "what": CLASS}`, what aiohomekit hears as `{"event": "changed", ...}`.

    discover                     what aiohomekit found by advertisement
    identify                     unpaired identify
    pair        setup_code       pair-setup
    accessories                  the whole database
    get         ids              read
    measure     ids, count       how long so many reads take, each, in milliseconds
    put         values           write
    subscribe   ids
    pairings                     list pairings
    close                        end the connection, keep the pairing
    change      what, value      the application sets a value of the lamp
    links                        how often somebody has connected so far
    remove                       remove our own pairing
    quit
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
import time

from aiohomekit.characteristic_cache import CharacteristicCacheMemory
from aiohomekit.controller.ble.controller import BleController

from hap_asyncio.ble.server import open_peripheral
from hap_asyncio.testing.radio import open_air
from hapcore.catalogue import service_types as types
from hapcore.catalogue.characteristics import common
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.service import Service


def say(**line):
    """Print one JSON line for the test."""
    print(json.dumps(line), flush=True)


def pairs(ids):
    """["1.9"] -> [(1, 9)]"""
    return [tuple(map(int, text.split("."))) for text in ids]


def named(mapping):
    """{(1, 9): x} -> {"1.9": x}"""
    return {f"{aid}.{iid}": value for (aid, iid), value in mapping.items()}


class Lamp:
    """`on` broadcasts, a change of `brightness` raises the state number."""

    def __init__(self):
        self.on = Characteristic(common.ON, False)
        self.brightness = Characteristic(common.BRIGHTNESS, 40, disconnected_events=True)
        self.name = Characteristic(common.NAME, "Lamp")
        self.accessory = Accessory("Lamp", services=[Service(types.LIGHTBULB, [self.on, self.brightness, self.name])])
        self.accessory.identify(lambda: say(event="told", what="identify"))


class Rig:
    """Both sides."""

    def __init__(self, lamp, server, radio):
        self.lamp = lamp
        self.server = server
        self.radio = radio
        self.controller = BleController(CharacteristicCacheMemory())
        self.pairing = None

    async def _discovery(self):
        # Its own `async_find` only looks at what was found before.
        while not self.controller.discoveries:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        return await self.controller.async_find(self.server.device_id.lower(), 5)

    def _changed(self, event):
        if event:
            say(event="changed", values=named({key: row.get("value") for key, row in event.items()}))

    async def do_discover(self, _command):
        """What the advertisement says."""
        found = (await self._discovery()).description
        return {"id": found.id, "name": found.name, "category": int(found.category), "status": int(found.status_flags)}

    async def do_identify(self, _command):
        """Before pairing."""
        return await (await self._discovery()).async_identify()

    async def do_pair(self, command):
        """Pair-setup, under the name by which advertisements are looked up."""
        finish = await (await self._discovery()).async_start_pairing(self.server.device_id.lower())
        self.pairing = await finish(command["setup_code"])
        self.pairing.dispatcher_connect(self._changed)
        return self.pairing.pairing_data["AccessoryPairingID"]

    async def do_accessories(self, _command):
        """The database as aiohomekit gives it."""
        return await self.pairing.list_accessories_and_characteristics()

    async def do_get(self, command):
        """Values by id."""
        return named(await self.pairing.get_characteristics(pairs(command["ids"])))

    async def do_measure(self, command):
        """Milliseconds of each of so many reads, one after the other."""
        times = []
        for _ in range(command["count"]):
            began = time.perf_counter()
            await self.pairing.get_characteristics(pairs(command["ids"]))
            times.append((time.perf_counter() - began) * 1000)
        return times

    async def do_put(self, command):
        """Statuses of what was refused by id; empty when all is well."""
        values = [
            (*key, value) for key, value in zip(pairs(command["values"]), command["values"].values(), strict=True)
        ]
        return named(await self.pairing.put_characteristics(values) or {})

    async def do_subscribe(self, command):
        """Events from now on, connected or not."""
        return named(await self.pairing.subscribe(pairs(command["ids"])) or {})

    async def do_pairings(self, _command):
        """Rows of pairingId, publicKey, permissions, controllerType."""
        return await self.pairing.list_pairings()

    async def do_close(self, _command):
        """End the connection."""
        await self.pairing.close()

    async def do_change(self, command):
        """The application sets a value."""
        getattr(self.lamp, command["what"]).value = command["value"]

    async def do_links(self, _command):
        """How often a central has connected."""
        return self.radio.links

    async def do_remove(self, _command):
        """Remove our own pairing."""
        return await self.pairing.remove_pairing(self.pairing.pairing_data["iOSPairingId"])


async def tell(events):
    """What the accessory tells its application."""
    async for event in events:
        say(event="told", what=type(event).__name__)


@contextlib.asynccontextmanager
async def air_of(bluez):
    """An air that aiohomekit's bleak is in: by a virtual adapter, or by the computer's own Bluetooth."""
    if bluez:
        from tests.bluez.rig import open_bluez

        async with open_bluez() as air:
            yield air
    else:
        async with open_air() as air:
            with (await air.bleak()).as_platform():
                yield air


async def run(mtu, setup_code, bluez):
    """Serve, and obey until `quit` or the end of stdin."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with air_of(bluez) as air:
        # Every accessory has another address: BlueZ keeps the tables of those it has seen.
        address = "F0:" + os.urandom(5).hex(":").upper() if bluez else None
        lamp, radio = Lamp(), await air.peripheral("Lamp", address, max_mtu=mtu)
        async with open_peripheral(lamp.accessory, radio=radio, setup_code=setup_code) as server:
            telling = asyncio.ensure_future(tell(server.events()))
            rig = Rig(lamp, server, radio)
            await rig.controller.async_start()
            ids = {name: "1." + str(getattr(lamp, name).iid) for name in ("on", "brightness", "name")}
            say(event="ready", device_id=server.device_id, ids=ids)
            while line := await reader.readline():
                command = json.loads(line)
                if command["do"] == "quit":
                    break
                try:
                    result = await asyncio.wait_for(getattr(rig, f"do_{command['do']}")(command), 15)
                except Exception as error:  # noqa: BLE001 - the test wants to know
                    say(failed=command["do"], error=type(error).__name__, message=str(error))
                else:
                    say(done=command["do"], result=result)
            if rig.pairing is not None:
                with contextlib.suppress(Exception):
                    await rig.pairing.close()
            await rig.controller.async_stop()
            telling.cancel()


def main():
    """Parse the command line and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mtu", type=int, default=517)
    parser.add_argument("--setup-code", required=True)
    parser.add_argument("--bluez", action="store_true", help="aiohomekit uses the computer's own Bluetooth")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.verbose:
        logging.basicConfig(level=logging.DEBUG)
    asyncio.run(run(options.mtu, options.setup_code, options.bluez))


if __name__ == "__main__":
    main()
