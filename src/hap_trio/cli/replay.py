"""`hap replay`."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import chain
from pathlib import Path

import click

from hap_sync.recording import read_lines
from hap_trio.cli.common import Problem, emit, json_option, say
from hapcore.replay import (
    Difference,
    RecordingError,
    Replayed,
    Script,
    ble_controller,
    play_controller,
    read,
    replay_lines,
)
from hapcore.replay.known import play_known, split
from hapcore.transcript import TranscriptError, is_transcript

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


@click.command(short_help="Play a recorded session to our engine.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as",
    "role",
    type=click.Choice(["accessory", "controller"]),
    help="Whose place our engine takes, for recordings of others.",
)
@json_option
def replay(file: Path, role: str | None, as_json: bool) -> None:
    """Play a recorded session to our engine and compare what it says.

    A transcript, written by the option --record of other commands, must lead to the same outputs again. With --as it
    is a recording of other implementations (hap-capture/1, hap-ip-capture-1 or hap-ble-capture-1, with all secrets and
    random draws of both sides), compared by meaning. Exit code 0: alike, or different only where we mean to be; 1: the
    first difference is shown, decoded, with the request that led there.

    \b
    Example: hap replay lamp.jsonl.gz
             hap replay --as accessory session.json
    """
    if role is None:
        _replay_transcripts(file, as_json)
    else:
        _play(file, role, as_json)


def _replay_transcripts(file: Path, as_json: bool) -> None:
    alike = True
    lines = read_lines(file)
    try:
        # A file that is no transcript may be a recording of others: of those the whole is one line, or few.
        start = next(lines, b"")
        if not is_transcript(start):
            _refuse_recording(start, file)
        for one in replay_lines(chain((start,), lines), file.name):
            _tell(one, as_json)
            alike = alike and one.outcome.first is None
    except TranscriptError as error:
        raise Problem(f"{file} cannot be replayed: {error}") from None
    if not alike:
        raise click.exceptions.Exit(1)


def _tell(one: Replayed, as_json: bool) -> None:
    outcome = one.outcome
    if as_json:
        for difference in outcome.differences:
            emit(_record(difference, None))
        emit(
            {
                "event": "replayed",
                "engine": one.engine,
                "role": one.role,
                "transport": one.transport,
                "compared": outcome.compared,
                "torn": one.torn,
                "alike": outcome.first is None,
            }
        )
        return
    for difference in outcome.differences:
        click.echo(str(difference))
    torn = ", the recording was cut off" if one.torn else ""
    verdict = "alike" if outcome.first is None else "not alike"
    say(f"{one.role} {one.engine}: {outcome.compared} outputs compared{torn}: {verdict}")


def _refuse_recording(start: bytes, file: Path) -> None:
    """Say what is to be done with a recording of others; anything else is left to the reader of transcripts."""
    if not file.is_file() or file.stat().st_size > MAX_SIZE or start[:1] not in (b"{", b"["):
        return
    with suppress(RecordingError, ValueError, RecursionError):
        read(json.loads(file.read_bytes()))
        raise click.UsageError("This is a recording of other implementations: say --as accessory or controller.")


def _play(file: Path, role: str, as_json: bool) -> None:
    if file.stat().st_size > MAX_SIZE:
        raise Problem(f"{file} is larger than {MAX_SIZE >> 20} MiB")
    try:
        recording = json.loads(file.read_bytes())
        script = read(recording)
        if role == "accessory":
            outcome = play_known(script)
        elif isinstance(script, Script):
            outcome = play_controller(script)
        else:
            outcome = ble_controller.play_controller(recording)
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
