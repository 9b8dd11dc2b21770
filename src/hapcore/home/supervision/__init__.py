"""Watching over paired accessories: they are kept connected, followed, polled, and found again when they are lost."""

from __future__ import annotations

from hapcore.home.supervision.happenings import (
    HAPPENINGS_LIMIT,
    Available,
    DatabaseChanged,
    Gap,
    Happening,
    Source,
    Unavailable,
    ValueChanged,
)

__all__ = [
    "HAPPENINGS_LIMIT",
    "Available",
    "DatabaseChanged",
    "Gap",
    "Happening",
    "Source",
    "Unavailable",
    "ValueChanged",
]
