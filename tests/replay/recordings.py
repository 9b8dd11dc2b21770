"""The recordings, and what is needed to play each of them to our accessory."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tests.replay.bench import bench
from tests.replay.bench_application import BenchApplication
from tests.replay.lightbulb import lightbulb

from hapcore.model.database import Database
from hapcore.replay import Application, Outcome, Script, play_accessory, read, recorded_database, whole
from hapcore.replay.report import Cut

DATA = Path(__file__).parent / "data"
ADK = tuple(sorted(path.stem for path in (DATA / "adk").glob("*.json")))
FOREIGN = tuple(sorted(path.stem for path in (DATA / "foreign").glob("*.json")))
ALL = ADK + FOREIGN


def raw(name: str) -> dict:
    """The decoded JSON of a recording."""
    return json.loads((DATA / ("adk" if name in ADK else "foreign") / f"{name}.json").read_text())


@cache
def script(name: str) -> Script:
    return read(raw(name))


def database(recording: Script) -> Database:
    """A fresh database as the recorded accessory had it."""
    made = {"bench": bench, "lightbulb": lightbulb}.get(recording.accessory.app)
    return made() if made is not None else recorded_database(recording)


def to_accessory(recording: Script, cut: Cut = whole) -> Outcome:
    application = BenchApplication if recording.accessory.app == "bench" else Application
    return play_accessory(recording, database(recording), application=application, cut=cut)
