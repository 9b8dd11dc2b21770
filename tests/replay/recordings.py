"""The recordings, and what is needed to play each of them to our accessory."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from hapcore.model.database import Database
from hapcore.replay import Outcome, Script, read, whole
from hapcore.replay.known import known_database, play_known
from hapcore.replay.report import Cut

DATA = Path(__file__).parent / "data"
ADK = tuple(sorted(path.stem for path in (DATA / "adk").glob("ip-*.json")))
BLE = tuple(sorted(path.stem for path in (DATA / "adk").glob("ble-*.json")))
FOREIGN = tuple(sorted(path.stem for path in (DATA / "foreign").glob("*.json")))
ALL = ADK + FOREIGN


def path(name: str) -> Path:
    """Where a recording is."""
    return DATA / ("adk" if name in ADK + BLE else "foreign") / f"{name}.json"


def raw(name: str) -> dict:
    """The decoded JSON of a recording."""
    return json.loads(path(name).read_text())


@cache
def script(name: str) -> Script:
    return read(raw(name))


def database(recording: Script) -> Database:
    """A fresh database as the recorded accessory had it."""
    return known_database(recording)


def to_accessory(recording: Script, cut: Cut = whole) -> Outcome:
    return play_known(recording, cut)
