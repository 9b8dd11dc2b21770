"""Setup codes as they are given on the command line, or typed when they are asked for."""

from __future__ import annotations

import click

from hapcore.setup_code import SetupCode

__all__ = ["code_option", "prompted"]


def _code(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what cannot be a setup code before anything is sent."""
    if value is None:
        return None
    try:
        return SetupCode(value, allow_trivial=True).text
    except ValueError as error:
        raise click.BadParameter(str(error).partition(": ")[2], ctx, parameter) from None


code_option = click.option("-p", "--code", callback=_code, help="The setup code, XXX-XX-XXX; asked for when missing.")


def prompted(former: bool) -> str:
    """Ask until it looks like a setup code; in the words of homekit_python if `former`."""
    while True:
        question = "Enter device pin (XXX-YY-ZZZ)" if former else "Setup code (XXX-XX-XXX)"
        answer: str = click.prompt(question, err=not former)
        try:
            return SetupCode(answer, allow_trivial=True).text
        except ValueError as error:
            click.echo(str(error).partition(": ")[2], err=True)
