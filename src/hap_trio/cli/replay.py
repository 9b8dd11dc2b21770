"""`hap replay`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hap_trio.cli.common import Problem, emit, json_option, say
from hapcore.replay import Difference, RecordingError, play_controller, read
from hapcore.replay.known import play_known, split

__all__ = ["register"]

#: Recordings are read whole; the largest seen has a third of a megabyte.
MAX_SIZE = 256 * 1024 * 1024


def _record(difference: Difference, why: str | None) -> dict[str, object]:
    return {
        "event": "difference" if why is None else "deliberate",
        "recording": difference.recording,
        "case": difference.scene,
        "connection": difference.track,
        "step": difference.step,
        "time": difference.t,
        "reason": difference.reason,
        "after": difference.cause,
        "recorded": difference.expected,
        "ours": difference.got,
        **({} if why is None else {"why": why}),
    }


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as",
    "role",
    type=click.Choice(["accessory", "controller"]),
    required=True,
    help="Whose place our engine takes.",
)
@json_option
def replay(file: Path, role: str, as_json: bool) -> None:
    """Play a recorded session of other implementations to our engine, and compare what it says by meaning.

    Takes hap-capture/1 and hap-ip-capture-1 files, which hold all secrets and random draws of both sides. Exit code 0:
    alike, or different only where we mean to be; 1: the first difference is shown, decoded, with the request that led
    there.

    \b
    Example: hap replay --as accessory session.json
    """
    if file.stat().st_size > MAX_SIZE:
        raise Problem(f"{file} is larger than {MAX_SIZE >> 20} MiB")
    try:
        script = read(json.loads(file.read_bytes()))
        outcome = play_known(script) if role == "accessory" else play_controller(script)
    except (RecordingError, ValueError, RecursionError) as error:
        raise Problem(f"{file} cannot be played: {error}") from None
    unmeant, meant = split(outcome)
    if as_json:
        for difference, rule in meant:
            emit(_record(difference, rule.why))
        for difference in unmeant:
            emit(_record(difference, None))
        emit({"event": "replayed", "compared": outcome.compared, "skipped": outcome.skipped, "alike": not unmeant})
    else:
        for difference, rule in meant:
            click.echo(f"on purpose: {difference.scene!r} step {difference.step}: {difference.reason}. {rule.why}")
        if unmeant:
            click.echo(str(unmeant[0]))
        more = f", {len(unmeant)} differences" if unmeant else ""
        say(f"{outcome.compared} messages compared{more}: {'not alike' if unmeant else 'alike'}")
    if unmeant:
        raise click.exceptions.Exit(1)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(replay)
