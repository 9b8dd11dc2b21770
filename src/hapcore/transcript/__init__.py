"""The flight recorder: engines that write down what goes in and what comes out, so that it can be replayed anywhere.

server = RecordedServer(accessories, config=config, state=state, entropy=entropy, sink=lines.append)
connection = RecordedConnection(host, entropy=entropy, sink=lines.append)
(transcript,) = read_transcripts(lines)
"""

from __future__ import annotations

from hapcore.transcript.accessory import RecordedServer
from hapcore.transcript.controller import RecordedConnection
from hapcore.transcript.notes import FORMAT, VERSION, Sink
from hapcore.transcript.peer import RecordedPeer
from hapcore.transcript.peripheral import RecordedPeripheral
from hapcore.transcript.reading import (
    Line,
    Transcript,
    TranscriptError,
    is_transcript,
    read_lines,
    read_transcripts,
    split_lines,
)

__all__ = [
    "FORMAT",
    "VERSION",
    "Line",
    "RecordedConnection",
    "RecordedPeer",
    "RecordedPeripheral",
    "RecordedServer",
    "Sink",
    "Transcript",
    "TranscriptError",
    "is_transcript",
    "read_lines",
    "read_transcripts",
    "split_lines",
]
