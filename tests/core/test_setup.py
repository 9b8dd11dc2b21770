"""Pair-setup, both machines: every order, every refusal, who may pair when (HAP 4)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.pairing_kit import ACCESSORY, CODE, CONTROLLER, PAIRED, PAIRING, Draws, outcome, value_of

from hapcore.codec import tlv8
from hapcore.crypto.keys import hkdf, seal, sign, verify
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import GROUP, G, N, SrpController, SrpVerifier, make_verifier
from hapcore.errors import AccessoryChanged, HapError, LocalProtocolError, PairingRefused, RemoteProtocolError
from hapcore.pairing.items import Item, Method
from hapcore.pairing.records import ControllerIdentity, Identity
from hapcore.pairing.setup import BUSY_SECONDS, CodeVerifier, PairSetupController, SetupDesk, SetupState, Step

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


def test_whole_procedure() -> None:
    draws = Draws("accessory")
    accessory = Accessory(draws)
    accessory.tries = 7
    with_source = SetupDesk(ACCESSORY, CodeVerifier(CODE, draws), draws)
    assert with_source.state is SetupState.M1
    client = controller(expected_id=ACCESSORY.device_id.lower())
    assert client.receive_m2(accessory.answer(client.m1()))
    assert accessory.desk.state is SetupState.M3
    assert accessory.desk.owner == "one"
    proved = accessory.send(client.m3(CODE))
    assert (proved.proved, proved.failed_attempt, proved.pairing) == (True, False, None)
    assert accessory.tries == 0
    assert accessory.desk.state is SetupState.M5
    assert proved.reply is not None
    done = accessory.send(client.m5(proved.reply))
    assert done.pairing == PAIRED
    assert (done.proved, done.failed_attempt) == (False, False)
    assert accessory.desk.state is SetupState.M1
    assert done.reply is not None
    assert client.finish(done.reply) == PAIRING
    assert draws.labels == ["pair-setup.srp-b"]


def test_new_identity_is_drawn_late() -> None:
    draws = Draws("controller")
    accessory, client = Accessory(), PairSetupController(draws)
    assert client.receive_m2(accessory.answer(client.m1()))
    m4 = accessory.answer(client.m3(CODE))
    assert draws.labels == ["pair-setup.srp-a"]
    pairing = client.finish(accessory.answer(client.m5(m4)))
    assert draws.labels == ["pair-setup.srp-a", "controller.pairing-id", "controller.ltsk"]
    assert len(pairing.controller_id) == 36
    assert pairing.controller_id == pairing.controller_id.upper()
    assert pairing.controller_id[14] == "4"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("06", id="a type alone"),
        pytest.param("0602", id="cut"),
        pytest.param("ff00", id="separator"),
        pytest.param("060101", id="no method"),
        pytest.param("000100", id="no state"),
        pytest.param("0600000100", id="empty state"),
        pytest.param("06020100000100", id="state of two bytes"),
        pytest.param("060107000100", id="state 7"),
        pytest.param("060102000100", id="state 2"),
        pytest.param("060100000100", id="state 0"),
        pytest.param("0601010000", id="empty method"),
        pytest.param("06010100020000", id="method of two bytes"),
        pytest.param("060101000102", id="method 2"),
        pytest.param("060101060101000100", id="state twice"),
        pytest.param("060101000100060101", id="state twice, apart"),
        pytest.param("0601010001001305" + "00" * 5, id="flags of five bytes"),
        pytest.param("060105059a" + "00" * 154, id="M5 first"),
        pytest.param("060103", id="M3 with nothing"),
    ],
)
def test_malformed_start(body: str) -> None:
    accessory = Accessory()
    assert accessory.send(bytes.fromhex(body)) == Step(None)
    assert accessory.desk.state is SetupState.M1
    assert accessory.draws.labels == []
    # The same ends a run of its own connection, and leaves another's alone.
    accessory.answer(M1)
    assert accessory.tried(bytes.fromhex(body), "two") == 400
    assert accessory.desk.state is SetupState.M3
    assert accessory.tried(bytes.fromhex(body)) == 400
    assert accessory.desk.state is SetupState.M1


def test_m3_first() -> None:
    accessory = Accessory()
    assert accessory.tried(bytes.fromhex("0601030301010440") + bytes(64)) == 400
    assert accessory.tries == 0


@pytest.mark.parametrize(
    ("body", "echo"),
    [
        pytest.param("060101000100", "", id="state first"),
        pytest.param("000100060101", "", id="method first"),
        pytest.param("0601010001004203787878", "", id="unknown item"),
        pytest.param("060101000101", "", id="method 1"),
        pytest.param("0601010001001300", "", id="empty flags"),
        pytest.param("0601010001001304ef8fffde", "", id="unknown flags"),
        pytest.param("060101000100130110", "", id="transient"),
        pytest.param("060101000100130400000001", "130400000001", id="split"),
        pytest.param("060101000100130410000001", "130410000001", id="transient and split"),
        pytest.param("060101000101130410000001", "", id="flags with method 1"),
    ],
)
def test_good_start(body: str, echo: str) -> None:
    reply = Accessory().answer(bytes.fromhex(body))
    assert [kind for kind, _ in tlv8.decode(reply)] == [Item.STATE, Item.PUBLIC_KEY, Item.SALT] + (
        [Item.FLAGS] if echo else []
    )
    assert reply[:3] == b"\x06\x01\x02"
    assert reply.endswith(bytes.fromhex(echo))


def test_order_of_refusals() -> None:
    """Malformed, paired, too many tries, busy: the first that holds is told."""
    accessory = Accessory(tries=100)
    accessory.paired = True
    assert accessory.tried(b"\x06\x01\x01") == 400
    assert accessory.tried(M1) == (2, 6)
    assert accessory.tried(M1 + TRANSIENT) == (2, 6)
    accessory.paired = False
    assert accessory.tried(M1) == (2, 5)
    accessory.tries = 99
    assert accessory.tried(M1) == 2
    assert accessory.tried(M1, "two") == (2, 7)
    accessory.tries = 100
    assert accessory.tried(M1, "two") == (2, 5)
    accessory.paired = True
    assert accessory.tried(M1, "two") == (2, 6)


def test_one_at_a_time() -> None:
    accessory = Accessory()
    m2 = accessory.answer(M1)
    m3 = m3_of(srp_of(m2))
    accessory.now += BUSY_SECONDS - 0.001
    assert accessory.tried(M1, "two") == (2, 7)
    assert accessory.tried(m3, "two") == 400
    assert accessory.tried(m3) == 4
    assert accessory.tried(M1, "two") == (2, 7)


def test_taken_over_after_half_a_minute() -> None:
    accessory = Accessory()
    m3 = m3_of(srp_of(accessory.answer(M1)))
    accessory.now += BUSY_SECONDS
    m2 = accessory.answer(M1, "two")
    assert accessory.desk.owner == "two"
    assert accessory.tried(m3) == 400
    assert accessory.tried(M1) == (2, 7)
    assert accessory.tried(m3_of(srp_of(m2)), "two") == 4


def test_the_owner_may_take_as_long_as_it_likes() -> None:
    accessory = Accessory()
    m3 = m3_of(srp_of(accessory.answer(M1)))
    accessory.now += 600
    assert accessory.tried(m3) == 4


@pytest.mark.parametrize("messages", [1, 2])
def test_released(messages: int) -> None:
    accessory = Accessory()
    srp = srp_of(accessory.answer(M1))
    if messages == 2:
        assert accessory.tried(m3_of(srp)) == 4
    accessory.desk.release("two")
    assert accessory.tried(M1, "two") == (2, 7)
    accessory.desk.release("one")
    assert accessory.tried(m5_of(srp)) == 400
    assert accessory.tried(M1, "two") == 2


def test_starting_again_in_the_middle() -> None:
    accessory = Accessory()
    old = srp_of(accessory.answer(M1))
    m2 = accessory.answer(M1)
    assert accessory.tried(m3_of(old)) == (4, 2)
    new = srp_of(accessory.answer(M1))
    assert accessory.tried(m3_of(new)) == 4
    assert accessory.tried(M1) == 2
    assert accessory.tried(m5_of(new)) == 400
    assert value_of(m2, Item.PUBLIC_KEY) != value_of(accessory.answer(M1), Item.PUBLIC_KEY)


def test_a_restart_begins_the_half_minute_anew() -> None:
    accessory = Accessory()
    accessory.answer(M1)
    accessory.now += 20
    accessory.answer(M1)
    accessory.now += 20
    assert accessory.tried(M1, "two") == (2, 7)
    accessory.now += 10
    assert accessory.tried(M1, "two") == 2


def test_wrong_code_counts_and_ends() -> None:
    accessory = Accessory()
    wrong = srp_of(accessory.answer(M1), "031-45-155")
    step = accessory.send(m3_of(wrong))
    assert outcome(step.reply) == (4, 2)
    assert step.failed_attempt
    assert not step.proved
    assert accessory.desk.state is SetupState.M1
    # Neither another proof nor M5 helps now.
    assert accessory.tried(m3_of(wrong)) == 400
    assert accessory.tried(m5_of(wrong)) == 400
    assert accessory.tries == 1
    assert accessory.tried(M1, "two") == 2


def test_a_hundred_tries() -> None:
    accessory = Accessory(tries=98)
    for tries in (99, 100):
        assert accessory.tried(m3_of(srp_of(accessory.answer(M1), "031-45-155"))) == (4, 2)
        assert accessory.tries == tries
    assert accessory.tried(M1) == (2, 5)
    assert accessory.tried(M1, "two") == (2, 5)


@pytest.mark.parametrize(
    ("public", "proof", "expected", "counted"),
    [
        pytest.param(bytes(384), bytes(64), (4, 2), 0, id="A = 0"),
        pytest.param(b"", bytes(64), (4, 2), 0, id="A empty"),
        pytest.param(GROUP.pad(N), bytes(64), (4, 2), 0, id="A = N"),
        pytest.param((2 * N).to_bytes(385, "big"), bytes(64), 400, 0, id="A = 2N, too long"),
        pytest.param(b"\x01" * 385, bytes(64), 400, 0, id="A too long"),
        pytest.param(b"\x00" + b"\x01" * 384, bytes(64), 400, 0, id="A too long with a zero"),
        pytest.param(b"\x01" * 384, bytes(65), 400, 0, id="long proof"),
        pytest.param(b"\x01" * 384, bytes(61), 400, 0, id="proof far too short"),
        pytest.param(b"\x01" * 384, bytes(63), 400, 1, id="proof one byte short"),
        pytest.param(b"\x01" * 384, b"", 400, 0, id="empty proof"),
        pytest.param(b"\x01", bytes(64), (4, 2), 1, id="A of one byte"),
    ],
)
def test_odd_m3(public: bytes, proof: bytes, expected: object, counted: int) -> None:
    accessory = Accessory()
    accessory.answer(M1)
    m3 = tlv8.encode([(Item.STATE, b"\x03"), (Item.PUBLIC_KEY, public), (Item.PROOF, proof)])
    assert accessory.tried(m3) == expected
    assert accessory.tries == counted
    assert accessory.desk.state is SetupState.M1


@pytest.mark.parametrize("missing", [Item.PUBLIC_KEY, Item.PROOF])
def test_m3_without(missing: Item) -> None:
    accessory = Accessory()
    items = tlv8.decode(m3_of(srp_of(accessory.answer(M1))))
    assert accessory.tried(tlv8.encode(item for item in items if item[0] != missing)) == 400
    assert accessory.desk.state is SetupState.M1


def test_m3_in_any_order_with_anything_else() -> None:
    accessory = Accessory()
    items = tlv8.decode(m3_of(srp_of(accessory.answer(M1))))
    assert accessory.tried(tlv8.encode([*reversed(items), (0x42, b"x"), (Item.METHOD, b"whatever")])) == 4


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param({Item.IDENTIFIER: b"leave out"}, 400, id="no identifier"),
        pytest.param({Item.PUBLIC_KEY: b"leave out"}, 400, id="no key"),
        pytest.param({Item.SIGNATURE: b"leave out"}, 400, id="no signature"),
        pytest.param({Item.IDENTIFIER: b""}, 400, id="empty identifier"),
        pytest.param({Item.IDENTIFIER: b"x" * 37}, 400, id="long identifier"),
        pytest.param({Item.PUBLIC_KEY: bytes(31)}, 400, id="short key"),
        pytest.param({Item.PUBLIC_KEY: bytes(32)}, 400, id="key of zeros"),
        pytest.param({Item.SIGNATURE: bytes(63)}, 400, id="short signature"),
        pytest.param({Item.SIGNATURE: bytes(64)}, (6, 2), id="wrong signature"),
        pytest.param({Item.IDENTIFIER: b"somebody else"}, (6, 2), id="signature of another identifier"),
        pytest.param({Item.PUBLIC_KEY: ACCESSORY.ltpk}, (6, 2), id="signature of another key"),
    ],
)
def test_odd_m5(inner: dict[Item, bytes], expected: object) -> None:
    accessory = Accessory()
    srp = srp_of(accessory.answer(M1))
    assert accessory.tried(m3_of(srp)) == 4
    assert accessory.tried(m5_of(srp, inner)) == expected
    assert not accessory.paired
    assert accessory.tries == 0
    assert accessory.desk.state is SetupState.M1
    assert accessory.tried(m5_of(srp)) == 400


def test_m5_that_does_not_open() -> None:
    accessory = Accessory()
    for change, expected in (
        (lambda m5: m5[:-1] + bytes((m5[-1] ^ 1,)), (6, 2)),
        (lambda _m5: b"\x06\x01\x05\x05\x10" + bytes(16), (6, 2)),
        (lambda _m5: b"\x06\x01\x05\x05\x0f" + bytes(15), 400),
        (lambda _m5: b"\x06\x01\x05\x05\x00", 400),
        (lambda _m5: b"\x06\x01\x05", 400),
    ):
        srp = srp_of(accessory.answer(M1))
        assert accessory.tried(m3_of(srp)) == 4
        assert accessory.tried(change(m5_of(srp))) == expected
        assert accessory.desk.state is SetupState.M1
    srp = srp_of(accessory.answer(M1))
    assert accessory.tried(m3_of(srp)) == 4
    assert accessory.tried(m5_of(srp, label=b"PS-Msg06")) == (6, 2)


def test_m3_twice_and_m5_early() -> None:
    accessory = Accessory()
    srp = srp_of(accessory.answer(M1))
    assert accessory.tried(m5_of(srp)) == 400
    srp = srp_of(accessory.answer(M1))
    assert accessory.tried(m3_of(srp)) == 4
    assert accessory.tried(m3_of(srp)) == 400
    assert accessory.desk.state is SetupState.M1


def test_transient_ends_with_m4() -> None:
    accessory = Accessory()
    srp = srp_of(accessory.answer(M1 + TRANSIENT))
    step = accessory.send(m3_of(srp))
    assert step.proved
    assert step.pairing is None
    assert step.transient is not None
    assert step.transient.read != step.transient.write
    assert accessory.desk.state is SetupState.M1
    assert accessory.tried(m5_of(srp)) == 400
    assert accessory.tried(M1, "two") == 2


def test_method_1_is_method_0() -> None:
    accessory = Accessory()
    client = controller(method=Method.PAIR_SETUP_WITH_AUTH)
    m1 = client.m1()
    assert m1 == bytes.fromhex("000101060101")
    assert client.receive_m2(accessory.answer(m1))
    m4 = accessory.answer(client.m3(CODE))
    assert [kind for kind, _ in tlv8.decode(m4)] == [Item.STATE, Item.PROOF]
    assert client.finish(accessory.answer(client.m5(m4))) == PAIRING


class Display:
    """A source whose code changes with every start."""

    fixed = False

    def __init__(self) -> None:
        self.codes: list[str] = []

    def current(self) -> SrpVerifier:
        self.codes.append(f"{len(self.codes):03}-45-154")
        return make_verifier(self.codes[-1], b"sixteen raw byte")


def test_split_setup_uses_the_code_of_the_transient_one() -> None:
    source = Display()
    accessory = Accessory(source=source)  # type: ignore[arg-type]
    assert accessory.tried(M1 + SPLIT) == (2, 2)
    assert source.codes == []
    m2 = accessory.answer(M1 + BOTH)
    assert accessory.send(m3_of(srp_of(m2, source.codes[0]))).transient is not None
    srp = srp_of(accessory.answer(M1 + SPLIT), source.codes[0])
    assert len(source.codes) == 1
    assert accessory.tried(m3_of(srp)) == 4
    assert accessory.tried(m5_of(srp)) == 6
    accessory.paired = False
    assert accessory.tried(M1 + SPLIT) == (2, 2)


def test_a_fixed_code_may_always_be_split() -> None:
    accessory = Accessory()
    srp = srp_of(accessory.answer(M1 + SPLIT))
    assert accessory.tried(m3_of(srp)) == 4
    assert accessory.tried(m5_of(srp)) == 6


def test_salt_is_drawn_once() -> None:
    draws = Draws("salt", salt=[b"\0" * 16, b"\0" + b"x" * 15, b"y" * 16])
    source = CodeVerifier(CODE, draws)
    assert draws.labels == []
    first = source.current()
    assert first.salt == b"y" * 16
    assert source.current() is first
    assert draws.labels == ["pair-setup.salt"] * 3
    second = source.renew()
    assert second.salt != first.salt
    assert source.current() is second
    assert source.fixed


def test_a_replaying_source_gives_the_same_salt_and_b_again() -> None:
    labels: list[str] = []

    def zeros(label: str, size: int) -> bytes:
        labels.append(label)
        return bytes(size)

    assert CodeVerifier(CODE, zeros).current().salt == bytes(16)
    assert labels == ["pair-setup.salt"] * 2
    labels.clear()

    def replay(label: str, _size: int) -> bytes:
        labels.append(label)
        return short_b

    short_b = next(key for key in (number.to_bytes(32, "big") for number in range(1, 5000)) if not public_of(key)[0])
    accessory = SetupDesk(ACCESSORY, FixedSource(), replay)
    m2 = accessory.receive("one", M1, paired=False, failed_attempts=0, now=0.0).reply
    assert value_of(m2, Item.PUBLIC_KEY) == public_of(short_b).lstrip(b"\0")
    assert labels == ["pair-setup.srp-b"] * 2


def public_of(b: bytes) -> bytes:
    verifier = int.from_bytes(VERIFIER.verifier.reveal(), "big")
    return GROUP.pad(GROUP.accessory_public(verifier, int.from_bytes(b, "big")))


def short_keys(count: int) -> list[bytes]:
    """Private keys whose B begins with a zero; each step multiplies g^b by g once more."""
    base = GROUP.multiplier * int.from_bytes(VERIFIER.verifier.reveal(), "big") % N
    found: list[bytes] = []
    power, b = 1, 0
    while len(found) < count:
        power, b = power * G % N, b + 1
        if not GROUP.pad((base + power) % N)[0]:
            found.append(b.to_bytes(32, "big"))
    return found


def test_b_is_drawn_again_at_most_eight_times() -> None:
    short = short_keys(9)
    draws = Draws("", srp_b=short[:2])
    assert len(value_of(Accessory(draws).answer(M1), Item.PUBLIC_KEY)) == 384
    assert draws.labels == ["pair-setup.srp-b"] * 3
    draws = Draws("", srp_b=short[:9])
    assert len(value_of(Accessory(draws).answer(M1), Item.PUBLIC_KEY)) < 384
    assert draws.labels == ["pair-setup.srp-b"] * 8


@COSTLY
@given(st.binary(max_size=500), st.sampled_from([0, 1, 2]))
def test_accessory_takes_any_bytes(body: bytes, messages: int) -> None:
    accessory = Accessory()
    if messages:
        srp = srp_of(accessory.answer(M1))
        if messages == 2:
            accessory.answer(m3_of(srp))
    step = accessory.send(body)
    assert isinstance(step, Step)
    assert step.pairing is None
    assert not step.proved


@COSTLY
@given(st.dictionaries(st.sampled_from(list(Item)), st.binary(max_size=70)), st.sampled_from([1, 3, 5]))
def test_accessory_takes_any_items(items: dict[Item, bytes], state: int) -> None:
    accessory = Accessory()
    srp = srp_of(accessory.answer(M1))
    if state == 5:
        accessory.answer(m3_of(srp))
    assert accessory.send(tlv8.encode({**items, Item.STATE: bytes((state,))}.items())).pairing is None


def refused(state: int, error: int, *more: tuple[int, bytes]) -> bytes:
    return tlv8.encode([(Item.STATE, bytes((state,))), (Item.ERROR, bytes((error,))), *more])


@pytest.mark.parametrize("error", range(1, 9))
def test_controller_reports_refusals(error: int) -> None:
    client = controller()
    client.m1()
    with pytest.raises(PairingRefused) as caught:
        client.receive_m2(refused(2, error, (Item.RETRY_DELAY, b"\x2c\x01")))
    assert (caught.value.error, caught.value.step, caught.value.retry_delay) == (error, 2, 300)
    # It can start again at once.
    accessory = Accessory()
    assert client.receive_m2(accessory.answer(client.m1()))
    accessory.desk.release("one")
    client.m3(CODE)
    with pytest.raises(PairingRefused) as caught:
        # One accessory writes the wrong state beside its error: the error is what counts.
        client.m5(refused(6, error))
    assert (caught.value.error, caught.value.step, caught.value.retry_delay) == (error, 4, None)


def test_wrong_code_then_the_right_one() -> None:
    accessory, client = Accessory(), controller()
    assert client.receive_m2(accessory.answer(client.m1()))
    with pytest.raises(PairingRefused) as caught:
        client.m5(accessory.answer(client.m3("000-00-001")))
    assert (caught.value.error, caught.value.step) == (2, 4)
    assert client.receive_m2(accessory.answer(client.m1()))
    assert client.finish(accessory.answer(client.m5(accessory.answer(client.m3(CODE))))) == PAIRING


def m2_items() -> dict[int, bytes]:
    return dict(tlv8.decode(Accessory().answer(M1)))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({Item.STATE: b"\x04"}, id="state 4"),
        pytest.param({Item.PUBLIC_KEY: b""}, id="B empty"),
        pytest.param({Item.PUBLIC_KEY: bytes(384)}, id="B = 0"),
        pytest.param({Item.PUBLIC_KEY: GROUP.pad(N)}, id="B = N"),
        pytest.param({Item.PUBLIC_KEY: b"\x01" * 385}, id="B too long"),
        pytest.param({Item.PUBLIC_KEY: None}, id="no B"),
        pytest.param({Item.SALT: b""}, id="empty salt"),
        pytest.param({Item.SALT: bytes(17)}, id="long salt"),
        pytest.param({Item.SALT: None}, id="no salt"),
    ],
)
def test_controller_refuses_m2(changes: dict[int, bytes | None]) -> None:
    client = controller()
    client.m1()
    items = {**m2_items(), **changes}
    with pytest.raises(RemoteProtocolError):
        client.receive_m2(tlv8.encode((kind, value) for kind, value in items.items() if value is not None))
    with pytest.raises(LocalProtocolError):
        client.m3(CODE)
    client.m1()


def test_controller_forgives_a_missing_state() -> None:
    accessory, client = Accessory(), controller()

    def stateless(body: bytes) -> bytes:
        return tlv8.encode(item for item in tlv8.decode(body) if item[0] != Item.STATE)

    assert client.receive_m2(stateless(accessory.answer(client.m1())))
    m4 = stateless(accessory.answer(client.m3(CODE)))
    assert client.finish(stateless(accessory.answer(client.m5(m4)))) == PAIRING


def test_controller_starts_again_for_a_short_b_but_not_for_ever() -> None:
    client = controller()
    m2 = tlv8.encode({**m2_items(), Item.PUBLIC_KEY: b"\x01" * 383}.items())
    padded = tlv8.encode({**m2_items(), Item.PUBLIC_KEY: b"\x00" + b"\x01" * 383}.items())
    for body in (m2, padded):
        client.m1()
        assert not client.receive_m2(body)
        with pytest.raises(LocalProtocolError):
            client.m3(CODE)
    client.m1()
    assert client.receive_m2(m2)
    assert len(value_of(client.m3(CODE), Item.PUBLIC_KEY)) == 384
    # The next try begins with the same patience.
    for body in (m2, padded):
        client.m1()
        assert not client.receive_m2(body)


def test_controller_wants_a_proof() -> None:
    for change in (lambda proof: bytes(64), lambda proof: proof[:-1], lambda proof: b"", lambda _proof: None):
        accessory, client = Accessory(), controller()
        assert client.receive_m2(accessory.answer(client.m1()))
        m4 = accessory.answer(client.m3(CODE))
        proof = change(value_of(m4, Item.PROOF))
        items = [(Item.STATE, b"\x04")] + ([] if proof is None else [(Item.PROOF, proof)])
        with pytest.raises(RemoteProtocolError):
            client.m5(tlv8.encode(items))


def last_step(client: PairSetupController) -> tuple[bytes, bytes]:
    """Up to M6; gives M6 and the key it is sealed with."""
    accessory = Accessory()
    assert client.receive_m2(accessory.answer(client.m1()))
    m5 = client.m5(accessory.answer(client.m3(CODE)))
    assert client._srp is not None
    return accessory.answer(m5), client._srp.session_key.reveal()


def m6_of(key: bytes, changes: dict[Item, bytes], *, who: Identity = ACCESSORY) -> bytes:
    prefix = hkdf(key, b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
    inner: dict[Item, bytes] = {Item.IDENTIFIER: who.identifier, Item.PUBLIC_KEY: who.ltpk} | changes
    if Item.SIGNATURE not in inner:
        signed = prefix + inner[Item.IDENTIFIER] + inner[Item.PUBLIC_KEY]
        inner[Item.SIGNATURE] = sign(who.ltsk.reveal(), signed)
    message_key = hkdf(key, b"Pair-Setup-Encrypt-Salt", b"Pair-Setup-Encrypt-Info")
    sealed = seal(message_key, b"PS-Msg06", tlv8.encode(i for i in inner.items() if i[1] != b"leave out"))
    return tlv8.encode([(Item.STATE, b"\x06"), (Item.ENCRYPTED_DATA, sealed)])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({Item.PUBLIC_KEY: bytes(32)}, RemoteProtocolError, id="key of zeros"),
        pytest.param({Item.PUBLIC_KEY: bytes(31)}, RemoteProtocolError, id="short key"),
        pytest.param({Item.SIGNATURE: bytes(64)}, RemoteProtocolError, id="wrong signature"),
        pytest.param({Item.SIGNATURE: b"leave out"}, RemoteProtocolError, id="no signature"),
        pytest.param({Item.IDENTIFIER: b"\xff\xfe"}, RemoteProtocolError, id="identifier that is no text"),
        pytest.param({Item.IDENTIFIER: b""}, RemoteProtocolError, id="empty identifier"),
        pytest.param({Item.IDENTIFIER: b"x" * 37}, RemoteProtocolError, id="long identifier"),
        pytest.param({Item.IDENTIFIER: b"AA:AA:AA:AA:AA:AA"}, AccessoryChanged, id="another accessory"),
    ],
)
def test_controller_refuses_m6(changes: dict[Item, bytes], error: type[HapError]) -> None:
    client = controller(expected_id=ACCESSORY.device_id)
    _, key = last_step(client)
    with pytest.raises(error):
        client.finish(m6_of(key, changes))


def test_controller_refuses_a_key_of_zeros_whose_signature_is_good() -> None:
    """Zeros are a point of small order: a quarter of all messages is signed by S = 0 and a fitting R."""
    client = controller()
    _, key = last_step(client)
    prefix = hkdf(key, b"Pair-Setup-Accessory-Sign-Salt", b"Pair-Setup-Accessory-Sign-Info")
    zeros = bytes(32)
    forged = next(
        (ACCESSORY.identifier + suffix, signature)
        for suffix in (bytes((letter,)) for letter in range(65, 90))
        for signature in (point + zeros for point in (zeros, b"\x01" + bytes(31), bytes(31) + b"\x80"))
        if verify(zeros, prefix + ACCESSORY.identifier + suffix + zeros, signature)
    )
    with pytest.raises(RemoteProtocolError, match="unusable"):
        client.finish(m6_of(key, {Item.IDENTIFIER: forged[0], Item.PUBLIC_KEY: zeros, Item.SIGNATURE: forged[1]}))


def test_controller_keeps_the_id_as_received() -> None:
    client = controller(expected_id=ACCESSORY.device_id)
    _, key = last_step(client)
    pairing = client.finish(m6_of(key, {Item.IDENTIFIER: ACCESSORY.identifier.lower()}))
    assert pairing.accessory_id == ACCESSORY.device_id.lower()


def test_controller_refuses_m6_that_does_not_open() -> None:
    client = controller()
    m6, _ = last_step(client)
    with pytest.raises(RemoteProtocolError):
        client.finish(m6[:-1] + bytes((m6[-1] ^ 1,)))


@pytest.mark.parametrize("step", ["receive_m2", "m5", "finish"])
@COSTLY
@given(body=st.binary(max_size=300))
def test_controller_takes_any_bytes(step: str, body: bytes) -> None:
    client, accessory = controller(), Accessory()
    m1 = client.m1()
    if step != "receive_m2":
        assert client.receive_m2(accessory.answer(m1))
        m3 = client.m3(CODE)
        if step == "finish":
            client.m5(accessory.answer(m3))
    with pytest.raises((PairingRefused, RemoteProtocolError)):
        getattr(client, step)(body)


def test_out_of_turn() -> None:
    client = controller()
    for call in (
        lambda: client.receive_m2(b""),
        lambda: client.m3(CODE),
        lambda: client.m5(b""),
        lambda: client.finish(b""),
    ):
        with pytest.raises(LocalProtocolError, match="out of turn"):
            call()


@pytest.mark.parametrize("code", ["", "03145154", "031-45-15", "031-45-1544", "031-45-15a", "٠٣١-٤٥-١٥٤"])
def test_code_must_have_its_form(code: str) -> None:
    accessory, client = Accessory(), controller()
    assert client.receive_m2(accessory.answer(client.m1()))
    with pytest.raises(LocalProtocolError) as caught:
        client.m3(code)
    assert not code or code not in str(caught.value)
    assert client.m3(CODE)


def test_method_must_be_one_of_pair_setup() -> None:
    with pytest.raises(LocalProtocolError):
        controller(method=Method.PAIR_VERIFY)


def test_nothing_secret_is_shown() -> None:
    accessory, client = Accessory(), controller()
    assert client.receive_m2(accessory.answer(client.m1()))
    step = accessory.send(client.m3(CODE))
    assert step.reply is not None
    done = accessory.send(client.m5(step.reply))
    assert done.reply is not None
    pairing = client.finish(done.reply)
    transient = Accessory()
    keys = transient.send(m3_of(srp_of(transient.answer(M1 + TRANSIENT))))
    shown = repr((ACCESSORY, CONTROLLER, accessory.desk, client, step, done, pairing, keys, VERIFIER, CodeVerifier))
    shown += repr(accessory.desk._run) + repr(CodeVerifier(CODE, Draws()))
    assert keys.transient is not None
    for secret in (ACCESSORY.ltsk, CONTROLLER.ltsk, keys.transient.read, VERIFIER.verifier, Secret(CODE.encode())):
        assert secret.reveal().hex() not in shown
        assert repr(secret.reveal())[2:-1] not in shown
