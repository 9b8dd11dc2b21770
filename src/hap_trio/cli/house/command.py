"""Running a command: no shell, an end in any case, and nothing of it left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import DEVNULL, PIPE

import trio

from hap_trio.cli.house.trouble import LARGEST_ANSWER, Trouble

__all__ = ["run"]

#: Seconds that a command has to end in good order when its time is up.
_GRACE = 0.5


async def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, data: bytes | None = None, answers: bool = False
) -> bytes:
    """Run a command with `data` as its standard input; with `answers`, returns what it prints.

    Its complaints go where ours go. Raises `Trouble` for another exit code than 0 and for an answer that is too long.
    Cancelling ends it, and the processes that it has started in its group.
    """
    try:
        process = await trio.lowlevel.open_process(
            list(arguments),
            stdin=DEVNULL if data is None else PIPE,
            stdout=PIPE if answers else DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except OSError as error:
        raise Trouble(f"cannot run {arguments[0]!r}: {error.strerror or error}") from None
    try:
        if process.stdin is not None and data is not None:
            with suppress(trio.BrokenResourceError):  # who does not want it need not read it
                await process.stdin.send_all(data)
            await process.stdin.aclose()
        answer = b"" if process.stdout is None else await _read(process.stdout)
        await process.wait()
    finally:
        await _end(process)
    if process.returncode:
        code = process.returncode
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise Trouble(f"{arguments[0]} {how}")
    return answer


async def _read(stream: trio.abc.ReceiveStream) -> bytes:
    answer = bytearray()
    async for part in stream:
        answer += part
        if len(answer) > LARGEST_ANSWER:
            raise Trouble(f"it printed more than {LARGEST_ANSWER} bytes")
    return bytes(answer)


async def _end(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                await stream.aclose()
        if process.returncode is not None:
            return
        # The whole group, and SIGKILL even where the command itself has gone: what it has started may be deaf.
        for how in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with trio.move_on_after(_GRACE):
                await process.wait()
