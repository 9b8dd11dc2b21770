"""Record the session in foreign.pcapng and foreign.keys anew: HAP-python serves, aiohomekit controls, dumpcap listens.

    HAPCORE_PEERS=DIR python -m tests.decode.data.record

DIR is where `tests/interop/setup_peers.py` installed the peers. Needs dumpcap (Debian: tshark) and the right to capture
on the loopback interface.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path

import trio
from tests.interop.foreign_peers import SETUP_CODE, Foreign, Peers, running

HERE = Path(__file__).parent
CAPTURE, KEYS, TOLD = HERE / "foreign.pcapng", HERE / "foreign.keys", HERE / "foreign.json"


async def talk(lamp: Foreign, listening: dict, home: Foreign) -> dict[str, object]:
    """Everything that a session has; what the controller was told."""
    ids = listening["ids"]
    where = {name: listening[name] for name in ("host", "port", "device_id")}
    told: dict[str, object] = {"listening": listening}
    told["pair"] = await home.do("pair", **where, setup_code=SETUP_CODE)
    told["accessories"] = await home.do("accessories")
    told["get"] = await home.do("get", ids=[ids["on"], ids["brightness"]])
    told["put"] = await home.do("put", values={ids["on"]: True, ids["brightness"]: 70})
    await home.do("subscribe", ids=[ids["on"], ids["button"]])
    await lamp.command("set on false")
    await home.changed({ids["on"]: False})
    await lamp.command("press 1")
    await home.changed({ids["button"]: 1})
    told["timed"] = await home.do("timed", values={ids["lock_target"]: 1}, ttl=5000)
    told["respond"] = await home.do("respond", values={ids["echo"]: "abc"})
    told["refused"] = await home.do("put", values={ids["brightness"]: 1000})
    told["pairings"] = await home.do("pairings")
    await home.do("close")
    told["again"] = await home.do("get", ids=[ids["on"]])
    await home.do("remove")
    return told


async def main(peers: Peers) -> None:
    """Record."""
    KEYS.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as state:
        async with peers.accessory("happython", Path(state)) as (lamp, listening):
            dump = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {listening['port']}", "-w", str(CAPTURE)]
            process = await trio.lowlevel.open_process(dump, stderr=subprocess.PIPE)
            said = b""
            while b"File: " not in said:
                said += await process.stderr.receive_some()
            command = [peers.python, str(HERE / "aiohomekit_with_keys.py")]
            async with running("aiohomekit", command, {"HAPKEYLOGFILE": str(KEYS)}) as home:
                await home.line(event="ready")
                told = await talk(lamp, listening, home)
            await trio.sleep(1)
            process.terminate()
            await process.wait()
    # On what machine it was recorded is nobody's business.
    release = platform.release().encode()
    CAPTURE.write_bytes(CAPTURE.read_bytes().replace(release, b"x" * len(release)))
    CAPTURE.chmod(0o644)
    TOLD.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    trio.run(main, Peers(Path(os.environ["HAPCORE_PEERS"]).resolve()))
