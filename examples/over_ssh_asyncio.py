"""over_ssh.py on asyncio, where the pipes of a child process are a reader and a writer.

python examples/over_ssh_asyncio.py SETUP_CODE COMMAND [ARGUMENT...]
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from typing import cast

import hap_asyncio
from hapcore.ip.controller import FinishPairSetup, RemovePairing, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode


async def main(code: str, command: Sequence[str]) -> None:
    """Pair, verify, switch on, unpair."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    reader, writer = cast("tuple[asyncio.StreamReader, asyncio.StreamWriter]", (process.stdout, process.stdin))
    async with hap_asyncio.open_connection(reader, writer) as session:
        await session.do(StartPairSetup())
        pairing = await session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        await session.do(VerifyPairing(pairing))
        on = (await session.device()).lightbulb.on
        await session.set(on, True)
        print("on:", await session.get(on))
        await session.do(RemovePairing(pairing.controller_id.encode()))
    await process.wait()  # it ends with its input


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
