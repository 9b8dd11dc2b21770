"""A home of many accessories in one process, each paired from the start with the one controller there is.

First line: `{"pairings": {alias: ...}}`, in the form of homekit_python and aiohomekit. Commands, one JSON object a
line, each with an answer:

    change  rate, seconds   that many changes a second, each of the next accessory: `{"done": N}`
    counts                  since the last time: `{"connections": N, "pieces": N}`, pieces of input of the engines
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from itertools import cycle
from os import urandom
from pathlib import Path

import hap_asyncio
from hapcore.catalogue.services import Lightbulb, TemperatureSensor
from hapcore.ip.accessory import Server
from hapcore.model.accessory import Accessory
from hapcore.pairing.records import PairedController, new_controller_identity, new_identity
from hapcore.state import encode_state

CODE = "031-45-154"
COUNTS = {"connections": 0, "pieces": 0}


class Counting(Server):
    """An accessory that counts what reaches it."""

    def connection_opened(self, now):
        """One more connection."""
        COUNTS["connections"] += 1
        return super().connection_opened(now)

    def receive_data(self, connection, data, now):
        """One more piece; a controller with one request under way sends each in one."""
        COUNTS["pieces"] += 1
        super().receive_data(connection, data, now)


def _entropy(_label: str, count: int) -> bytes:
    return urandom(count)


async def main(count: int, folder: Path) -> None:
    """Serve until stdin ends."""
    controller = new_controller_identity(_entropy)
    known = PairedController(controller.identifier.encode(), controller.ltpk, admin=True)
    pairings, lamps = {}, []
    async with AsyncExitStack() as stack:
        for number in range(count):
            identity = new_identity(_entropy)
            table = {"identity": identity.to_json(), f"pairing/{known.identifier.hex()}": known.encode()}
            state = folder / f"{number}.json"
            state.write_bytes(encode_state(table))
            lamp = Lightbulb(on=False, brightness=40)
            things = Accessory(f"Lamp {number}", services=[lamp, TemperatureSensor(current_temperature=20.0)])
            server = await stack.enter_async_context(
                hap_asyncio.open_server(
                    things, state=state, setup_code=CODE, address="127.0.0.1", mdns=False, engine=Counting
                )
            )
            lamps.append(lamp)
            pairings[f"lamp-{number}"] = {
                "AccessoryPairingID": identity.device_id,
                "AccessoryLTPK": identity.signer.public.hex(),
                "iOSPairingId": controller.identifier,
                "iOSDeviceLTSK": controller.ltsk.reveal().hex(),
                "iOSDeviceLTPK": controller.ltpk.hex(),
                "AccessoryIP": "127.0.0.1",
                "AccessoryPort": server.port,
                "Connection": "IP",
            }
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print(json.dumps({"pairings": pairings}), flush=True)
        turn = cycle(lamps)
        while line := await reader.readline():
            command = json.loads(line)
            if command["do"] == "counts":
                answer = dict(COUNTS)
                COUNTS.update(connections=0, pieces=0)
            else:
                answer = {"done": await _change(turn, command["rate"], command["seconds"])}
            print(json.dumps(answer), flush=True)


async def _change(turn, rate: int, seconds: float) -> int:
    """Switch one lamp after the other, evenly over the time."""
    begin, done = time.perf_counter(), 0
    while done < rate * seconds:
        for _ in range(int((time.perf_counter() - begin) * rate) - done):
            lamp = next(turn)
            lamp.on.value = not lamp.on.value
            done += 1
        await asyncio.sleep(0.01)
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    with tempfile.TemporaryDirectory() as where:
        asyncio.run(main(parser.parse_args().count, Path(where)))
