from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.accessory.config import Config
from hapcore.catalogue.categories import Category
from hapcore.errors import LocalProtocolError
from hapcore.setup_code import (
    CHANGING_TAG_ONLY,
    SetupCode,
    SetupPayload,
    matches,
    new_setup_code,
    new_setup_id,
    setup_hash,
)

TRIVIAL = [f"{digit * 3}-{digit * 2}-{digit * 3}" for digit in "0123456789"] + ["123-45-678", "876-54-321"]

CODES = st.integers(0, 10**8 - 1).filter(
    lambda number: f"{number:08d}" not in {code.replace("-", "") for code in TRIVIAL}
)
SETUP_IDS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=4)


# --- setup code -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["031-45-154", "03145154", " 031-45-154\n", "031-45154"])
def test_a_code_is_read_with_and_without_dashes(text: str) -> None:
    code = SetupCode(text)
    assert code.text == "031-45-154"
    assert code.number == 3145154
    assert code == SetupCode.parse("03145154") == SetupCode.from_number(3145154)


@pytest.mark.parametrize(
    "text",
    ["", "0314515", "031451544", "031-45-15a", "0314-5-154", "03-145-154", "-03145154", "031 45 154", "٠٣١-٤٥-١٥٤"],
)
def test_what_is_no_code_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="eight digits") as caught:
        SetupCode(text)
    assert caught.value.argument == "setup_code"
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("text", TRIVIAL)
def test_trivial_codes_are_refused_unless_asked_for(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="too easy") as caught:
        SetupCode(text)
    assert text not in str(caught.value)
    with pytest.raises(LocalProtocolError, match="too easy"):
        SetupCode(text.replace("-", ""))
    assert SetupCode(text, allow_trivial=True).text == text


def test_there_are_twelve_trivial_codes() -> None:
    assert len(set(TRIVIAL)) == 12
    for near in ("111-11-112", "123-45-679", "876-54-320", "001-02-003"):
        assert SetupCode(near).text == near


@pytest.mark.parametrize("number", [-1, 10**8])
def test_a_number_of_more_digits_is_refused(number: int) -> None:
    with pytest.raises(LocalProtocolError, match="eight digits"):
        SetupCode.from_number(number)


def test_a_code_does_not_show_and_is_no_key() -> None:
    code = SetupCode("031-45-154")
    assert repr(code) == str(code) == "SetupCode(<hidden>)"
    assert "031" not in repr(SetupPayload(code, "1QJ8", 5))
    assert code != "031-45-154"
    assert code != SetupCode("031-45-155")
    with pytest.raises(TypeError):
        hash(code)


def test_a_drawn_code_is_named_and_never_trivial() -> None:
    asked: list[tuple[str, int]] = []

    def entropy(label: str, length: int) -> bytes:
        asked.append((label, length))
        return (7 * 11_111_111).to_bytes(length, "big")

    assert new_setup_code(entropy).text == "777-77-778"
    assert asked == [("setup-code", 16)]
    assert new_setup_code(lambda _, length: bytes(length)).text == "000-00-001"
    assert new_setup_code(lambda _, length: (10**8 + 3145154).to_bytes(length, "big")).text == "031-45-154"


def test_every_trivial_code_is_passed_over() -> None:
    for text in TRIVIAL:
        number = int(text.replace("-", ""))
        drawn = new_setup_code(lambda _, length, number=number: number.to_bytes(length, "big"))
        assert drawn.number == (1 if text == "999-99-999" else number + 1)


# --- setup id and hash ------------------------------------------------------------------------------------------------


def test_a_drawn_setup_id_is_named_and_never_the_one_for_none() -> None:
    asked: list[tuple[str, int]] = []

    def entropy(label: str, length: int) -> bytes:
        asked.append((label, length))
        return bytes(length)

    assert new_setup_id(entropy) == "0001"
    assert asked == [("setup-id", 16)]
    assert new_setup_id(lambda _, length: (36**4 - 2).to_bytes(length, "big")) == "ZZZZ"
    assert new_setup_id(lambda _, length: (36**4 - 1).to_bytes(length, "big")) == "0001"


@pytest.mark.parametrize(
    ("device_id", "expected"),
    [("E1:91:1A:70:85:AA", "yf4bzw=="), ("e1:91:1a:70:85:aa", "yf4bzw=="), ("C8:D8:58:C6:63:F5", "712Omw==")],
)
def test_the_setup_hash(device_id: str, expected: str) -> None:
    assert setup_hash("7OSX", device_id) == expected
    assert matches("7OSX", device_id, expected)


@pytest.mark.parametrize("found", [None, "", "yf4bzw", "712Omw==", "*", "yf4bzwA=", "ÿf4bzw=="])
def test_another_hash_does_not_match(found: str | None) -> None:
    assert not matches("7OSX", "E1:91:1A:70:85:AA", found)


@pytest.mark.parametrize("setup_id", ["", "7OS", "7OSXX", "7osx", "7OS-", "\uff17OSX"])
def test_an_impossible_setup_id_is_the_callers_mistake(setup_id: str) -> None:
    for attempt in (
        lambda: setup_hash(setup_id, "E1:91:1A:70:85:AA"),
        lambda: SetupPayload(None, setup_id, 5),
        lambda: Config(name="Lamp", setup_id=setup_id),
    ):
        with pytest.raises(LocalProtocolError, match="setup_id"):
            attempt()


# --- payload ----------------------------------------------------------------------------------------------------------

KNOWN = SetupCode("518-08-582")
VECTORS = [
    (SetupPayload(KNOWN, "7OSX", 7), "X-HM://0071WK4SM7OSX"),
    (SetupPayload(None, None, 7), "X-HM://00711PP1C0000"),
    (SetupPayload(None, None, 7, paired=True), "X-HM://00739MG3K0000"),
    (SetupPayload(KNOWN, "7OSX", 7, ip=False, ble=True), "X-HM://0076CDMX27OSX"),
    (SetupPayload(KNOWN, "7OSX", 7, wac=True), "X-HM://007JNU5AE7OSX"),
    (SetupPayload(KNOWN, "7OSX", 7, ble=True), "X-HM://007AS751I7OSX"),
    (SetupPayload(SetupCode("031-45-154"), "1QJ8", 5), "X-HM://00522H1VM1QJ8"),
]


@pytest.mark.parametrize(("payload", "uri"), VECTORS, ids=[uri for _, uri in VECTORS])
def test_payloads_known_from_apple(payload: SetupPayload, uri: str) -> None:
    assert payload.uri() == uri
    assert SetupPayload.parse(uri) == payload
    assert SetupPayload.parse(f" {uri.lower()}\n") == payload


@pytest.mark.parametrize(("payload", "uri"), VECTORS, ids=[uri for _, uri in VECTORS])
def test_the_message_of_an_nfc_tag(payload: SetupPayload, uri: str) -> None:
    """One NDEF record, and nothing else: message begins and ends, short, well-known; "U"; no prefix left out."""
    message = payload.ndef()
    head, type_length, length, kind, prefix = message[:5]
    assert (head, type_length, kind, prefix) == (0b11010001, 1, ord("U"), 0)
    assert message[5:] == uri.encode()
    assert length == len(message) - 4 == 21


def test_what_may_have_no_fixed_tag() -> None:
    """HAP 2.3: garage doors, locks, security systems, doors, windows."""
    assert {Category(one).name for one in CHANGING_TAG_ONLY} == {
        "GARAGE_DOOR_OPENER",
        "DOOR_LOCK",
        "SECURITY_SYSTEM",
        "DOOR",
        "WINDOW",
    }


def test_a_paired_accessorys_tag_tells_neither_code_nor_id() -> None:
    assert SetupPayload(KNOWN, "7OSX", 7, paired=True).uri() == "X-HM://00739MG3K0000"


@given(
    code=st.none() | CODES.filter(bool).map(SetupCode.from_number),
    setup_id=st.none() | SETUP_IDS.filter(lambda text: text != "0000"),
    category=st.integers(0, 255),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_any_payload_comes_back(
    code: SetupCode | None, setup_id: str | None, category: int, flags: tuple[bool, bool, bool]
) -> None:
    ip, ble, wac = flags
    payload = SetupPayload(code, setup_id, category, ip=ip, ble=ble, wac=wac)
    uri = payload.uri()
    assert len(uri) == 20
    assert SetupPayload.parse(uri) == payload


def test_a_trivial_code_on_a_tag_is_read() -> None:
    uri = SetupPayload(SetupCode("111-11-111", allow_trivial=True), "7OSX", 5).uri()
    found = SetupPayload.parse(uri).code
    assert found is not None
    assert found.text == "111-11-111"


def test_reserved_bits_are_ignored() -> None:
    reserved = int("0071WK4SM", 36) | 0b1111 << 39
    digits = ""
    while reserved:
        reserved, digit = divmod(reserved, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    assert SetupPayload.parse(f"X-HM://{digits:0>9}7OSX") == SetupPayload(KNOWN, "7OSX", 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "X-HM://",
        "0071WK4SM7OSX",
        "X-HM:/0071WK4SM7OSX",
        "X-HM://0071WK4SM7OS",
        "X-HM://0071WK4SM7OSXX",
        "X-HM://0071WK4SM7OS-",
        "X-HM://0071WK4S_7OSX",
        "X-HM://+071WK4SM7OSX",
        "X-HM://\uff10\uff1071WK4SM7OSX",
        "https://example.com/00",
    ],
)
def test_what_is_no_payload_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="X-HM"):
        SetupPayload.parse(text)


def test_a_newer_version_and_an_overlong_code_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="version"):
        SetupPayload.parse("X-HM://ZZZZZZZZZ7OSX")
    with pytest.raises(LocalProtocolError, match="eight digits"):
        SetupPayload.parse("X-HM://0053O4ZK07OSX")  # its last 27 bits are 100 000 000


@pytest.mark.parametrize("category", [-1, 256])
def test_an_impossible_category_is_the_callers_mistake(category: int) -> None:
    with pytest.raises(LocalProtocolError, match="category"):
        SetupPayload(None, None, category)


@given(st.text(max_size=30) | st.from_regex(r"\AX-HM://[0-9A-Z]{13}\Z"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        payload = SetupPayload.parse(text)
    except LocalProtocolError:
        return
    assert payload.paired or SetupPayload.parse(payload.uri()) == payload
