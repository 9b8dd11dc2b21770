"""Running commands: no shell, an end in any case, and nothing of it left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from subprocess import DEVNULL, PIPE
from typing import NoReturn

import trio

from hap_trio.cli.house.trouble import LARGEST_ANSWER, Trouble

__all__ = ["listen", "run"]

#: Seconds that a command has to end in good order when its time is up.
_GRACE = 0.5


async def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, data: bytes | None = None, answers: bool = False
) -> bytes:
    """Run a command with `data` as its standard input; with `answers`, returns what it prints.

    Its complaints go where ours go. Raises `Trouble` for another exit code than 0 and for an answer that is too long.
    Cancelling ends it, and the processes that it has started in its group.
    """
    async with _running(arguments, environment, given=data is not None, answers=answers) as process:
        if process.stdin is not None and data is not None:
            with suppress(trio.BrokenResourceError):  # who does not want it need not read it
                await process.stdin.send_all(data)
            await process.stdin.aclose()
        answer = b"" if process.stdout is None else await _read(process.stdout)
        await process.wait()
    if process.returncode:
        raise Trouble(_end_of(arguments[0], process))
    return answer


async def listen(arguments: Sequence[str], environment: Mapping[str, str], tell: Callable[[bytes], object]) -> NoReturn:
    """Run a command that goes on, and `tell` each line that it prints.

    Raises `Trouble` when it ends, and for a line that is too long. Cancelling is as for `run()`.
    """
    async with _running(arguments, environment, given=False, answers=True) as process:
        if process.stdout is not None:
            await _tell_lines(process.stdout, tell)
        await process.wait()
    raise Trouble(_end_of(arguments[0], process))


@asynccontextmanager
async def _running(
    arguments: Sequence[str], environment: Mapping[str, str], *, given: bool, answers: bool
) -> AsyncGenerator[trio.Process, None]:
    """A process, and after the block none."""
    try:
        process = await trio.lowlevel.open_process(
            list(arguments),
            stdin=PIPE if given else DEVNULL,
            stdout=PIPE if answers else DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except OSError as error:
        raise Trouble(f"cannot run {arguments[0]!r}: {error.strerror or error}") from None
    try:
        yield process
    finally:
        await _end(process)


def _end_of(name: str, process: trio.Process) -> str:
    code = process.returncode or 0
    return f"{name} ended with exit code {code}" if code >= 0 else f"{name} was ended by signal {-code}"


async def _tell_lines(stream: trio.abc.ReceiveStream, tell: Callable[[bytes], object]) -> None:
    rest = bytearray()
    async for part in stream:
        rest += part
        *lines, last = rest.split(b"\n")
        rest = last
        if len(rest) > LARGEST_ANSWER:
            raise Trouble(f"it printed a line of more than {LARGEST_ANSWER} bytes")
        for line in lines:
            tell(bytes(line))
    tell(bytes(rest))


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
