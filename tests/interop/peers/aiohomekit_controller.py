"""aiohomekit as the controller, without mDNS: reads JSON commands on stdin, prints one JSON line for each.

A command is `{"do": NAME, ...}`; the answer is `{"done": NAME, "result": ...}` or
`{"failed": NAME, "error": CLASS, "message": ...}`. Events come as `{"event": "changed", "values": {"1.9": ...}}` at any
time. The first line is `{"event": "ready"}`.

    pair        host, port, device_id, setup_code, [feature_flags]   pair-setup
    verify                                                           connect and pair-verify now
    accessories                                                      the whole database
    model                                                            the same, its size and how long it took
    get         ids                                                  read
    poll        ids, batch                                           read so many at a time, and how long it took
    put         values                                               write
    timed       values, ttl                                          /prepare, then a write with its pid
    respond     values                                               write asking for a write-response
    subscribe   ids  /  unsubscribe ids
    pairings                                                         list pairings
    add         identifier, ltpk, admin                              add a pairing
    remove                                                           remove our own pairing
    record                                                           our pairing as its file keeps it
    adopt       record                                               go on with a pairing made elsewhere
    close                                                            end the connection, keep the pairing
    moved       port                                                 the accessory listens elsewhere now
    stranger                                                         pair-verify with an identity nobody paired
    identify    host, port, device_id                                unpaired identify
    quit
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from unittest.mock import MagicMock

from aiohomekit.characteristic_cache import CharacteristicCacheMemory
from aiohomekit.controller.ip.controller import IpController
from aiohomekit.exceptions import AuthenticationError
from aiohomekit.model.categories import Categories
from aiohomekit.model.feature_flags import FeatureFlags
from aiohomekit.model.status_flags import StatusFlags
from aiohomekit.zeroconf import HomeKitService
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALIAS = "bench"
PID = 0x1122334455667788


def say(**line):
    """Print one JSON line for the test."""
    print(json.dumps(line), flush=True)


def pairs(ids):
    """["1.9"] -> [(1, 9)]"""
    return [tuple(map(int, text.split("."))) for text in ids]


def named(mapping):
    """{(1, 9): x} -> {"1.9": x}"""
    return {f"{aid}.{iid}": value for (aid, iid), value in mapping.items()}


class Rig:
    """One controller, at most one pairing."""

    def __init__(self):
        # A controller that is never started asks nothing of zeroconf; what it would have found is given by the test.
        self.controller = IpController(CharacteristicCacheMemory(), MagicMock())
        self.pairing = None

    def _found(self, command):
        return self.controller._make_discovery(
            HomeKitService(
                name="Bench",
                id=command["device_id"].lower(),
                model="Bench",
                feature_flags=FeatureFlags(command.get("feature_flags", 0)),
                status_flags=StatusFlags.UNPAIRED,
                config_num=1,
                state_num=1,
                category=Categories.LIGHTBULB,
                protocol_version="1.1",
                type="_hap._tcp.local.",
                address=command["host"],
                addresses=[command["host"]],
                port=command["port"],
            )
        )

    def _changed(self, event):
        if event:
            say(event="changed", values=named({key: row.get("value") for key, row in event.items()}))

    async def do_pair(self, command):
        """Pair-setup; the result names the accessory and ourselves."""
        discovery = self._found(command)
        try:
            finish = await discovery.async_start_pairing(ALIAS)
            self.pairing = await finish(command["setup_code"])
        finally:
            await discovery.close()
        self.pairing.dispatcher_connect(self._changed)
        data = self.pairing.pairing_data
        return {
            "accessory": data["AccessoryPairingID"],
            "controller": data["iOSPairingId"],
            "ltpk": data["iOSDeviceLTPK"],
        }

    async def do_record(self, _command):
        """What aiohomekit stores of the pairing."""
        return self.pairing.pairing_data

    async def do_adopt(self, command):
        """Load a pairing as if from its file."""
        self.pairing = self.controller.load_pairing(ALIAS, command["record"])

    async def do_verify(self, _command):
        """Connect and verify now rather than at the first request."""
        await self.pairing._ensure_connected()

    async def do_accessories(self, _command):
        """The database as aiohomekit gives it."""
        return await self.pairing.list_accessories_and_characteristics()

    async def do_get(self, command):
        """Values or statuses by id."""
        return named(await self.pairing.get_characteristics(pairs(command["ids"])))

    async def do_model(self, _command):
        """The database, as large as it came."""
        started = time.perf_counter()
        rows = await self.pairing.list_accessories_and_characteristics()
        seconds = time.perf_counter() - started
        found = [one for row in rows for service in row["services"] for one in service["characteristics"]]
        return {"accessories": len(rows), "characteristics": len(found), "seconds": seconds}

    async def do_poll(self, command):
        """Read everything as Home Assistant does: some at a time, one request after the other."""
        started = time.perf_counter()
        wanted, batch, found = pairs(command["ids"]), command["batch"], {}
        for first in range(0, len(wanted), batch):
            found |= await self.pairing.get_characteristics(wanted[first : first + batch])
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "values": {key: row.get("value") for key, row in named(found).items()}}

    async def do_put(self, command):
        """Statuses of what was refused by id; empty when all is well."""
        values = [
            (*key, value) for key, value in zip(pairs(command["values"]), command["values"].values(), strict=True)
        ]
        return named(await self.pairing.put_characteristics(values))

    async def _put(self, command, extra, pid=None):
        rows = [
            {"aid": aid, "iid": iid, "value": value, **extra}
            for (aid, iid), value in zip(pairs(command["values"]), command["values"].values(), strict=True)
        ]
        body = {"characteristics": rows} | ({} if pid is None else {"pid": pid})
        return await self.pairing.connection.put_json("/characteristics", body)

    async def do_timed(self, command):
        """aiohomekit has no timed write; its connection carries the two requests of one."""
        await self.pairing._ensure_connected()
        prepared = await self.pairing.connection.put_json("/prepare", {"ttl": command["ttl"], "pid": PID})
        return {"prepared": prepared, "written": await self._put(command, {}, PID)}

    async def do_respond(self, command):
        """aiohomekit drops the value of a write-response; its connection shows the body."""
        await self.pairing._ensure_connected()
        return await self._put(command, {"r": True})

    async def do_subscribe(self, command):
        """Statuses of what was refused."""
        return named(await self.pairing.subscribe(pairs(command["ids"])) or {})

    async def do_unsubscribe(self, command):
        """Statuses of what was refused."""
        return named(await self.pairing.unsubscribe(pairs(command["ids"])) or {})

    async def do_pairings(self, _command):
        """Rows of pairingId, publicKey, permissions, controllerType."""
        return await self.pairing.list_pairings()

    async def do_add(self, command):
        """Add another controller."""
        permissions = "Admin" if command["admin"] else "User"
        return await self.pairing.add_pairing(command["identifier"], command["ltpk"], permissions)

    async def do_remove(self, _command):
        """Remove ourselves from the accessory and forget it."""
        pairing, self.pairing = self.pairing, None
        self.controller.pairings.clear()
        self.controller.aliases.clear()
        return await pairing.remove_pairing(pairing.pairing_data["iOSPairingId"])

    async def do_close(self, _command):
        """End the connection; aiohomekit never reopens a closed pairing, so the next request gets a fresh one."""
        await self.pairing.close()
        self.pairing = self.controller.load_pairing(ALIAS, self.pairing.pairing_data)
        self.pairing.dispatcher_connect(self._changed)

    async def do_moved(self, command):
        """The accessory has another port now: what mDNS would have told."""
        await self.pairing.close()
        self.pairing = self.controller.load_pairing(
            ALIAS, self.pairing.pairing_data | {"AccessoryPort": command["port"]}
        )
        self.pairing.dispatcher_connect(self._changed)

    async def do_stranger(self, _command):
        """Try to verify with keys the accessory has never seen."""
        key = Ed25519PrivateKey.generate()
        forged = dict(self.pairing.pairing_data)
        forged |= {
            "iOSPairingId": "00000000-0000-4000-8000-00000000dead",
            "iOSDeviceLTSK": key.private_bytes_raw().hex(),
            "iOSDeviceLTPK": key.public_key().public_bytes_raw().hex(),
        }
        other = IpController(CharacteristicCacheMemory(), MagicMock()).load_pairing("stranger", forged)
        try:
            await other._ensure_connected()
        finally:
            with contextlib.suppress(AuthenticationError):  # it raises the refusal of the verify a second time
                await other.close()

    async def do_identify(self, command):
        """Identify an accessory that nobody paired."""
        discovery = self._found(command)
        try:
            return await discovery.async_identify()
        finally:
            await discovery.close()


async def main():
    """Carry out the commands one after the other."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    rig = Rig()
    say(event="ready")
    while line := await reader.readline():
        command = json.loads(line)
        name = command["do"]
        if name == "quit":
            break
        try:
            result = await getattr(rig, f"do_{name}")(command)
            say(done=name, result=result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
            say(failed=name, error=type(error).__name__, message=str(error))
    if rig.pairing is not None:
        await rig.pairing.close()


if __name__ == "__main__":
    asyncio.run(main())
