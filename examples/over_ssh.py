"""HAP through the pipes of a child process: a lamp in a network that only ssh reaches.

python examples/over_ssh.py SETUP_CODE COMMAND [ARGUMENT...]

COMMAND connects its standard input and output with the lamp, such as

    ssh -W 192.0.2.7:51826 gateway.example
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import trio

import hap_trio
from hapcore.ip.controller import FinishPairSetup, RemovePairing, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode


@asynccontextmanager
async def tunnel(command: Sequence[str]) -> AsyncGenerator[trio.abc.Stream, None]:
    """What the command reads and writes, as one stream."""
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=False)
        process: trio.Process = await nursery.start(run)
        yield trio.StapledStream(
            cast("trio.abc.SendStream", process.stdin), cast("trio.abc.ReceiveStream", process.stdout)
        )
        nursery.cancel_scope.cancel()  # it ends with its input; where it does not, it is terminated


async def main(code: str, command: Sequence[str]) -> None:
    """Pair, verify, switch on, unpair."""
    async with tunnel(command) as stream, hap_trio.open_connection(stream) as session:
        await session.do(StartPairSetup())
        pairing = await session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        await session.do(VerifyPairing(pairing))
        on = (await session.device()).lightbulb.on
        await session.set(on, True)
        print("on:", await session.get(on))
        await session.do(RemovePairing(pairing.controller_id.encode()))


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2:])
