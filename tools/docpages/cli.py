"""The help texts of the `hap` command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hap_trio.cli.group import hap

#: The width of the help texts in a wide terminal (100 columns less a margin), whatever the generator runs in.
WIDTH = 98


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from _walk(_context(command, name, context))


def commands() -> dict[str, str]:
    """Name of every command -> what `NAME --help` prints; groups come before what is in them."""
    return {context.command_path: context.get_help() for context in _walk(_context(hap, "hap"))}


def help_text(name: str) -> list[str]:
    """The help of one command as a block."""
    return ["```text", *commands()[name].splitlines(), "```"]
