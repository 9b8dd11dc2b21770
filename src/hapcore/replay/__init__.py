"""Playing recorded sessions against the engines: read a recording, drive an engine with it, compare by meaning.

script = replay.read(json.loads(text))
outcome = replay.play_accessory(script, database)
outcome = replay.play_controller(script)
print(outcome.first or "alike")

Transcripts of our own engines, from `hapcore.transcript`, are replayed exactly: `replay_transcript(transcript)`.
"""

from __future__ import annotations

from hapcore.replay import adk, ble, foreign
from hapcore.replay.accessory import AccessoryPlayer, play_accessory
from hapcore.replay.application import Application
from hapcore.replay.controller import play_controller
from hapcore.replay.database import database_from_json, recorded_database
from hapcore.replay.fields import Fields, RecordingError
from hapcore.replay.report import Difference, Outcome, bytewise, whole
from hapcore.replay.script import Script
from hapcore.replay.transcripts import Replayed, assert_replays, replay_lines, replay_transcript

__all__ = [
    "AccessoryPlayer",
    "Application",
    "Difference",
    "Outcome",
    "RecordingError",
    "Replayed",
    "Script",
    "assert_replays",
    "bytewise",
    "database_from_json",
    "play_accessory",
    "play_controller",
    "read",
    "recorded_database",
    "replay_lines",
    "replay_transcript",
    "whole",
]


def read(recording: object) -> Script | ble.Script:
    """Read the decoded JSON of a recording in any of the formats; `RecordingError` for anything else."""
    form = Fields.of(recording).text("format", "")
    if form == adk.FORMAT:
        return adk.read(recording)
    if form == foreign.FORMAT:
        return foreign.read(recording)
    if form == ble.FORMAT:
        return ble.read(recording)
    raise RecordingError(f"format: expected {adk.FORMAT!r}, {foreign.FORMAT!r} or {ble.FORMAT!r}, got {form!r}")
