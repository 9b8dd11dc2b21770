"""A command or a request that did not do what it should."""

from __future__ import annotations

__all__ = ["LARGEST_ANSWER", "Trouble"]

#: Of what is printed or sent back, in bytes: a value, or a page of JSON around it.
LARGEST_ANSWER = 1_000_000


class Trouble(Exception):
    """It has failed; the text says how."""
