"""What the user must hear of."""

from __future__ import annotations

from typing import IO, Any

import click

from hap_trio.cli.terminal import clean

__all__ = ["Problem"]


class Problem(click.ClickException):
    """Something the user must hear of: one line on stderr, exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"hap: {clean(self.message)}", err=True, file=file)
