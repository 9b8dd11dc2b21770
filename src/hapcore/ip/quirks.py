"""Deviations on the wire that real accessories are known for, and what is done about each: one table, with sources.

Deviations in what a database says are in `hapcore.model.quirks`; these are about HTTP messages and their JSON.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["WIRE_QUIRKS", "WireQuirk"]


@frozen
class WireQuirk:
    """One deviation: a name that its test carries, who does it, who reported it, and what this library does."""

    id: str
    device: str
    source: str
    what: str


WIRE_QUIRKS: Final = (
    WireQuirk(
        "early-braces",
        "accessories built on Apple's SDK",
        "observed; HAP 8.7",
        "GET /characteristics with meta, perms or ev closes each object before the extra keys; the brace is moved",
    ),
    WireQuirk("positive-status", "myQ", "aiohomekit", "70411 instead of -70411: the sign is put back"),
    WireQuirk("unknown-status", "Nanoleaf", "aiohomekit", "codes outside the book, such as -6, stay numbers"),
    WireQuirk(
        "status-at-top",
        "Honeywell T9 and T10",
        "aiohomekit",
        "one status for the whole answer and no list: every characteristic asked for gets it",
    ),
    WireQuirk("missing-status", "several", "HAP 8.8", "an entry of a 207 without a status counts as success"),
    WireQuirk("entry-no-object", "TaHoma", "aiohomekit 465", "entries of the list that are no objects are skipped"),
    WireQuirk("any-order", "HAP-NodeJS", "HAP 8.7", "answers come in the order of completion: they are matched by id"),
    WireQuirk("all-failed-400", "homekit_python", "HAP 8.7", "400 with a list of statuses is read as a 207"),
    WireQuirk("refused-prepare-200", "HAP-python", "HAP 9.3", "200 with a status other than 0 refuses the timed write"),
    WireQuirk("pairing-4xx", "homekit_python, brutella/hap", "HAP 4.5", "TLV in a 4xx answer is read like in a 200"),
    WireQuirk("empty-event", "Homebridge", "homekit_python 151", "events without a body are only signs of life"),
    WireQuirk(
        "reversed-duplicates",
        "HAP-NodeJS",
        "HAP 8.10",
        "several values of one characteristic come newest first: entries are reported from the last to the first",
    ),
    WireQuirk("null-event", "accessories built on Apple's SDK", "HAP 8.10", "null is a failed read, not a change"),
    WireQuirk(
        "multiple-of-1024",
        "brutella/hap",
        "HAP 7",
        "a request of exactly n * 1024 bytes is waited on for ever: JSON gets a space more, a query one id less",
    ),
    WireQuirk("many-ids", "small devices", "Home Assistant 152206", "a GET asks for 49 characteristics at most"),
    WireQuirk(
        "one-aid-per-subscription",
        "several bridges",
        "Home Assistant 37996",
        "events are switched with one request for each accessory behind the bridge",
    ),
    WireQuirk("no-port-in-host", "several", "aiohomekit", "Host holds the address alone"),
    WireQuirk("number-for-bool", "Ecobee", "aiohomekit", "booleans are written as 1 and 0"),
)
