"""What a demonstration shows: one line for each step, as it happens."""

from __future__ import annotations

import time

from hap_trio.cli.common import emit, say

__all__ = ["Stage"]


class Stage:
    """Numbers the steps; with `timed`, each has the seconds since the first line."""

    def __init__(self, as_json: bool, *, timed: bool = False) -> None:
        self._as_json = as_json
        self._timed = timed
        self._began = time.monotonic()
        self._step = 0

    def show(self, step: str, text: str, **details: object) -> None:
        """A step for machines (name and details) or for people (text, in rich's markup)."""
        self._step += 1
        passed = round(time.monotonic() - self._began, 2)
        if self._as_json:
            emit({"step": self._step, "name": step, **({"time": passed} if self._timed else {}), **details})
            return
        clock = f"[dim]{passed:5.2f} s[/dim]  " if self._timed else ""
        say(f"[bold cyan]{self._step:{2 if self._timed else 1}}[/bold cyan]  {clock}{text}")
