"""hap_trio watching over a whole home. First line, commands and answers are those of with_aiohomekit.py beside it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, version

import trio

import hap_trio
from hapcore.home.supervision import Available, Source, ValueChanged
from hapcore.migration.pairings import read_pairings

HEARD = {Source.EVENT: 0, Source.READ: 0, Source.POLL: 0}


async def main() -> None:
    """Carry out the commands."""
    stdin = trio.lowlevel.FdStream(sys.stdin.fileno())
    versions = {}
    for name in ("hapcore", "trio", "cryptography"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "-"
    print(json.dumps({"versions": versions}), flush=True)
    async with hap_trio.open_controller(mdns=False) as home, trio.open_nursery() as nursery:
        rest = b""
        async for chunk in stdin:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if command["do"] == "start":
                    answer = await nursery.start(_watch, home, command["pairings"])
                else:
                    answer = {"count": HEARD[Source.EVENT] + HEARD[Source.POLL]}
                    HEARD.update(dict.fromkeys(HEARD, 0))
                print(json.dumps(answer), flush=True)
        nursery.cancel_scope.cancel()


async def _watch(home, pairings, *, task_status) -> None:
    for record in read_pairings(json.dumps(pairings).encode()).pairings:
        await home.save(record)
    missing = set(home.aliases)
    async with home.supervise() as happenings:
        async for one in happenings:
            if isinstance(one, ValueChanged):
                HEARD[one.source] += 1
            elif isinstance(one, Available) and missing:
                missing.discard(one.alias)
                if not missing:
                    task_status.started({"count": len(pairings), "values": HEARD[Source.READ]})


if __name__ == "__main__":
    trio.run(main)
