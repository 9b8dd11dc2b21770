"""The command group: options that all commands share, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, cast

import click

from hap_trio.cli import (
    accessories,
    code,
    decode,
    demo,
    discover,
    moving,
    pairing,
    pairings,
    proxy,
    replay,
    serve,
    snapshot,
    state,
    storage,
    top,
    values,
    watching,
)
from hap_trio.cli.terminal import clean
from hapcore.errors import HapError

__all__ = ["hap"]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside exception groups: concurrent tasks may have failed together."""
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _words(error: HapError | OSError) -> str:
    """What an error says; of the system's, its words and the file, but no number."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def _fail(error: BaseException) -> NoReturn:
    """One clear line on stderr for what is expected to go wrong; anything else is our fault and says so."""
    leaves = list(_leaves(error))
    if any(isinstance(one, KeyboardInterrupt) for one in leaves):
        sys.exit(130)
    for one in leaves:
        if isinstance(one, click.ClickException | click.exceptions.Exit | click.Abort):
            raise one
        if isinstance(one, BrokenPipeError):
            # Whoever read our output has seen enough, `head` for example. What is left must not be tried again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        if isinstance(one, HapError | OSError):
            text = " ".join(_words(one).split()) or type(one).__name__
            notes = "".join(f" ({note})" for note in getattr(one, "__notes__", ()))
            click.echo(f"hap: {clean(text + notes)}", err=True)
            sys.exit(1)
    first = leaves[0]
    click.echo(f"hap: internal error, please report it: {type(first).__name__}: {clean(str(first))}", err=True)
    sys.exit(1)


class _Group(click.Group):
    """A group whose commands never show a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a user
            _fail(error)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hapcore", prog_name="hap")
def hap() -> None:
    """Speak the HomeKit Accessory Protocol: serve accessories, and control them.

    \b
    Try it:       hap demo
    Serve a lamp: hap serve lightbulb --state lamp.json
    Control it:   hap discover
                  hap pair -d 12:34:56:78:9A:BC -a lamp
                  hap put -a lamp -c 1.9 true

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
    """


_COMMANDS: tuple[Callable[[click.Group], None], ...] = (
    demo.register,
    serve.register,
    code.register,
    state.register,
    storage.register,
    discover.register,
    accessories.register,
    values.register,
    watching.register,
    snapshot.register,
    top.register,
    pairing.register,
    pairings.register,
    moving.register,
    replay.register,
    decode.register,
    proxy.register,
)
for _register in _COMMANDS:
    _register(hap)
