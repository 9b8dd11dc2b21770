"""The record layer: cutting, joining, and what kills it (HAP 7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapcore.crypto.frames import MAX_FRAME, FrameError, FrameOpener, FrameSealer, session_keys
from hapcore.crypto.secret import Secret

KEY = Secret(bytes(range(32)))
#: Length and tag.
OVERHEAD = 18


def lengths(frames: bytes) -> list[int]:
    found: list[int] = []
    while frames:
        found.append(int.from_bytes(frames[:2], "little"))
        frames = frames[found[-1] + OVERHEAD :]
    return found


@pytest.mark.parametrize(
    ("size", "cut"),
    [
        (0, []),
        (1, [1]),
        (2, [2]),
        (1023, [1023]),
        (1024, [1022, 2]),
        (1025, [1023, 2]),
        (1026, [1024, 2]),
        (1500, [1024, 476]),
        (2047, [1024, 1023]),
        (2048, [1024, 1022, 2]),
        (2049, [1024, 1023, 2]),
        (2050, [1024, 1024, 2]),
        (10_000, [1024] * 9 + [784]),
    ],
)
def test_cutting(size: int, cut: list[int]) -> None:
    data = bytes(i % 251 for i in range(size))
    sealer = FrameSealer(KEY)
    frames = sealer.seal(data)
    assert lengths(frames) == cut
    assert sealer.counter == len(cut)
    assert FrameOpener(KEY).feed(frames) == data
    assert FrameSealer(KEY).seal(memoryview(data)) == frames


def test_no_last_frame_of_one_byte_or_full() -> None:
    for size in range(2, 3100):
        cut = lengths(FrameSealer(KEY).seal(bytes(size)))
        assert sum(cut) == size
        assert 2 <= cut[-1] < MAX_FRAME
        assert max(cut) <= MAX_FRAME


@given(st.lists(st.binary(min_size=1, max_size=2100), min_size=1, max_size=4), st.data())
def test_any_chunking(messages: list[bytes], data: st.DataObject) -> None:
    sealer = FrameSealer(KEY)
    stream = b"".join(map(sealer.seal, messages))
    opener = FrameOpener(KEY)
    out = bytearray()
    position = 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream)))
        out += opener.feed(stream[position : position + size])
        position += size
    assert out == b"".join(messages)
    assert opener.counter == sealer.counter


def test_byte_by_byte() -> None:
    data = bytes(2000)
    opener = FrameOpener(KEY)
    assert b"".join(opener.feed(bytes((byte,))) for byte in FrameSealer(KEY).seal(data)) == data


def test_a_view_of_a_buffer_that_changes_later() -> None:
    sealer = FrameSealer(KEY)
    first, second = sealer.seal(b"first"), sealer.seal(b"second")
    buffer = bytearray(first + second[:5])
    opener = FrameOpener(KEY)
    assert opener.feed(memoryview(buffer)) == b"first"
    buffer[:] = bytes(len(buffer))
    assert opener.feed(second[5:]) == b"second"


def empty_frame() -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return b"\0\0" + ChaCha20Poly1305(KEY.reveal()).encrypt(bytes(12), b"", b"\0\0")


@pytest.mark.parametrize("at_once", [True, False])
def test_an_empty_frame_counts_and_says_nothing(at_once: bool) -> None:
    opener, sealer = FrameOpener(KEY), FrameSealer(KEY)
    sealer.seal(b"x")
    after = sealer.seal(b"after")
    if at_once:
        assert opener.feed(empty_frame() + after) == b"after"
    else:
        assert opener.feed(empty_frame()) == b""
        assert opener.feed(after) == b"after"
    assert opener.counter == 2


def broken(frames: bytes, position: int) -> bytes:
    return frames[:position] + bytes((frames[position] ^ 1,)) + frames[position + 1 :]


@pytest.mark.parametrize("position", [2, 6, 7, 22])
def test_a_changed_byte_kills(position: int) -> None:
    frame = FrameSealer(KEY).seal(b"12345")
    opener = FrameOpener(KEY)
    with pytest.raises(FrameError) as caught:
        opener.feed(broken(frame, position))
    assert caught.value.plaintext == b""
    with pytest.raises(FrameError):
        opener.feed(frame)
    with pytest.raises(FrameError):
        opener.feed(b"")


def test_a_changed_length_kills_though_the_frame_opens_without_it() -> None:
    """The length is authenticated: a frame of 0x0105 bytes with one bit of the length turned waits, then fails."""
    frame = FrameSealer(KEY).seal(bytes(0x105))
    with pytest.raises(FrameError):
        FrameOpener(KEY).feed(broken(frame, 1))


@pytest.mark.parametrize("head", [b"\x01\x04", b"\xff\xff", b"GE"])
def test_a_frame_too_long_kills_with_its_length(head: bytes) -> None:
    opener = FrameOpener(KEY)
    assert opener.feed(head[:1]) == b""
    with pytest.raises(FrameError):
        opener.feed(head[1:])
    with pytest.raises(FrameError):
        FrameOpener(KEY).feed(head + bytes(int.from_bytes(head, "little") + 16))


def test_a_full_frame_is_legal() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    frame = b"\0\4" + ChaCha20Poly1305(KEY.reveal()).encrypt(bytes(12), bytes(1024), b"\0\4")
    assert FrameOpener(KEY).feed(frame) == bytes(1024)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_frame_too_long_is_refused_though_it_would_open(at_once: bool) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    frame = b"\1\4" + ChaCha20Poly1305(KEY.reveal()).encrypt(bytes(12), bytes(1025), b"\1\4")
    with pytest.raises(FrameError):
        FrameOpener(KEY).feed(frame if at_once else frame + b"\0")


def test_replayed_and_swapped_frames_kill() -> None:
    sealer = FrameSealer(KEY)
    first, second = sealer.seal(b"first"), sealer.seal(b"second")
    opener = FrameOpener(KEY)
    assert opener.feed(first) == b"first"
    with pytest.raises(FrameError):
        opener.feed(first)
    with pytest.raises(FrameError):
        FrameOpener(KEY).feed(second)


@pytest.mark.parametrize("size", [1, 7, 23, 1000])
def test_good_frames_before_a_bad_one_are_not_lost(size: int) -> None:
    """However the network cuts the input, the same bytes come out before the end."""
    sealer = FrameSealer(KEY)
    stream = sealer.seal(b"good ") + sealer.seal(b"bytes") + broken(sealer.seal(b"bad"), 4)
    opener = FrameOpener(KEY)
    out = bytearray()

    def feed_all() -> None:
        for start in range(0, len(stream), size):
            out.extend(opener.feed(stream[start : start + size]))

    with pytest.raises(FrameError) as caught:
        feed_all()
    assert bytes(out) + caught.value.plaintext == b"good bytes"


def test_directions_have_keys_of_their_own() -> None:
    keys = session_keys(bytes(32))
    assert keys.read != keys.write
    with pytest.raises(FrameError):
        FrameOpener(keys.write).feed(FrameSealer(keys.read).seal(b"hello"))
    assert "Secret(<32 bytes>)" in repr(keys)


def test_nothing_piles_up() -> None:
    """A peer that never finishes a frame makes us keep one frame, not more."""
    opener = FrameOpener(KEY)
    frame = FrameSealer(KEY).seal(bytes(1023))
    for byte in frame[:-1]:
        assert opener.feed(bytes((byte,))) == b""
    assert opener.feed(frame[-1:]) == bytes(1023)
    assert opener.counter == 1
