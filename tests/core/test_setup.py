"""Pair-setup, the accessory: every order, every refusal, who may pair when (HAP 4.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.pairing_kit import ACCESSORY, CODE, CONTROLLER, PAIRED, PAIRING, Draws, outcome, value_of
from tests.core.setup_rig import (
    BOTH,
    COSTLY,
    M1,
    SPLIT,
    TRANSIENT,
    VERIFIER,
    Accessory,
    FixedSource,
    controller,
    m3_of,
    m5_of,
    srp_of,
)

from hapcore.codec import tlv8
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import GROUP, G, N, SrpVerifier, make_verifier
from hapcore.pairing.items import Item, Method
from hapcore.pairing.setup import (
    BUSY_SECONDS,
    CodeVerifier,
    FreshCodes,
    PairSetupController,
    SetupDesk,
    SetupState,
    Step,
)


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


def codes_of(accessory: Accessory) -> str | None:
    return None if accessory.desk.shown is None else accessory.desk.shown.text


def displaying() -> Accessory:
    draws = Draws("display")
    return Accessory(draws, source=FreshCodes(draws))  # type: ignore[arg-type]


def test_a_display_shows_a_fresh_code_for_each_attempt() -> None:
    accessory = displaying()
    assert codes_of(accessory) is None
    seen: list[str] = []
    for _ in range(3):
        m2 = accessory.answer(M1)
        code = codes_of(accessory)
        assert code is not None
        seen.append(code)
        wrong = "111-22-333" if code != "111-22-333" else "111-22-334"
        assert accessory.tried(m3_of(srp_of(m2, wrong))) == (4, 2)
        assert codes_of(accessory) is None
    assert len(set(seen)) == 3
    srp = srp_of(accessory.answer(M1), seen[-1])
    assert accessory.tried(m3_of(srp)) == (4, 2)
    srp = srp_of(accessory.answer(M1), codes_of(accessory) or "")
    assert accessory.tried(m3_of(srp)) == 4
    assert codes_of(accessory) is not None
    assert accessory.tried(m5_of(srp)) == 6
    assert codes_of(accessory) is None


def test_a_code_that_was_not_tried_yet_stays_on_the_display() -> None:
    accessory = displaying()
    accessory.answer(M1)
    first = codes_of(accessory)
    accessory.answer(M1)
    assert codes_of(accessory) == first
    accessory.now += BUSY_SECONDS
    m2 = accessory.answer(M1, "two")
    assert codes_of(accessory) == first
    assert accessory.tried(m3_of(srp_of(m2, first or "")), "two") == 4


@pytest.mark.parametrize("end", ["gone", "malformed", "illegal key", "no M5"])
def test_a_display_is_cleared_however_an_attempt_ends(end: str) -> None:
    accessory = displaying()
    srp = srp_of(accessory.answer(M1), codes_of(accessory) or "")
    first = codes_of(accessory)
    if end == "gone":
        accessory.desk.release("one")
    elif end == "malformed":
        assert accessory.tried(b"\x06\x01\x03") == 400
    elif end == "illegal key":
        assert accessory.tried(bytes.fromhex("0601030301000440") + bytes(64)) == (4, 2)
    else:
        assert accessory.tried(m3_of(srp)) == 4
        assert accessory.tried(m5_of(srp, label=b"PS-Msg06")) == (6, 2)
    assert codes_of(accessory) is None
    accessory.answer(M1)
    assert codes_of(accessory) not in (None, first)


def test_a_shown_code_is_split_once() -> None:
    accessory = displaying()
    assert accessory.tried(M1 + SPLIT) == (2, 2)
    assert codes_of(accessory) is None
    m2 = accessory.answer(M1 + BOTH)
    code = codes_of(accessory) or ""
    assert accessory.send(m3_of(srp_of(m2, code))).transient is not None
    assert codes_of(accessory) is None
    m2 = accessory.answer(M1 + SPLIT)
    assert codes_of(accessory) == code
    assert accessory.tried(m3_of(srp_of(m2, "111-22-333"))) == (4, 2)
    # What was tried in vain is gone, and an ordinary attempt does not take over what a transient one left.
    assert accessory.tried(M1 + SPLIT) == (2, 2)
    accessory.send(m3_of(srp_of(accessory.answer(M1 + BOTH), codes_of(accessory) or "")))
    left = code
    accessory.answer(M1)
    assert codes_of(accessory) not in (None, left)


def test_a_transient_setup_alone_leaves_no_code() -> None:
    accessory = displaying()
    m2 = accessory.answer(M1 + TRANSIENT)
    assert Item.FLAGS not in dict(tlv8.decode(m2))
    assert accessory.send(m3_of(srp_of(m2, codes_of(accessory) or ""))).transient is not None
    assert accessory.tried(M1 + SPLIT) == (2, 2)


def test_no_code_is_shown_to_who_is_refused() -> None:
    accessory = displaying()
    accessory.tries = 100
    assert accessory.tried(M1) == (2, 5)
    assert codes_of(accessory) is None
    accessory.tries, accessory.paired = 0, True
    assert accessory.tried(M1) == (2, 6)
    assert codes_of(accessory) is None


WRONG_M3 = tlv8.encode([(Item.STATE, b"\x03"), (Item.PUBLIC_KEY, b"\x05"), (Item.PROOF, bytes(64))])
TRIES = st.sampled_from(["begin", "wrong", "gone", "malformed", "wait"])


@given(st.lists(st.tuples(TRIES, st.sampled_from("abc")), max_size=12))
@COSTLY
def test_a_code_is_shown_while_it_is_of_use_and_never_again(steps: list[tuple[str, str]]) -> None:
    accessory = displaying()
    hidden: set[str] = set()
    before: str | None = None
    for what, owner in steps:
        if what == "begin":
            accessory.send(M1, owner)
        elif what == "wrong":
            accessory.send(WRONG_M3, owner)
        elif what == "malformed":
            accessory.send(b"\x06", owner)
        elif what == "gone":
            accessory.desk.release(owner)
        else:
            accessory.now += BUSY_SECONDS
        now = codes_of(accessory)
        assert (now is None) == (accessory.desk.state is SetupState.M1)
        if before not in (None, now):
            hidden.add(before)
        assert now not in hidden
        before = now
