"""Decoding the files that the tests have or make."""

from __future__ import annotations

import io

from hap_trio.cli.captures import Capture
from hapcore.decode import Entry, KeyRing, Kind, Traffic


def heard(file: bytes, keys: KeyRing | None = None) -> list[Entry]:
    """All entries of a capture that is whole."""
    stream = io.BytesIO(file)
    capture = Capture(stream, stream.read(4))
    traffic = Traffic(keys)
    entries = [entry for packet in capture for entry in traffic.feed(*packet)]
    entries += traffic.close()
    assert capture.trouble is None
    assert [entry.number for entry in entries] == list(range(len(entries)))
    return entries


def said(entries: list[Entry]) -> list[str]:
    """What was said, without when and where."""
    shown = []
    for entry in entries:
        text = ", ".join(f"{one.name}={one.value}" for one in entry.touched)
        shown.append(f"{entry.direction.value}: {entry.title}" + (f" [{text}]" if text else ""))
    return shown


def gaps(entries: list[Entry]) -> list[str]:
    """What is said to be missing."""
    return [entry.title for entry in entries if entry.kind in (Kind.GAP, Kind.NOTE)]
