"""The parts of the decoder by themselves: frames behind gaps, TCP, TLV8 by name, what a terminal is shown."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hapcore.catalogue.structures import describe_tlv
from hapcore.codec import tlv8
from hapcore.crypto.frames import FrameSealer
from hapcore.crypto.secret import Secret
from hapcore.decode import Direction, Entry, Kind, Touched, render, to_json
from hapcore.decode.names import Names, Rolodex, values_in
from hapcore.decode.pairing import read_pairing
from hapcore.decode.sealed import MAX_COUNTER, Unread, Unsealer, frames_fit
from hapcore.decode.tcp import MAX_AHEAD, Assembler
from hapcore.decode.text import escape
from hapcore.model.remote import read_accessories

KEY = Secret(bytes(range(32)))


def frames(*texts: bytes, start: int = 0) -> list[bytes]:
    sealer = FrameSealer(KEY)
    for _ in range(start):
        sealer.seal(b"x")
    return [sealer.seal(text) for text in texts]


def texts(count: int, size: int = 50) -> list[bytes]:
    return [bytes([65 + number % 26]) * (size + number) for number in range(count)]


def opened(pieces) -> list[bytes]:
    return [one for one in pieces if isinstance(one, bytes)]


# Frames


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_frames_in_any_portions(sizes):
    said = texts(8)
    stream = b"".join(frames(*said))
    unsealer, found, place = Unsealer(KEY), [], 0
    for size in sizes:
        found += unsealer.feed(stream[place : place + size])
        place += size
    found += unsealer.feed(stream[place:])
    assert found == said


@settings(max_examples=60)
@given(st.integers(0, 1500), st.integers(1, 900), st.integers(1, 400))
def test_behind_any_gap_the_next_whole_frame_is_found(place, missing, portion):
    """Whatever is cut out: what comes out before and behind is true, and only what the gap touches is lost."""
    said = texts(60, 30)
    sealed = frames(*said)
    stream = b"".join(sealed)
    unsealer = Unsealer(KEY)
    found = list(unsealer.feed(stream[:place]))
    unsealer.gap(missing)
    rest = stream[place + missing :]
    for start in range(0, len(rest), portion):
        found += unsealer.feed(rest[start : start + portion])
    ends, at = [], 0
    for one in sealed:
        ends.append((at, at + len(one)))
        at += len(one)
    whole = [text for text, (a, b) in zip(said, ends, strict=True) if b <= place or a >= place + missing]
    assert opened(found) == whole
    assert all(not one.final for one in found if isinstance(one, Unread))


def test_two_gaps_at_once():
    said = texts(30)
    sealed = frames(*said)
    unsealer = Unsealer(KEY)
    found = list(unsealer.feed(sealed[0]))
    unsealer.gap(len(sealed[1]))
    unsealer.gap(len(sealed[2]) + len(sealed[3]))
    found += unsealer.feed(b"".join(sealed[4:]))
    assert opened(found) == [said[0], *said[4:]]


@pytest.mark.parametrize("start", [0, 1, 300, 5000])
def test_a_frame_of_unknown_number(start):
    said = texts(3)
    unsealer = Unsealer(KEY, None)
    assert [one for sealed in frames(*said, start=start) for one in unsealer.feed(sealed)] == said


def test_what_is_never_found_is_given_up():
    chance = random.Random(3)
    unsealer = Unsealer(KEY)
    found = []
    for _ in range(50):
        found += unsealer.feed(chance.randbytes(500))
    assert not opened(found)
    assert found[-1].final
    assert unsealer.waiting == 0
    assert sum(len(one.data) for one in found) == 25_000


def test_a_number_that_is_too_high_to_be_tried():
    (sealed,) = frames(b"hello", start=0)
    wrong = Unsealer(Secret(bytes(32)), None)
    for _ in range(8):
        assert not opened(wrong.feed(sealed))
    (last,) = wrong.feed(sealed)
    assert isinstance(last, Unread)
    assert last.final
    assert MAX_COUNTER == 65_536


def test_what_looks_like_frames():
    one, two = frames(b"hello", b"world")
    assert frames_fit(one)
    assert frames_fit(one + two)
    assert not frames_fit(one + two[:-1])
    assert not frames_fit(b"")
    assert not frames_fit(bytes(18))
    assert not frames_fit(b"\x16\x03\x01\x02\x00" + bytes(512))


# TCP


@settings(max_examples=80)
@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_any_order_any_repetition_any_overlap(chance, first):
    stream = bytes(number % 251 for number in range(3000))
    pieces = [(place, min(len(stream), place + chance.randrange(50, 300))) for place in range(0, 3000, 50)]
    pieces += [chance.choice(pieces) for _ in range(20)]
    chance.shuffle(pieces)
    side = Assembler()
    side.start((first - 1) % 2**32)
    found = bytearray()
    for start, end in pieces:
        for stretch in side.put((first + start) % 2**32, stream[start:end], 1.0):
            assert not stretch.missing
            found += stretch.data
    assert found == stream


def test_more_than_is_kept_behind_a_hole():
    side = Assembler()
    side.start(0)
    found = []
    for number in range(MAX_AHEAD // 1000 + 2):
        found += side.put(101 + number * 1000, bytes(1000), 1.0)
    assert found[0].missing == 100
    assert sum(len(one.data) for one in found) > MAX_AHEAD


# TLV8


def test_camera_set_up_by_name():
    codec = tlv8.encode([(1, b"\0"), (2, tlv8.encode([(1, b"\1"), (2, b"\2"), (3, b"\0")]))])
    assert describe_tlv("114", tlv8.encode([(1, codec)])) == (
        "Video codec: {Codec: H.264, Parameters: {Profile: main, Level: 4, Packetization: non-interleaved}}"
    )
    assert describe_tlv("116", b"\x02\x01\x00") == "Crypto suite: AES_CM_128_HMAC_SHA1_80"
    start = tlv8.encode([(1, tlv8.encode([(1, bytes(16)), (2, b"\1")]))])
    assert describe_tlv("117", start) == "Session: {Id: 00000000-0000-0000-0000-000000000000, Command: start}"
    assert describe_tlv("120", b"\x01\x01\x01") == "Status: in use"
    assert describe_tlv("120", b"\x01\x01\x09") == "Status: 9"


def test_keys_in_it_are_not_shown():
    secret = b"0123456789abcdef"
    srtp = tlv8.encode([(1, b"\0"), (2, secret), (3, secret[:14])])
    for text in (
        describe_tlv("118", tlv8.encode([(4, srtp)])),
        describe_tlv("131", tlv8.encode([(3, secret * 2)])),
        describe_tlv("999", tlv8.encode([(7, secret)])),
    ):
        assert secret.decode() not in text
        assert secret.hex() not in text
    assert describe_tlv("118", tlv8.encode([(4, srtp)])) == (
        "Video SRTP: {Crypto suite: AES_CM_128_HMAC_SHA1_80, Master key: <16 bytes>, Master salt: <14 bytes>}"
    )


@given(st.sampled_from(["114", "117", "118", "131", "209", "999"]), st.binary(max_size=300), st.booleans())
def test_any_bytes_are_described(short, data, answer):
    assert describe_tlv(short, data, answer=answer)


@given(st.sampled_from(["/pair-setup", "/pair-verify", "/pairings"]), st.binary(max_size=300))
def test_any_pairing_message_is_described(path, body):
    assert read_pairing(path, body).title


def test_errors_have_names():
    message = read_pairing("/pair-verify", b"\x06\x01\x04\x07\x01\x02")
    assert message.title == "pair-verify M4: error Authentication"
    assert message.details == (("State", "M4"), ("Error", "Authentication (2)"))
    assert read_pairing("/pair-setup", b"\x06\x01\x02\x07\x01\x09").title == "pair-setup M2: error 9"


# Values

DATABASE = {
    "accessories": [
        {
            "aid": 1,
            "services": [
                {
                    "iid": 8,
                    "type": "110",
                    "characteristics": [{"iid": 9, "type": "118", "format": "tlv8", "perms": ["pr", "pw"]}],
                }
            ],
        }
    ]
}


def test_bytes_in_bodies_are_not_shown():
    names = Names(read_accessories(DATABASE))
    value = base64.b64encode(tlv8.encode([(4, tlv8.encode([(2, b"0123456789abcdef")]))])).decode()
    body = f'{{"characteristics":[{{"aid":1,"iid":9,"value":"{value}","authData":"{value}"}}]}}'.encode()
    for known in (names, Names()):
        text, (touched,) = values_in(body, known, answer=False)
        assert value not in text
        assert text.count(f"<{len(value)} characters>") == 2
        assert value not in (touched.value or "")
    assert values_in(body, names, answer=False)[1][0].value == "Video SRTP: {Master key: <16 bytes>}"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_body_is_shown(body):
    values_in(body, Names(), answer=True)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["accessories", "services", "characteristics", "aid", "iid", "value", "type", "ev", "status"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_json_of_any_shape_is_shown(value):
    for answer in (False, True):
        values_in(json.dumps(value).encode(), Names(), answer=answer)


def test_accessories_are_remembered_under_their_ids():
    rolodex = Rolodex()
    rolodex.names("10.0.0.1:1").learn(read_accessories(DATABASE))
    rolodex.identify("10.0.0.1:1", "AA:BB")
    assert rolodex.accessory("10.0.0.1:1") == "AA:BB"
    assert rolodex.names("AA:BB").name(1, 9) == "CameraRTPStreamManagement.SetupEndpoints"
    for number in range(1000):
        rolodex.names(str(number))
    assert rolodex.names("AA:BB").name(1, 9) == "1.9"


# Text


@given(st.text(max_size=60))
def test_what_is_escaped_prints(text):
    assert escape(text).isprintable()
    assert escape(text) == text or not text.isprintable()


def test_an_entry_as_lines():
    entry = Entry(
        number=4,
        time=1763640000.0625,
        connection="a > b",
        accessory="b",
        kind=Kind.RESPONSE,
        direction=Direction.TO_CONTROLLER,
        title="207 Multi\x1bStatus",
        took=1.5,
        answers=3,
        details=(("Body", "one\ntwo\x07"),),
        touched=(Touched(1, 9, "Lightbulb.On", "true"), Touched(1, 10, "1.10", None, -70402)),
        data=b"secret",
    )
    assert render(entry, details=True).splitlines() == [
        r"12:00:00.062 <-- 207 Multi\x1bStatus  (1.50 s, late)  [a > b]",
        "      1.9 Lightbulb.On = true",
        "      1.10  (status -70402)",
        "      Body: one",
        r"        two\x07",
    ]
    assert "secret" not in repr(entry)
    found = to_json(entry, details=True)
    assert found["data"] == b"secret".hex()
    assert found["took"] == 1.5
    assert found["touched"] == [
        {"aid": 1, "iid": 9, "name": "Lightbulb.On", "value": "true"},
        {"aid": 1, "iid": 10, "name": "1.10", "status": -70402},
    ]
