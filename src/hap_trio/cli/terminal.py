"""What strangers say, made fit for a terminal: a control character could move the cursor, or worse."""

from __future__ import annotations

import json

from rich.markup import escape

__all__ = ["clean", "clean_json", "tidy"]


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()


def clean(text: str) -> str:
    r"""With everything that cannot be printed as `\n`, `\x1b` or `\u202e`; marks that turn the direction included."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def clean_json(text: str) -> str:
    """The same for JSON in one line, which means the same afterwards."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def tidy(text: str) -> str:
    """The same for text within rich's markup."""
    return escape(clean(text))
