"""The command `hap top`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from threading import Thread
from time import monotonic
from typing import Final

import click
import trio
from rich.markup import escape
from rich.table import Table

import hap_trio
from hap_trio.cli.common import adapter_option, console, emit, file_option, interface_option, json_option, plain
from hap_trio.cli.problem import Problem
from hap_trio.cli.radio import radio
from hap_trio.cli.top.board import Board, Lane, Presence
from hap_trio.cli.top.watcher import Watcher
from hapcore.discovery import Transport

__all__ = ["register"]

#: Seconds between two looks at whether everything is known.
_LOOK: Final = 0.05


def _live(watcher: Watcher, board: Board) -> None:
    """The screen, until the user leaves it. It has the main thread, as terminals want it."""
    from hap_trio.cli.top.screen import Top  # it is slow to import, and an extra

    failure: list[BaseException] = []

    def absorb() -> str | None:
        if failure:
            app.exit()
        return watcher.absorb(board)

    app = Top(board, absorb, watcher.write, monotonic)

    def work() -> None:
        try:
            trio.run(watcher.run)
        except BaseException as error:  # noqa: BLE001 - it belongs to the user of the main thread
            failure.append(error)  # the next beat of the screen sees it

    thread = Thread(target=work, name="accessories")
    thread.start()
    try:
        app.run()
    finally:
        watcher.stop()
        thread.join()
    if failure:
        raise failure[0]


async def _once(watcher: Watcher, board: Board, seconds: float) -> bool:
    """Until it is known of all whether they are there, for so many seconds at most. Whether all of them are."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watcher.run)
        with trio.move_on_after(seconds):
            while any(lane.presence is Presence.SOUGHT for lane in board.lanes.values()):
                await trio.sleep(_LOOK)
                watcher.absorb(board)
        watcher.stop()
    return all(lane.presence is Presence.HERE for lane in board.lanes.values())


def _record(lane: Lane) -> dict[str, object]:
    values = [
        {
            "aid": row.handle.aid,
            "iid": row.handle.iid,
            "service": row.service,
            "name": row.handle.name,
            "value": plain(row.value),
            "text": row.text,
        }
        for row in lane.rows.values()
    ]
    return {"alias": lane.alias, "state": lane.presence.value, "reason": lane.reason or None, "values": values}


def _print(board: Board) -> None:
    table = Table("accessory", "", "characteristic", "value", box=None)
    for lane in board.lanes.values():
        state = lane.presence.value if not lane.reason else f"{lane.presence.value}: {lane.reason}"
        rows = list(lane.rows.values())
        if lane.presence is not Presence.HERE or not rows:
            table.add_row(escape(lane.alias), escape(state), "", "")
        else:
            for number, row in enumerate(rows):
                left = ("", "") if number else (escape(lane.alias), state)
                table.add_row(*left, escape(f"{row.service}, {row.handle.name}"), escape(row.text))
    console.print(table)


def _opening(file: str, interfaces: tuple[str, ...]) -> tuple[Callable[[], Watcher], tuple[str, ...]]:
    """How to watch, and the names of those that are paired."""

    async def look() -> tuple[tuple[str, ...], bool]:
        async with hap_trio.open_controller(file, mdns=False) as home:
            over_air = [alias for alias in home.aliases if home.record(alias).transport is Transport.BLE]
            return home.aliases, bool(over_air)

    aliases, over_air = trio.run(look)
    if not aliases:
        raise Problem("nothing is paired yet: `hap discover` finds accessories, `hap pair` pairs one")
    ble = radio() if over_air else None
    among = list(interfaces) or None
    start = partial(hap_trio.open_controller, file, interfaces=among, ble=ble)
    return partial(Watcher, start, monotonic), aliases


@click.command(short_help="Watch all paired accessories on the terminal.")
@click.option("--once", is_flag=True, help="Print what is known of everything, and end.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=10.0, show_default=True, help="How long --once waits for them."
)
@file_option
@interface_option
@adapter_option
@json_option
def top(once: bool, seconds: float, file: str, interfaces: tuple[str, ...], as_json: bool) -> None:
    """Watch all paired accessories on the terminal, and switch and set with the arrow keys.

    A green dot is there, a red one is away, a yellow one is being looked for. ev/min are the changes of the last
    minute, ms is how long a small question takes. With --once, or where there is no terminal, it prints what is known
    and ends; the exit code is 1 then if an accessory is away.

    \b
    Example: hap top
             hap top --once --json
    """
    make, aliases = _opening(file, interfaces)
    watcher, board = make(), Board(aliases)
    if not (once or as_json or not sys.stdout.isatty()):
        if find_spec("textual") is None:
            raise Problem("the live screen needs textual: pip install 'hapcore[top]'; `hap top --once` does without")
        _live(watcher, board)
        return
    complete = trio.run(_once, watcher, board, seconds)
    if as_json:
        for lane in board.lanes.values():
            emit(_record(lane))
    else:
        _print(board)
    if not complete:
        raise click.exceptions.Exit(1)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(top)
