"""Decoding what was said between a controller and an accessory, from captured bytes and the session's keys."""

from __future__ import annotations

from hapcore.decode.model import Direction, Entry, Kind, Touched

__all__ = ["Direction", "Entry", "Kind", "Touched"]
