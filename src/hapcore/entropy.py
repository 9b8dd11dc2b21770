"""Randomness comes in from outside: the engine never draws it itself, so a recorded session can be replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Entropy", "draw"]

#: `entropy(label, n)` gives `n` fresh, cryptographically strong random bytes. The label names the draw
#: ("pair-verify.x25519"), so that a transcript stores draws by name and a new draw does not shift the old ones.
Entropy: TypeAlias = Callable[[str, int], bytes]


def draw(entropy: Entropy, label: str, length: int) -> bytes:
    """Draw `length` bytes under `label`; a source that returns another number of bytes is the caller's mistake."""
    from hapcore.errors import LocalProtocolError

    data = entropy(label, length)
    if len(data) != length:
        raise LocalProtocolError(f"gave {len(data)} bytes for {label!r}, wanted {length}", argument="entropy")
    return data
