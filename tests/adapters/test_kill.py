"""Killed at any moment, accessories and controllers have forgotten nothing that they acknowledged (law 10)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    program = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "100", "7"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    for part in ("pairings", "failures", "controllers"):
        assert found[part]["lost"] == 0, found
        assert found[part]["acknowledged"] > 0, "the kills came before anything could happen"
    assert found["pairings"]["kills"] == 100
    outcomes = [found["controllers"][one] for one in ("usable", "nothing", "half")]
    assert sum(outcomes) == found["controllers"]["kills"] == 25
