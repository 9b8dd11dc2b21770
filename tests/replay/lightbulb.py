"""The example light bulb of Apple's SDK, as in the recorded session."""

from __future__ import annotations

from tests.replay.bench import lightbulb

__all__ = ["lightbulb"]
