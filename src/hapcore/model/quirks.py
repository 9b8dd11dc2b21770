"""Deviations in the databases of real accessories, and what the reader does about each: one table, with sources.

Deviations in HTTP messages and in answers to reads and writes are in `hapcore.ip.quirks`.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["DATABASE_QUIRKS", "DatabaseQuirk"]


@frozen
class DatabaseQuirk:
    """One deviation: a name that its test carries, who does it, who reported it, and what this library does."""

    id: str
    device: str
    source: str
    what: str


DATABASE_QUIRKS: Final = (
    DatabaseQuirk(
        "linked-zero", "Schlage", "aiohomekit; HAP 10.3", "linked holds 0 or unknown numbers: they are dropped"
    ),
    DatabaseQuirk("linked-missing", "Yeelight Pro", "Home Assistant 175416", "linked names a removed service: dropped"),
    DatabaseQuirk(
        "no-object", "TaHoma", "aiohomekit 465", "booleans and nulls between the objects of a list are skipped"
    ),
    DatabaseQuirk("large-ids", "TaHoma", "aiohomekit", "ids beyond 2**32 stay whole numbers, up to 2**64 - 1"),
    DatabaseQuirk(
        "full-uuid", "ESP firmwares, old HAP-python", "HAP 10.2", "Apple's types come in full: same as short"
    ),
    DatabaseQuirk("lower-uuid", "several", "aiohomekit", "types in lower case are the same types"),
    DatabaseQuirk("plain-uuid", "several", "aiohomekit", "32 digits without dashes are a type"),
    DatabaseQuirk("cut-uuid", "several", "aiohomekit", "a full type without its leading zeros gets them back"),
    DatabaseQuirk(
        "no-format", "Schlage Sense", "Home Assistant 76104", "the catalogue, else the value, tells the format"
    ),
    DatabaseQuirk("no-perms", "Schlage Sense", "Home Assistant 91686", "the permissions are those of the catalogue"),
    DatabaseQuirk("identify-data", "first Eve products", "aiohomekit", "Identify is a bool whatever is said"),
    DatabaseQuirk("unknown-format", "HAP-python knows two more", "HAP 10.3", "read like a missing format"),
    DatabaseQuirk("unknown-unit", "several", "HAP 10.3", "a unit outside the book is none"),
    DatabaseQuirk("unknown-perms", "several", "HAP 10.3", "permissions outside the book are dropped"),
    DatabaseQuirk(
        "flat-range", "HAP-NodeJS", "HAP 10.3", "valid-values-range is one flat pair instead of a list of pairs"
    ),
    DatabaseQuirk("inner-aid", "ESP firmwares", "HAP 10.3", "characteristics repeat the aid: the accessory's holds"),
    DatabaseQuirk("number-for-bool", "Apple's SDK, HAP-NodeJS", "HAP 8.8", "booleans come as 1 and 0, flags too"),
    DatabaseQuirk("point-zero", "several", "HAP 8.8", "whole numbers come as 1.0"),
    DatabaseQuirk("text-for-number", "several", "aiohomekit", "numbers in quotes are numbers"),
    DatabaseQuirk(
        "unpadded-base64", "several", "HAP 10.5", "bytes come without padding or in the alphabet for addresses"
    ),
    DatabaseQuirk(
        "beyond-limits", "outdoor and freezer sensors", "HAP 10.5", "values outside their own limits are kept"
    ),
    DatabaseQuirk("upside-down", "several", "HAP 10.3", "a minimum above the maximum: neither is believed"),
    DatabaseQuirk("negative-step", "several", "HAP 10.3", "a step that is negative or no number is none"),
    DatabaseQuirk("null-value", "Apple's SDK", "HAP 10.3", "null is a failed read, and the value of every button"),
    DatabaseQuirk("number-twice", "several", "HAP 10.1", "two characteristics with one number: the first is kept"),
    DatabaseQuirk(
        "more-members", "several", "HAP 10.3", "members outside the book, such as events and bonjour, are ignored"
    ),
    DatabaseQuirk("no-list", "several", "HAP 10.3", "missing lists of services, characteristics or links are empty"),
)
