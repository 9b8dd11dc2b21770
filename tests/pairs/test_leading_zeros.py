"""2,000 pair-setups in memory with leading zeros, forced and by chance, against every known habit: none may fail.

Our accessory pairs with models of foreign controllers, our controller with models of foreign accessories, and both with
each other. Forced are A, B, S, K, both proofs and the salt; "B stuck" is a randomness source that gives the same b for
ever. Without gmpy2 a power takes five times as long and there are fewer runs: every test's name says how many.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from functools import cache

import pytest
from tests.pairs.padding_habits import (
    ACCESSORIES,
    CONTROLLERS,
    FAST,
    MULTIPLIER,
    Habits,
    ModelAccessory,
    ModelController,
    number,
    power,
    received,
)

from hapcore.codec import tlv8
from hapcore.crypto.keys import ed25519_public, hkdf, open_sealed, seal, sign
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import G, N, make_verifier
from hapcore.pairing.items import Item, State
from hapcore.pairing.records import ControllerIdentity, Identity
from hapcore.pairing.setup import CodeVerifier, PairSetupController, SetupDesk

CODE = "031-45-154"
SALT = b"sixteen raw byte"
#: With these two private keys, salt and code, no value begins with a zero ...
A0 = number(hashlib.sha256(b"controller").digest())
B0 = number(hashlib.sha256(b"accessory").digest())
#: ... and with A0 plus one of these exactly the named one does. Found by trying one after the other.
OFFSETS = {
    "A": (686, 812, 1794, 1943, 1989, 2148, 2353, 2761, 2762, 2763, 3323, 3824, 3832, 3845, 3976, 3977),
    "S": (192, 459, 464, 768, 813, 871, 993, 1041, 1093, 1207, 1208, 1252, 1569, 1609, 1800, 2015),
    "K": (343, 1534, 1839, 2190, 2306, 2331, 3019, 3648, 3728, 3843, 4912, 5060, 5445, 5578, 5683, 6138),
    "M1": (408, 515, 619, 642, 780, 815, 902, 967, 1053, 1546, 1602, 1618, 1827, 1921, 1983, 2209),
    "M2": (221, 465, 1215, 1346, 1727, 1917, 2347, 2539, 2964, 3288, 3297, 3715, 3817, 4105, 4928, 5290),
}
FORCED = 16 if FAST else 4
RANDOM = 104 if FAST else 23

AS_ACCESSORY = ("random", "A", "B", "B stuck", "S", "K", "M1", "M2", "salt")
AS_CONTROLLER = ("random", "A", "B", "S", "K", "M1", "M2", "salt")
AS_BOTH = ("random", "A", "B", "S", "K", "M1", "M2", "salt")

ACCESSORY = Identity("E1:91:1A:70:85:AA", Secret(b"\x22" * 32))
CONTROLLER = ControllerIdentity("3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162", Secret(b"\x11" * 32))


def runs(kind: str) -> int:
    return RANDOM if kind == "random" else FORCED


def test_there_are_two_thousand_of_them() -> None:
    planned = sum(
        runs(kind)
        for kinds in [AS_ACCESSORY] * len(CONTROLLERS) + [AS_CONTROLLER] * len(ACCESSORIES) + [AS_BOTH]
        for kind in kinds
    )
    assert planned >= (2000 if FAST else 400)


class Draws:
    """A randomness source that first gives what was put in, then what a seeded generator gives, and counts."""

    def __init__(self, seed: str, **first: list[bytes]) -> None:
        self._random = random.Random(seed)
        self._first = first
        self.counts: dict[str, int] = {}

    def __call__(self, label: str, size: int) -> bytes:
        name = label.rpartition(".")[2].replace("-", "_")
        self.counts[name] = self.counts.get(name, 0) + 1
        waiting = self._first.get(name)
        return waiting.pop(0) if waiting else self._random.randbytes(size)


def key_bytes(value: int) -> bytes:
    return value.to_bytes(32, "big")


@cache
def keys_of_short_b() -> tuple[int, ...]:
    """Private keys b that give a B with a leading zero; each step multiplies g^b by g once more."""
    base = MULTIPLIER * number(make_verifier(CODE, SALT).verifier.reveal()) % N
    found: list[int] = []
    b, value = B0, power(G, B0)
    while len(found) < FORCED:
        if not (base + value) % N >> 8 * 383:
            found.append(b)
        b += 1
        value = value * G % N
    return tuple(found)


def sealed(state: State, label: bytes, key: bytes, signer: ControllerIdentity | Identity) -> bytes:
    """M5 or M6 as a model makes it, from the session key the model found."""
    name = b"Controller" if state == State.M5 else b"Accessory"
    identifier = CONTROLLER.identifier.encode() if state == State.M5 else ACCESSORY.identifier
    prefix = hkdf(key, b"Pair-Setup-" + name + b"-Sign-Salt", b"Pair-Setup-" + name + b"-Sign-Info")
    seed = signer.ltsk.reveal()
    public = ed25519_public(seed)
    inner = tlv8.encode(
        [
            (Item.IDENTIFIER, identifier),
            (Item.PUBLIC_KEY, public),
            (Item.SIGNATURE, sign(seed, prefix + identifier + public)),
        ]
    )
    message_key = hkdf(key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
    return tlv8.encode([(Item.STATE, bytes((state,))), (Item.ENCRYPTED_DATA, seal(message_key, label, inner))])


def value_of(data: bytes, item: Item) -> bytes:
    value = tlv8.first(tlv8.decode(data), item)
    assert value is not None
    return value


class Desk:
    """Our accessory with one connection."""

    def __init__(self, draws: Draws, source: CodeVerifier) -> None:
        self._desk = SetupDesk(ACCESSORY, source, draws)

    def send(self, body: bytes) -> bytes:
        step = self._desk.receive("c", body, paired=False, failed_attempts=0, now=0.0)
        assert step.reply is not None
        assert tlv8.first(tlv8.decode(step.reply), Item.ERROR) is None
        return step.reply


@cache
def shared_verifier() -> CodeVerifier:
    return CodeVerifier(CODE, lambda _label, _size: SALT)


def our_accessory(habits: Habits, kind: str, index: int) -> None:
    seed = f"accessory {kind} {index}"
    generator = random.Random(seed + " foreign")
    draws = Draws(seed)
    source = shared_verifier()
    a = generator.getrandbits(256)
    if kind in OFFSETS:
        draws = Draws(seed, srp_b=[key_bytes(B0)])
        a = A0 + OFFSETS[kind][index]
    elif kind == "B":
        draws = Draws(seed, srp_b=[key_bytes(keys_of_short_b()[index])])
    elif kind == "B stuck":
        draws = Draws(seed, srp_b=[key_bytes(keys_of_short_b()[index])] * 8)
    elif kind == "salt":
        draws = Draws(seed, salt=[b"\0" + SALT[1:], bytes(16), SALT[:15] + bytes((index,))])
        source = CodeVerifier(CODE, draws)
    desk = Desk(draws, source)
    model = ModelController(habits, a)

    m2 = desk.send(bytes.fromhex("000100060101"))
    public_b, salt = value_of(m2, Item.PUBLIC_KEY), value_of(m2, Item.SALT)
    assert len(public_b) < 384 if kind == "B stuck" else public_b[0]
    assert salt[0]
    assert len(salt) == 16
    assert draws.counts.get("salt", 0) == (3 if kind == "salt" else 0)
    if kind in ("B", "B stuck"):
        assert draws.counts["srp_b"] >= 2
    answer = model.answer(salt, public_b, CODE)
    if kind in OFFSETS:
        assert_forced(kind, model.public, answer.secret, answer.key, answer.m1, answer.m2)
    m4 = desk.send(
        tlv8.encode([(Item.STATE, b"\x03"), (Item.PUBLIC_KEY, model.public), (Item.PROOF, answer.m1)]),
    )
    assert number(value_of(m4, Item.PROOF)) == number(answer.m2)
    m6 = desk.send(sealed(State.M5, b"PS-Msg05", answer.key, CONTROLLER))
    message_key = hkdf(answer.key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
    assert open_sealed(message_key, b"PS-Msg06", value_of(m6, Item.ENCRYPTED_DATA))


def assert_forced(kind: str, public: bytes, secret: bytes, key: bytes, m1: bytes, m2: bytes) -> None:
    """The value that was to begin with a zero does so, or has lost it by the model's habit."""
    value, size = {"A": (public, 384), "S": (secret, 384), "K": (key, 64), "M1": (m1, 64), "M2": (m2, 64)}[kind]
    assert len(value) < size or not value[0]


def models(habits: Habits, kind: str, index: int) -> Iterator[ModelAccessory]:
    """What a foreign accessory answers to one M1 after the other: a new b each time, salt and code fixed."""
    generator = random.Random(f"foreign accessory {kind} {index}")
    salt = b"\0" + generator.randbytes(15) if kind == "salt" else SALT
    if kind == "B":
        yield ModelAccessory(habits, salt, CODE, keys_of_short_b()[index])
    if kind in OFFSETS:
        yield ModelAccessory(habits, salt, CODE, B0)
    while True:
        yield ModelAccessory(habits, salt, CODE, generator.getrandbits(256))


def our_controller(habits: Habits, kind: str, index: int) -> None:
    seed = f"controller {kind} {index}"
    draws = Draws(seed, srp_a=[key_bytes(A0 + OFFSETS[kind][index])]) if kind in OFFSETS else Draws(seed)
    controller = PairSetupController(draws, identity=CONTROLLER, expected_id=ACCESSORY.device_id)
    starts = 0
    for model in models(habits, kind, index):
        starts += 1
        controller.m1()
        m2 = [(Item.STATE, b"\x02"), (Item.SALT, model.salt), (Item.PUBLIC_KEY, model.public)]
        if controller.receive_m2(tlv8.encode(m2)):
            break
    else:
        raise AssertionError("models never end")
    m3 = controller.m3(CODE)
    if kind == "B":
        assert starts == 2
    if kind in OFFSETS:
        assert draws.counts["srp_a"] >= 2
    answer = model.answer(value_of(m3, Item.PUBLIC_KEY))
    proof = value_of(m3, Item.PROOF)
    assert proof == answer.m1 if habits.proof is received else number(proof) == number(answer.m1)
    m5 = controller.m5(tlv8.encode([(Item.STATE, b"\x04"), (Item.PROOF, answer.m2)]))
    message_key = hkdf(answer.key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
    assert open_sealed(message_key, b"PS-Msg05", value_of(m5, Item.ENCRYPTED_DATA))
    pairing = controller.finish(sealed(State.M6, b"PS-Msg06", answer.key, ACCESSORY))
    assert pairing.accessory_ltpk == ACCESSORY.ltpk


def both_ours(kind: str, index: int) -> None:
    seed = f"both {kind} {index}"
    theirs, mine = Draws(seed + " accessory"), Draws(seed + " controller")
    source = shared_verifier()
    if kind in OFFSETS:
        theirs = Draws(seed, srp_b=[key_bytes(B0)])
        mine = Draws(seed, srp_a=[key_bytes(A0 + OFFSETS[kind][index])])
    elif kind == "B":
        theirs = Draws(seed, srp_b=[key_bytes(keys_of_short_b()[index])])
    elif kind == "salt":
        theirs = Draws(seed, salt=[bytes((0, index + 1)) * 8] * 8)
        source = CodeVerifier(CODE, theirs)
    desk = Desk(theirs, source)
    controller = PairSetupController(mine, expected_id=ACCESSORY.device_id)
    assert controller.receive_m2(desk.send(controller.m1()))
    m5 = controller.m5(desk.send(controller.m3(CODE)))
    assert controller.finish(desk.send(m5)).accessory_ltpk == ACCESSORY.ltpk
    if kind in OFFSETS:
        assert mine.counts["srp_a"] >= 2
    if kind == "B":
        assert theirs.counts["srp_b"] >= 2


def cases(names: dict[str, Habits], kinds: tuple[str, ...]) -> list[object]:
    return [
        pytest.param(habits, kind, id=f"{name}, {kind}, {runs(kind)} runs")
        for name, habits in names.items()
        for kind in kinds
    ]


@pytest.mark.parametrize(("habits", "kind"), cases(CONTROLLERS, AS_ACCESSORY))
def test_our_accessory_with_the_controller_of(habits: Habits, kind: str) -> None:
    made = 0
    for index in range(runs(kind)):
        our_accessory(habits, kind, index)
        made += 1
    assert made == runs(kind)


@pytest.mark.parametrize(("habits", "kind"), cases(ACCESSORIES, AS_CONTROLLER))
def test_our_controller_with_the_accessory_of(habits: Habits, kind: str) -> None:
    made = 0
    for index in range(runs(kind)):
        our_controller(habits, kind, index)
        made += 1
    assert made == runs(kind)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=f"{kind}, {runs(kind)} runs") for kind in AS_BOTH])
def test_our_controller_with_our_accessory(kind: str) -> None:
    made = 0
    for index in range(runs(kind)):
        both_ours(kind, index)
        made += 1
    assert made == runs(kind)
