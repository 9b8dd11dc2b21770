"""Pair-resume (HAP-BLE A.5.6): two that have verified each other before leave out the signatures. Bluetooth LE only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Mapping

from attrs import frozen

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.crypto.frames import session_keys
from hapcore.crypto.keys import KEY_SIZE, TAG_SIZE, hkdf, open_sealed, seal
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy, draw
from hapcore.errors import LocalProtocolError, RemoteProtocolError
from hapcore.pairing.items import Item, Method, State, TlvErrorCode, exact, pick, read_answer, read_byte, refusal
from hapcore.pairing.records import PairedController
from hapcore.pairing.verify import PairVerifyController, VerifiedKeys, VerifiedSession, VerifyStep

__all__ = ["CACHE_LIMIT", "SESSION_ID_SIZE", "PairResumeController", "ResumeCache", "ResumeDesk", "session_id"]

SESSION_ID_SIZE = 8
#: Sessions an accessory remembers, least recently used dropped: as many as Apple's do.
CACHE_LIMIT = 8

_NAME = "pair-resume"


def session_id(shared: Secret) -> bytes:
    """The 8 bytes that name a session after pair-verify."""
    secret = shared.reveal()
    return hkdf(secret, b"Pair-Verify-ResumeSessionID-Salt", b"Pair-Verify-ResumeSessionID-Info", SESSION_ID_SIZE)


def _tag(shared: bytes, public: bytes, number: bytes, info: bytes, label: bytes) -> bytes:
    return seal(hkdf(shared, public + number, info), label, b"")


def _next(shared: bytes, public: bytes, number: bytes) -> Secret:
    return Secret(hkdf(shared, public + number, b"Pair-Resume-Shared-Secret-Info"))


@frozen
class _Entry:
    controller: bytes
    shared: Secret


class ResumeCache:
    """What an accessory remembers of sessions, in memory only. An entry is gone once it is taken."""

    def __init__(self, limit: int = CACHE_LIMIT) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def store(self, number: bytes, controller: bytes, shared: Secret) -> None:
        """Remember the session `number` of the controller with that identifier."""
        self._entries.pop(number, None)
        self._entries[number] = _Entry(controller, shared)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def take(self, number: bytes) -> tuple[bytes, Secret] | None:
        """Identifier of the controller and shared secret, once; None where the session is not known."""
        entry = self._entries.pop(number, None)
        return None if entry is None else (entry.controller, entry.shared)

    def forget(self, controller: bytes) -> None:
        """Drop all sessions of a controller: its pairing was removed."""
        for number in [number for number, entry in self._entries.items() if entry.controller == controller]:
            del self._entries[number]

    def retain(self, controllers: Container[bytes]) -> None:
        """Drop the sessions of all but these controllers."""
        for number in [number for number, entry in self._entries.items() if entry.controller not in controllers]:
            del self._entries[number]

    def clear(self) -> None:
        """Drop all."""
        self._entries.clear()


class ResumeDesk:
    """The accessory's side. Draws "pair-resume.session-id" (8 bytes) for each session that is resumed."""

    def __init__(self, cache: ResumeCache, entropy: Entropy) -> None:
        self._cache = cache
        self._entropy = entropy

    def receive(self, body: bytes, pairings: Mapping[bytes, PairedController]) -> VerifyStep | bytes:
        """Take a message written to Pair Verify. Never raises for what the body holds.

        Bytes are for the `VerifyDesk`: the message itself where it is no resume, a plain pair-verify M1 with the same
        key where the session is not known.
        """
        try:
            items = tlv8.decode(body)
            found = pick(items, Item.STATE, Item.METHOD, Item.PUBLIC_KEY, Item.SESSION_ID, Item.ENCRYPTED_DATA)
            if Item.METHOD not in found or read_byte(found, Item.STATE) != State.M1:
                return body
            if read_byte(found, Item.METHOD) != Method.PAIR_RESUME:
                return body
            public = exact(found, Item.PUBLIC_KEY, KEY_SIZE)
            number = exact(found, Item.SESSION_ID, SESSION_ID_SIZE)
            tag = exact(found, Item.ENCRYPTED_DATA, TAG_SIZE)
        except TlvError:
            return VerifyStep(None)
        entry = self._cache.take(number)
        controller = None if entry is None else pairings.get(entry[0])
        if entry is None or controller is None:
            return tlv8.encode([(Item.STATE, bytes((State.M1,))), (Item.PUBLIC_KEY, public)])
        shared = entry[1].reveal()
        key = hkdf(shared, public + number, b"Pair-Resume-Request-Info")
        if open_sealed(key, b"PR-Msg01", tag) is None:
            return VerifyStep(refusal(State.M2, TlvErrorCode.AUTHENTICATION))
        fresh = draw(self._entropy, "pair-resume.session-id", SESSION_ID_SIZE)
        renewed = _next(shared, public, fresh)
        self._cache.store(fresh, controller.identifier, renewed)
        answer = tlv8.encode(
            [
                (Item.STATE, bytes((State.M2,))),
                (Item.METHOD, bytes((Method.PAIR_RESUME,))),
                (Item.SESSION_ID, fresh),
                (Item.ENCRYPTED_DATA, _tag(shared, public, fresh, b"Pair-Resume-Response-Info", b"PR-Msg02")),
            ]
        )
        return VerifyStep(answer, VerifiedSession(controller, renewed, session_keys(renewed.reveal())))


class PairResumeController:
    """The controller's side: m1, finish. An accessory that does not know the session goes on with pair-verify.

    `verify` draws the key of M1 and takes over with `verify.m3(m2)` where `finish(m2)` returns None. `number` and
    `shared` are of the last session with this accessory.
    """

    def __init__(self, verify: PairVerifyController, number: bytes, shared: Secret) -> None:
        self._verify = verify
        self._number = number
        self._shared = shared
        self._public: bytes | None = None

    def m1(self) -> bytes:
        """Offer to resume."""
        self._verify.m1()
        public = self._public = self._verify.public
        shared = self._shared.reveal()
        return tlv8.encode(
            [
                (Item.STATE, bytes((State.M1,))),
                (Item.METHOD, bytes((Method.PAIR_RESUME,))),
                (Item.PUBLIC_KEY, public),
                (Item.SESSION_ID, self._number),
                (Item.ENCRYPTED_DATA, _tag(shared, public, self._number, b"Pair-Resume-Request-Info", b"PR-Msg01")),
            ]
        )

    def finish(self, m2: bytes) -> tuple[bytes, VerifiedKeys] | None:
        """The number of the new session with its keys; None: go on with pair-verify, this is its M2.

        Raises `PairingRefused` or, for an answer that is not the accessory's, `RemoteProtocolError`: verify in full.
        """
        public, self._public = self._public, None
        if public is None:
            raise LocalProtocolError("finish() out of turn, m1() comes before it")
        items = read_answer(m2, State.M2, _NAME)
        method = tlv8.first(items, Item.METHOD)
        if method is None:
            return None
        number = tlv8.first(items, Item.SESSION_ID)
        tag = tlv8.first(items, Item.ENCRYPTED_DATA)
        if method != bytes((Method.PAIR_RESUME,)) or number is None or len(number) != SESSION_ID_SIZE or tag is None:
            raise RemoteProtocolError("method, session id and tag in pair-resume M2", "others")
        shared = self._shared.reveal()
        if open_sealed(hkdf(shared, public + number, b"Pair-Resume-Response-Info"), b"PR-Msg02", tag) is None:
            raise RemoteProtocolError("the accessory's tag in pair-resume M2", "another")
        renewed = _next(shared, public, number)
        return number, VerifiedKeys(renewed, session_keys(renewed.reveal()))
