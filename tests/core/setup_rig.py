"""An accessory desk that keeps what it is told to keep, and hand-made M3 and M5."""

from __future__ import annotations

from hypothesis import settings
from tests.core.pairing_kit import ACCESSORY, CODE, CONTROLLER, Draws, outcome, value_of

from hapcore.codec import tlv8
from hapcore.crypto.keys import hkdf, seal, sign
from hapcore.crypto.srp import SrpController, SrpVerifier, make_verifier
from hapcore.pairing.items import Item
from hapcore.pairing.records import ControllerIdentity
from hapcore.pairing.setup import PairSetupController, SetupDesk, Step

M1 = bytes.fromhex("000100060101")
TRANSIENT = bytes.fromhex("130110")
SPLIT = bytes.fromhex("130400000001")
BOTH = bytes.fromhex("130410000001")

VERIFIER = make_verifier(CODE, b"sixteen raw byte")
#: Every example costs a few powers of 3072 bits.
COSTLY = settings(max_examples=50, deadline=None)


class FixedSource:
    """A verifier made once for all tests."""

    fixed = True

    def current(self) -> SrpVerifier:
        return VERIFIER


class Accessory:
    """A desk, the counter it tells to keep, and the pairing it tells to store."""

    def __init__(self, draws: Draws | None = None, *, source: FixedSource | None = None, tries: int = 0) -> None:
        self.draws = draws or Draws("accessory")
        self.desk = SetupDesk(ACCESSORY, source or FixedSource(), self.draws)
        self.tries = tries
        self.paired = False
        self.now = 100.0

    def send(self, body: bytes, owner: str = "one") -> Step:
        step = self.desk.receive(owner, body, paired=self.paired, failed_attempts=self.tries, now=self.now)
        if step.failed_attempt:
            self.tries += 1
        if step.proved:
            self.tries = 0
        if step.pairing is not None:
            self.paired = True
        return step

    def answer(self, body: bytes, owner: str = "one") -> bytes:
        reply = self.send(body, owner).reply
        assert reply is not None
        return reply

    def tried(self, body: bytes, owner: str = "one") -> tuple[int, int] | int:
        return outcome(self.send(body, owner).reply)


def controller(draws: Draws | None = None, **options: object) -> PairSetupController:
    return PairSetupController(draws or Draws("controller"), identity=CONTROLLER, **options)  # type: ignore[arg-type]


def srp_of(m2: bytes, code: str = CODE) -> SrpController:
    return SrpController(value_of(m2, Item.SALT), value_of(m2, Item.PUBLIC_KEY), code, b"\x5a" * 32)


def m3_of(srp: SrpController) -> bytes:
    return tlv8.encode([(Item.STATE, b"\x03"), (Item.PUBLIC_KEY, srp.public), (Item.PROOF, srp.proof)])


def m5_of(
    srp: SrpController,
    inner: dict[Item, bytes] | None = None,
    *,
    label: bytes = b"PS-Msg05",
    who: ControllerIdentity = CONTROLLER,
) -> bytes:
    key = srp.session_key.reveal()
    prefix = hkdf(key, b"Pair-Setup-Controller-Sign-Salt", b"Pair-Setup-Controller-Sign-Info")
    identifier = who.identifier.encode()
    items = {
        Item.IDENTIFIER: identifier,
        Item.PUBLIC_KEY: who.ltpk,
        Item.SIGNATURE: sign(who.ltsk.reveal(), prefix + identifier + who.ltpk),
    }
    items |= inner or {}
    sealed = seal(
        hkdf(key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info"),
        label,
        tlv8.encode((kind, value) for kind, value in items.items() if value != b"leave out"),
    )
    return tlv8.encode([(Item.STATE, b"\x05"), (Item.ENCRYPTED_DATA, sealed)])
