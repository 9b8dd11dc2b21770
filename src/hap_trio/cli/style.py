"""In which form a command says what it found."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any, TypeVar, cast

import click

__all__ = ["Style", "styled"]

F = TypeVar("F", bound=Callable[..., object])


class Style(Enum):
    """For people, for machines, or for scripts that were written for another tool."""

    TEXT = "text"
    JSON = "json"
    HOMEKIT_PYTHON = "homekit_python"


_format_option = click.option(
    "--format",
    "form_",
    type=click.Choice([one.value for one in Style]),
    help="In whose form: homekit_python is that of its tool, for scripts.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object a line.")


def styled(function: F) -> F:
    """Give a command the options --format and --json; it gets a `style`."""

    @wraps(function)
    def command(*args: Any, form_: str | None, as_json: bool, **more: Any) -> object:
        if as_json and form_ not in (None, Style.JSON.value):
            raise click.UsageError("--json and --format exclude each other.")
        style = Style.JSON if as_json else Style(form_ or Style.TEXT.value)
        return function(*args, style=style, **more)

    return cast("F", _format_option(_json_option(command)))
