"""Commands that go on, and tell the values of buttons and sensors line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from hap_trio.cli.house.command import listen
from hap_trio.cli.house.trouble import Trouble
from hapcore.errors import ValueRefused
from hapcore.house import Listen

__all__ = ["keep_listening"]

#: Seconds until a command that has ended is started again; twice as many each time, up to the longest.
_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
#: Seconds after which one that ended has worked: it is not its start that fails.
_WORKS = 30.0


async def keep_listening(listens: Iterable[Listen], complain: Callable[[str], object]) -> None:
    """Run all of them until cancelled; `complain(text)` is told of what goes wrong."""
    async with trio.open_nursery() as nursery:
        for one in listens:
            nursery.start_soon(_keep_on, one, complain)


async def _keep_on(one: Listen, complain: Callable[[str], object]) -> None:
    def tell(line: bytes) -> None:
        if line.strip():
            try:
                one.place.characteristic.value = one.value(line)
            except ValueRefused as refusal:
                complain(f"{one.place}: {' '.join(str(refusal).removeprefix('value: ').split())}")

    pause = _PAUSE
    while True:
        begun = trio.current_time()
        try:
            await listen(one.command, one.place.environment(), tell)
        except Trouble as trouble:
            if trio.current_time() - begun >= _WORKS:
                pause = _PAUSE
            complain(f"{one.place}: {trouble}; it is started again in {pause:g} s")
        await trio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
