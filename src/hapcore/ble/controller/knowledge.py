"""What a peer keeps from one link to the next, and from one run of the program to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from hapcore.ble.controller.layout import CharacteristicRecord, Layout, ServiceRecord
from hapcore.crypto.keys import KEY_SIZE
from hapcore.crypto.secret import Secret
from hapcore.pairing.resume import SESSION_ID_SIZE

__all__ = ["LAST_STATE", "Knowledge", "add_states"]

_FORMAT: Final = 1
#: State numbers are 1 to this (HAP-BLE A.1.5).
LAST_STATE: Final = 0xFFFF
#: Changes after which the accessory lets a broadcast key die (HAP-BLE A.1.5).
_KEY_LIFE: Final = 32766
#: A key this close to its end is made anew while we are at it.
_KEY_MARGIN: Final = 1024
_IDENTIFIER: Final = 6
#: Longest stored text that is worth reading: the largest database has some hundred signatures of some hundred bytes.
_MAX_STORED: Final = 4 * 1024 * 1024


def add_states(gsn: int, steps: int) -> int:
    """State number `gsn` (1 to 65535) after so many changes: 65535 is followed by 1."""
    return (gsn - 1 + steps) % LAST_STATE + 1


class Knowledge:
    """The layout with the configuration number it belongs to, the state number, and what broadcasts need."""

    def __init__(self) -> None:
        self.layout: Layout = ()
        #: As it is on the air, 1 to 255; 0 where it is not known.
        self.config_number = 0
        #: As it was heard last, 0 where it is not known: anybody can advertise any number.
        self.gsn = 0
        #: As the accessory said it last inside a session or in a broadcast, 0 where it is not known.
        self.proved = 0
        self.key: Secret | None = None
        #: The last state number at which the key is good.
        self.key_expiry = 0
        #: The advertising identifier where it is not the device id.
        self.identifier = b""
        #: Characteristics that broadcast.
        self.broadcasting: set[int] = set()
        #: Number and secret of the last session, for pair-resume.
        self.resume: tuple[bytes, Secret] | None = None
        #: The controller whose session that was; "" where it is not known.
        self.owner = ""

    def belong(self, owner: str) -> None:
        """Which controller asks now: an accessory takes who resumes a session for the one whose session it was."""
        if owner != self.owner and self.owner:
            self.resume = None
        self.owner = owner

    def keep_key(self, key: Secret, gsn: int) -> None:
        """A key that was made at this state number."""
        self.key = key
        self.key_expiry = add_states(gsn, _KEY_LIFE)

    def prove(self, gsn: int) -> None:
        """The accessory itself said so."""
        self.gsn = self.proved = gsn

    def may_follow(self, gsn: int) -> bool:
        """Whether a broadcast with this number can be a new one; else it was recorded and is played again."""
        if not self.proved:
            return gsn != self.gsn
        return 0 < (gsn - self.proved) % LAST_STATE <= _KEY_LIFE

    def forget_database(self) -> None:
        """The configuration has changed."""
        self.layout = ()
        self.config_number = 0

    @property
    def wants_key(self) -> bool:
        """Whether there is no broadcast key, or one that soon ends."""
        if self.key is None:
            return True
        left = (self.key_expiry - (self.gsn or 1)) % LAST_STATE
        return left < _KEY_MARGIN or left > _KEY_LIFE

    def mark(self) -> tuple[object, ...]:
        """Equal to an earlier one as long as there is nothing new to store."""
        return (
            self.layout,
            self.config_number,
            self.gsn,
            self.key,
            self.key_expiry,
            self.identifier,
            frozenset(self.broadcasting),
            self.resume,
        )

    def encode(self) -> bytes:
        """For the store. The broadcast key is in it and the secret to resume the session by, in the clear."""
        tree = {
            "format": _FORMAT,
            "config_number": self.config_number,
            "gsn": self.gsn,
            "proved": self.proved,
            "key": None if self.key is None else self.key.reveal().hex(),
            "key_expiry": self.key_expiry,
            "identifier": self.identifier.hex(),
            "broadcasting": sorted(self.broadcasting),
            "resume": None if self.resume is None else [self.resume[0].hex(), self.resume[1].reveal().hex()],
            "owner": self.owner,
            "services": [
                [
                    one.uuid,
                    one.iid,
                    _hex(one.signature),
                    [[c.uuid, c.iid, _hex(c.signature)] for c in one.characteristics],
                ]
                for one in self.layout
            ],
        }
        return json.dumps(tree, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes | None) -> Knowledge:
        """Read what `encode` wrote. Anything else counts as nothing: all of it can be asked for again."""
        found = cls()
        if data is None or len(data) > _MAX_STORED:
            return found
        try:
            tree: Any = json.loads(data)
            if tree["format"] == _FORMAT:
                found._fill(cast("Mapping[str, Any]", tree))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return cls()
        return found

    def _fill(self, tree: Mapping[str, Any]) -> None:
        self.config_number = _number(tree["config_number"], 0xFF)
        self.gsn = _number(tree["gsn"], LAST_STATE)
        self.proved = _number(tree.get("proved", 0), LAST_STATE)
        if tree["key"] is not None:
            key = bytes.fromhex(tree["key"])
            if len(key) != KEY_SIZE:
                raise ValueError("no key")
            self.key = Secret(key)
        self.key_expiry = _number(tree["key_expiry"], LAST_STATE)
        self.identifier = bytes.fromhex(tree["identifier"])
        if len(self.identifier) not in (0, _IDENTIFIER):
            raise ValueError("no identifier")
        self.broadcasting = {_number(one, 0xFFFF) for one in tree["broadcasting"]}
        if tree.get("resume") is not None:
            number, secret = (bytes.fromhex(one) for one in tree["resume"])
            if (len(number), len(secret)) != (SESSION_ID_SIZE, KEY_SIZE):
                raise ValueError("no session")
            self.resume = (number, Secret(secret))
        self.owner = str(tree.get("owner", ""))
        self.layout = tuple(
            ServiceRecord(
                str(uuid),
                _number(iid, 0xFFFF),
                _bytes(signature),
                [CharacteristicRecord(str(u), _number(i, 0xFFFF), _bytes(s)) for u, i, s in characteristics],
            )
            for uuid, iid, signature, characteristics in tree["services"]
        )


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _number(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("no number")
    return value
