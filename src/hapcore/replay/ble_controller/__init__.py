"""Recordings over Bluetooth LE, played to our controller: it must accept and understand every recorded answer."""

from __future__ import annotations

from hapcore.replay.ble_controller.conversation import Conversation, Tally
from hapcore.replay.ble_controller.layout import knowledge
from hapcore.replay.ble_controller.tape import FORMAT, Tape
from hapcore.replay.report import Outcome

__all__ = ["FORMAT", "play_controller"]


def play_controller(recording: object) -> Outcome:
    """Play the decoded JSON of a recording, each case for itself. `RecordingError` where it is none.

    Handshakes are compared item by item, everything our engine sends in a session byte for byte, with the numbers of
    transactions that were recorded. What no regular controller says is left out.
    """
    tape = Tape.read(recording)
    tally = Tally(tape, knowledge(tape))
    for case in tape.cases:
        Conversation(tally, case).play()
    return Outcome(tuple(tally.differences), tally.compared, tally.skipped, tuple(tally.sent))
