"""What an accessory server keeps over restarts, and the form in which it is kept.

| key | holds |
|---|---|
| identity | device id and long-term key |
| setup | setup code, setup id, SRP salt and verifier |
| database | c# and the fingerprint it belongs to |
| ids | the instance ids given out so far, by key |
| attempts | failed pair-setup attempts |
| pairing/HEX | one paired controller; HEX is its identifier |
| ble/state-number, ble/firmware | over Bluetooth LE: what counts the changes, and the firmware it counts them for |
| ble/broadcast, ble/broadcast-settings | the broadcast key with its life, and what is broadcast |
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias, TypeVar, cast

from attrs import evolve, frozen

from hapcore.accessory.config import Config
from hapcore.codec.json import write
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import SrpVerifier
from hapcore.engine import Forget, Persist
from hapcore.entropy import Entropy
from hapcore.errors import HapError, StateError
from hapcore.model.database import Database
from hapcore.pairing.records import Identity, PairedController, new_identity
from hapcore.pairing.setup import MAX_TRIES, CodeVerifier, FreshCodes, VerifierSource
from hapcore.setup_code import SetupCode, new_setup_code, new_setup_id

__all__ = ["CONFIG_NUMBERS", "KEPT_AT_RESET", "Change", "Setup", "Stored"]

T = TypeVar("T")
Change: TypeAlias = Persist | Forget

_PAIRING = "pairing/"
_BROADCAST = "ble/broadcast"
#: c# runs from 1 to 65535 and then starts again at 1 (HAP 11.2).
CONFIG_NUMBERS = 65535
#: What stays in the table when a person resets it, by how much is forgotten.
KEPT_AT_RESET: Mapping[str, frozenset[str]] = {
    "pairings": frozenset({"identity", "setup", "database", "ids", "ble/state-number", "ble/firmware"}),
    "identity": frozenset({"setup", "ids"}),
    "everything": frozenset(),
}


@frozen
class Setup:
    """The setup code, its id, and what SRP needs of it, computed once."""

    code: SetupCode
    setup_id: str
    verifier: SrpVerifier

    @property
    def fixed(self) -> bool:
        """The code stays the same until the state is reset."""
        return True

    def current(self) -> SrpVerifier:
        """Salt and verifier for the next pair-setup."""
        return self.verifier

    def encode(self) -> bytes:
        """The form for the store."""
        return write(
            {
                "code": self.code.text,
                "setup_id": self.setup_id,
                "salt": self.verifier.salt.hex(),
                "verifier": self.verifier.verifier.reveal().hex(),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Setup:
        """Read it back."""
        found = json.loads(data)
        verifier = SrpVerifier(bytes.fromhex(found["salt"]), Secret(bytes.fromhex(found["verifier"])))
        return cls(SetupCode(found["code"], allow_trivial=True), str(found["setup_id"]), verifier)


class Stored:
    """The state of a server, read from the store's table; `changes` are the effects that bring the store up to date."""

    def __init__(self, state: Mapping[str, bytes], config: Config, entropy: Entropy) -> None:
        self.changes: list[Change] = []
        #: What is on its way into the store or did not get there, by key.
        self.unsaved: dict[str, Change] = {}
        if "identity" not in state and any(key.startswith(_PAIRING) for key in state):
            raise StateError("there are pairings but no identity; restore it from a backup, or reset the accessory")
        self._entropy = entropy
        self.identity: Identity = self._load(state, "identity", Identity.from_json) or self._new_identity()
        self.setup = self._choose_setup(self._load(state, "setup", Setup.decode), config)
        #: Where pair-setup takes its verifiers from; with a display the stored code is good for nothing.
        self.verifiers: VerifierSource = FreshCodes(entropy) if config.display else self.setup
        self._broadcast_key = _BROADCAST in state
        self.attempts: int = self._load(state, "attempts", int) or 0
        self.config_number, self._fingerprint = self._load(state, "database", _decode_database) or (0, "")
        self._ids: dict[str, int] = self._load(state, "ids", _decode_ids) or {}
        self.pairings: dict[bytes, PairedController] = {}
        #: A first pairing is on its way into the store: no other may begin.
        self.pairing_underway = False
        #: A change to the table is on its way into the store: the requests that `waiting` holds are judged after it.
        self.change_underway = False
        self.waiting: deque[Callable[[], None]] = deque()
        for key in state:
            if key.startswith(_PAIRING):
                pairing = self._load(state, key, PairedController.decode)
                if pairing is not None:
                    self.pairings[pairing.identifier] = pairing
        if not any(pairing.admin for pairing in self.pairings.values()):
            # A removal of everybody was cut short: without an admin nobody could ever finish it (HAP 6).
            self.changes += map(self.forget_pairing, self.pairings)
            self.pairings.clear()

    @staticmethod
    def _load(state: Mapping[str, bytes], key: str, decode: Callable[[bytes], T]) -> T | None:
        if key not in state:
            return None
        try:
            return decode(state[key])
        except (ValueError, KeyError, TypeError, HapError):
            message = f"the stored {key!r} cannot be read; restore it from a backup, or reset the accessory"
            raise StateError(message) from None

    def _new_identity(self) -> Identity:
        identity = new_identity(self._entropy)
        self.changes.append(Persist("identity", identity.to_json()))
        return identity

    def _choose_setup(self, stored: Setup | None, config: Config) -> Setup:
        code = config.setup_code or (stored.code if stored else new_setup_code(self._entropy))
        setup_id = config.setup_id or (stored.setup_id if stored else new_setup_id(self._entropy))
        if stored is not None and stored.code == code:
            if stored.setup_id == setup_id:
                return stored
            setup = Setup(code, setup_id, stored.verifier)
        else:
            setup = Setup(code, setup_id, CodeVerifier(code.text, self._entropy).current())
        self.changes.append(Persist("setup", setup.encode()))
        return setup

    @property
    def locked(self) -> bool:
        """Whether so many wrong setup codes were tried that nobody can pair any more (HAP 4.3)."""
        return self.attempts >= MAX_TRIES

    @property
    def ids(self) -> Mapping[str, int]:
        """Instance ids by key, as the last database left them."""
        return self._ids

    def saved(self, change: Change) -> None:
        """A change is safe in the store."""
        if self.unsaved.get(change.key) == change:
            del self.unsaved[change.key]

    def adopt(self, database: Database, fingerprint: str) -> list[Change]:
        """Take over a database: c# rises if, and only if, it is another one than before."""
        changes: list[Change] = []
        if fingerprint != self._fingerprint:
            self.config_number = self.config_number % CONFIG_NUMBERS + 1
            self._fingerprint = fingerprint
            record = write({"config_number": self.config_number, "fingerprint": fingerprint})
            changes.append(Persist("database", record))
        if dict(database.ids) != self._ids:
            self._ids = dict(database.ids)
            changes.append(Persist("ids", write(self._ids)))
        return changes

    def with_unsaved(self, changes: Collection[Change]) -> list[Change]:
        """These, and before them what did not get into the store when it should have."""
        keys = {change.key for change in changes}
        return [*(evolve(change) for key, change in self.unsaved.items() if key not in keys), *changes]

    def store_attempts(self, count: int) -> Change:
        """The effect that keeps the number of failed attempts."""
        return Persist("attempts", b"%d" % count) if count else Forget("attempts")

    @staticmethod
    def store_pairing(pairing: PairedController) -> Persist:
        """The effect that keeps a pairing."""
        return Persist(_PAIRING + pairing.identifier.hex(), pairing.encode())

    def forget_with(self, removed: Collection[bytes]) -> list[Change]:
        """What goes with these pairings although it is another transport's: with the last one the broadcast key."""
        if not self._broadcast_key or any(one not in removed for one in self.pairings):
            return []
        return [Forget(_BROADCAST)]

    @staticmethod
    def forget_pairing(identifier: bytes) -> Forget:
        """The effect that forgets a pairing."""
        return Forget(_PAIRING + identifier.hex())


def _decode_database(data: bytes) -> tuple[int, str]:
    found = json.loads(data)
    number = found["config_number"]
    if type(number) is not int or not 1 <= number <= CONFIG_NUMBERS:
        raise ValueError("config_number")
    return number, str(found["fingerprint"])


def _decode_ids(data: bytes) -> dict[str, int]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("ids")
    ids: dict[str, int] = {}
    for key, number in cast("dict[str, object]", found).items():
        if not isinstance(number, int):
            raise ValueError("ids")
        ids[key] = number
    return ids
