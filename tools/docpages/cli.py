"""The help texts of the `hap` command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hap_trio.cli.group import hap

#: The width of the help texts, whatever terminal the generator runs in.
WIDTH = 100


def commands(command: click.Command = hap, name: str = "hap", parent: click.Context | None = None) -> Iterator[str]:
    """The names of all commands, groups before what is in them."""
    yield name
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            yield from commands(found, f"{name} {inner}", parent)


def help_text(name: str) -> list[str]:
    """What `NAME --help` prints."""
    command: click.Command = hap
    context = click.Context(hap, info_name="hap", terminal_width=WIDTH, max_content_width=WIDTH, **hap.context_settings)
    for inner in name.split()[1:]:
        assert isinstance(command, click.Group), name
        found = command.get_command(context, inner)
        assert found is not None, name
        command = found
        context = click.Context(command, info_name=inner, parent=context, **command.context_settings)
    return ["```text", *command.get_help(context).splitlines(), "```"]
