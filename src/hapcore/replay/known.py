"""What is behind a recording: the accessories that are known by name, and the places where ours answers otherwise.

A replay that differs only where a `Deliberate` rule says why is a good one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from hapcore.model.database import Database
from hapcore.replay import ble
from hapcore.replay.accessory import play_accessory
from hapcore.replay.application import Application
from hapcore.replay.bench import bench, lightbulb, lock
from hapcore.replay.bench_application import BenchApplication
from hapcore.replay.database import recorded_database
from hapcore.replay.fields import RecordingError
from hapcore.replay.report import Cut, Difference, Outcome, whole
from hapcore.replay.script import Script

__all__ = ["DELIBERATE", "Deliberate", "deliberate", "known_database", "play_known", "split"]


@frozen
class Deliberate:
    """A kind of difference that is meant: how to tell it by what differs and by the request that led there, and why.

    `differs` and `request` are regular expressions; `differs` has to match as a whole, `request` anywhere.
    """

    name: str
    differs: str
    request: str
    why: str

    def covers(self, difference: Difference) -> bool:
        """Whether this is such a difference."""
        found = re.fullmatch(self.differs, difference.reason) and re.search(self.request, difference.cause)
        return found is not None


DELIBERATE: Sequence[Deliberate] = (
    Deliberate(
        "method-1",
        r"HTTP status 200 instead of 500",
        r"\APOST /pair-setup ",
        "Pair-setup with authentication (method 1) to an accessory without coprocessor: Apple's code accepts M1 and "
        "fails at M4. Ours goes on as if method 0 had been asked for, as other accessories do, so that such "
        "controllers pair.",
    ),
    Deliberate(
        "ble-method-1",
        r"status 00 instead of 06",
        r"\APairSetup: (.*\n)*  Proof: [0-9a-f]{128}(\n|$)",
        "The same over Bluetooth LE, where Apple's code fails at M4 with the PDU status 06.",
    ),
    Deliberate(
        "zero-key",
        r"item PublicKey, EncryptedData missing; item Error too much",
        r"\APOST /pair-verify .*\n(.*\n)*  PublicKey: 0{64}$",
        "An X25519 key of zeros makes a shared secret that everybody knows. Apple's code computes it and answers; ours "
        "refuses with the TLV error Authentication.",
    ),
    Deliberate(
        "empty-identifier",
        r"HTTP status 400 instead of 200",
        r"\APOST /pairings (.*\n)*  Identifier: \n",
        "Apple's code pairs a controller with an empty identifier and a key of zeros. Nobody can prove to have that "
        "key, the pairing only takes up room: the request is malformed, 400.",
    ),
    Deliberate(
        "ble-empty-identifier",
        r"status 06 instead of 00",
        r"\APairingPairings: (.*\n)*  (Identifier: (\n|$)|PublicKey: 0{64})",
        "The same over Bluetooth LE: PDU status 06.",
    ),
    Deliberate(
        "ble-without-empty-identifier",
        r"pairings nobody can prove to have are missing",
        r"\APairingPairings: (.*\n)*  Method: 05",
        "Follows from refusing an empty identifier and a key of zeros: the list is shorter.",
    ),
    Deliberate(
        "without-empty-identifier",
        r"a record missing: Identifier \(empty\)(; a record too much: Identifier [0-9a-f]+)?|item Error missing",
        r"\APOST /pairings (.*\n)*  Method: (05|03\n(.*\n)*  Permissions: )",
        "Follows from refusing an empty identifier: the list has one pairing less, the table has room for one more.",
    ),
    Deliberate(
        "closed-at-once",
        r"the connection is closed, in the recording it stayed open",
        r"\APOST /pair-verify ",
        "Apple's code closes the connections of a removed controller when it next hears from them. Ours closes them at "
        "once, so that a removed controller gets no more events.",
    ),
    Deliberate(
        "many-ids",
        r"HTTP status 200 instead of 500",
        r"\AGET /characteristics",
        "Apple's application had room for fewer than 60 characteristics in one request; ours has room for 2048.",
    ),
    Deliberate(
        "every-padding",
        r"item Error missing; item Proof too much",
        r"\APOST /pair-setup ",
        "B begins with a zero byte, and the two libraries hash it in different ways, so that the right code was "
        "refused. Our accessory takes the proof in each of the ways that occur (HAP 3.3).",
    ),
)


def deliberate(difference: Difference) -> Deliberate | None:
    """The rule that covers a difference, if any."""
    return next((rule for rule in DELIBERATE if rule.covers(difference)), None)


def split(outcome: Outcome) -> tuple[list[Difference], list[tuple[Difference, Deliberate]]]:
    """The differences that nobody meant, and those that are meant with their rules."""
    unmeant: list[Difference] = []
    meant: list[tuple[Difference, Deliberate]] = []
    for difference in outcome.differences:
        rule = deliberate(difference)
        if rule is None:
            unmeant.append(difference)
        else:
            meant.append((difference, rule))
    return unmeant, meant


def known_database(script: Script | ble.Script) -> Database:
    """A fresh database as the recorded accessory had it: known by name, or made of what the recording shows.

    Over Bluetooth LE it has to be known; `RecordingError` if it is not.
    """
    made = {"bench": bench, "lightbulb": lightbulb}.get(script.accessory.app)
    if isinstance(script, ble.Script):
        made = lock if script.accessory.app == "lock" else made
        if made is None:
            raise RecordingError(f"accessory.app: nothing is known of {script.accessory.app!r}")
        return made()
    return made() if made is not None else recorded_database(script)


def play_known(script: Script | ble.Script, cut: Cut = whole) -> Outcome:
    """Play a recording to our accessory, with what is known of the recorded one. Over Bluetooth LE nothing is cut."""
    if isinstance(script, ble.Script):
        return ble.play_accessory(script, known_database(script))
    application = BenchApplication if script.accessory.app == "bench" else Application
    return play_accessory(script, known_database(script), application=application, cut=cut)
