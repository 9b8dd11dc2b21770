"""Where randomness comes from outside of tests."""

from __future__ import annotations

import os

__all__ = ["system_entropy"]


def system_entropy(label: str, length: int) -> bytes:  # noqa: ARG001 - the label names the draw for recordings
    """The operating system's random bytes."""
    return os.urandom(length)
