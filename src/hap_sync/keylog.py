"""The key log: where the environment variable HAPKEYLOGFILE names a file, every session's keys are written there.

Whoever has the file can read captures of those sessions: `hap decode CAPTURE --keylog FILE`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Final

from hapcore.engine import Driven, Output
from hapcore.pairing.keylog import SessionKeysMade, write_line

__all__ = ["VARIABLE", "watch"]

VARIABLE: Final = "HAPKEYLOGFILE"
_log = logging.getLogger("hap_sync")
#: The files that could not be written: each is complained about once.
_broken: set[str] = set()


def watch(engine: Driven, report: Callable[[Output], None]) -> Callable[[Output], None]:
    """What to give the engine's outputs to instead of `report`: the same, where no key log is wanted."""
    path = os.environ.get(VARIABLE)
    if not path:
        return report
    engine.tells_keys = True

    def divided(output: Output) -> None:
        if isinstance(output, SessionKeysMade):
            _append(path, write_line(output, time.time()))
        else:
            report(output)

    return divided


def _append(path: str, line: bytes) -> None:
    """One write for a line: several programs may have the same log. Never raises."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(file, 0o600)  # it may have been there before, for everybody
            os.write(file, line)
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        if path not in _broken:
            _broken.add(path)
            _log.warning("the key log %s cannot be written: %s", path, error)
