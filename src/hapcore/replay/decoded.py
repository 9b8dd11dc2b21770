"""Recordings as conversations to read: transcripts of our own engines, and captured sessions of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, cast

from hapcore.crypto.frames import SessionKeys
from hapcore.decode.conversation import Conversation
from hapcore.decode.keys import KeyRing
from hapcore.decode.model import Direction, Entry
from hapcore.decode.names import Rolodex
from hapcore.pairing.keylog import LoggedSession
from hapcore.replay.script import Closed, Expect, Feed, Hangup, Reopen, Script, Secure
from hapcore.transcript import Transcript, TranscriptError

__all__ = ["decode_script", "decode_transcript"]


def decode_transcript(transcript: Transcript, numbers: Iterator[int] | None = None) -> Iterator[Entry]:
    """What was said on the connections of an engine, as its transcript has it. Raises `TranscriptError`."""
    try:
        yield from _decode_transcript(transcript, count() if numbers is None else numbers)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TranscriptError(f"the transcript is damaged: {type(error).__name__}: {error}") from None


def _decode_transcript(transcript: Transcript, numbers: Iterator[int]) -> Iterator[Entry]:
    accessory = transcript.role == "accessory"
    heard, said = Direction.TO_ACCESSORY, Direction.TO_CONTROLLER
    if not accessory:
        heard, said = said, heard
    rolodex = Rolodex()
    talks: dict[int, Conversation] = {}
    time = 0.0
    for line in transcript.lines:
        content = line.content
        out = cast("Mapping[str, Any]", content["out"]) if isinstance(content.get("out"), dict) else None
        number = content.get("connection") if out is None else out.get("connection")
        if "t" in content:
            time = float(content["t"])
        if not isinstance(number, int):
            continue
        if number not in talks:
            host = f"accessory {transcript.engine}" if accessory else str(transcript.header["config"]["host"])
            talks[number] = Conversation(
                f"connection {number} > {host}", address=host, plain=True, rolodex=rolodex, numbers=numbers
            )
            yield from talks[number].open(time)
        talk = talks[number]
        if "message" in content:
            yield from talk.feed(heard, str(content["message"]).encode("latin-1"), time)
        elif out is not None and out.get("$") == "SendBytes":
            plain = str(out["text"]).encode("latin-1") if "text" in out else bytes.fromhex(out["data"]["$bytes"])
            yield from talk.feed(said, plain, time)
        elif content.get("in") == "eof" or (out is not None and out.get("$") == "CloseConnection"):
            yield from talks.pop(number).close(time)
    for talk in talks.values():
        yield from talk.close(time, "the transcript ends")


def decode_script(script: Script) -> Iterator[Entry]:
    """What was said in a captured session of others, decrypted with the keys that are in it."""
    rolodex, numbers = Rolodex(), count()
    address = script.accessory.device_id
    for scene in script.scenes:
        talks: dict[int, Conversation] = {}
        last = 0.0
        for track, _, step in scene.in_order():
            last = step.t
            if track not in talks:
                if isinstance(step, Hangup | Closed | Reopen):
                    continue
                name = f"{scene.name}, {scene.tracks[track].name} > {address}"
                keys = KeyRing(
                    LoggedSession(one.t, b"", address, "", SessionKeys(one.a2c, one.c2a))
                    for one in scene.tracks[track].steps
                    if isinstance(one, Secure)
                )
                talks[track] = Conversation(name, keys, address=address, rolodex=rolodex, numbers=numbers)
                yield from talks[track].open(step.t)
            if isinstance(step, Feed):
                yield from talks[track].feed(Direction.TO_ACCESSORY, step.raw, step.t)
            elif isinstance(step, Expect) and step.raw:
                yield from talks[track].feed(Direction.TO_CONTROLLER, step.raw, step.t)
            elif isinstance(step, Hangup | Closed):
                yield from talks.pop(track).close(step.t)
        for talk in talks.values():
            yield from talk.close(last, "the recording ends")
