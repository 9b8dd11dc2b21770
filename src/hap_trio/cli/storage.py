"""`hap init`: a pairings file before the first pairing."""

from __future__ import annotations

from pathlib import Path

import click

from hap_sync.store import FileStore
from hap_trio.cli.common import Problem, emit, file_option, json_option, say, tidy
from hapcore.state import PAIRINGS

__all__ = ["register"]


@click.command()
@file_option
@json_option
def init(file: str, as_json: bool) -> None:
    """Make an empty pairings file that only its owner can read. The other commands make it, too, when they need it.

    A file that is there is left as it is, and the exit code is 1.

    \b
    Example: hap init -f pairings.json
    """
    if Path(file).exists():
        raise Problem(f"{file} is there already: it is left as it is")
    FileStore(file, PAIRINGS).replace({})
    if as_json:
        emit({"event": "initialised", "file": file})
    else:
        say(f"{tidy(file)} is ready.")


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(init)
