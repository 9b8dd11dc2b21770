"""Transcripts of any length: read and replayed line by line, in memory that does not grow; what is damaged is named."""

from __future__ import annotations

import gzip
import os
import threading
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cli.program import failure, hap
from tests.core.accessory_rig import Draws, Lamp

from hap_sync.recording import read_lines as lines_of
from hapcore.engine import SendBytes
from hapcore.ip.accessory import Config
from hapcore.replay import replay_lines
from hapcore.setup_code import SetupCode
from hapcore.transcript import RecordedServer, TranscriptError, read_lines, split_lines
from hapcore.transcript.unpacking import unpack

MIB = 1024 * 1024
GET = b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n"


def recorded(requests: int, *, cut: bool = False) -> Iterator[bytes]:
    """A transcript while it is written: requests on one connection that is never verified."""
    waiting: list[bytes] = []
    config = Config(name="Lamp", setup_code=SetupCode("031-45-154"))
    server = RecordedServer(
        [Lamp().accessory], config=config, state={}, entropy=Draws(), sink=waiting.append, with_secrets=False
    )
    connection = server.connection_opened(0.0)
    for number in range(requests):
        pieces = (GET[:20], GET[20:]) if cut else (GET,)
        for piece in pieces:
            server.receive_data(connection, piece, float(number))
        while (output := server.poll()) is not None:
            assert not isinstance(output, SendBytes) or b"470" in output.data
        yield from waiting
        waiting.clear()


def peak(work: Iterable[object]) -> int:
    """The most memory that is used while something is done, in bytes."""
    tracemalloc.start()
    try:
        for _ in work:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cut", [False, True])
def test_replayed_while_it_is_written(cut: bool) -> None:
    outcomes = list(replay_lines(recorded(300, cut=cut)))
    assert [one.outcome.first for one in outcomes] == [None]
    assert outcomes[0].outcome.compared > 300


def test_memory_does_not_grow_with_the_length() -> None:
    short, long = (peak(replay_lines(recorded(count))) for count in (40, 400))
    assert long < short * 1.3 + 100_000


def padded(lines: Iterable[bytes], size: int, count: int) -> Iterator[bytes]:
    """A transcript that goes on with `count` empty polls, each in a line of `size` bytes."""
    number = 0
    for line in lines:
        number += 1
        yield line
    for extra in range(count):
        yield b'{"e":1,"n":%d,"out":null' % (number + 1 + extra) + b" " * size + b"}\n"


def test_fifty_megabytes_piece_by_piece() -> None:
    text = padded(recorded(3), 64 * 1024, 800)
    assert peak(replay_lines(split_lines(text))) < 8 * MIB


def test_fifty_megabytes_from_a_pipe(tmp_path) -> None:
    """The command, fed by somebody who keeps writing."""
    small = tmp_path / "small"
    small.write_bytes(b"".join(recorded(3)))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed() -> None:
        with pipe.open("wb") as file:
            for line in padded(recorded(3), 256 * 1024, 200):
                file.write(line)

    feeder = threading.Thread(target=feed)
    feeder.start()
    result = hap("replay", pipe)
    feeder.join()
    assert result.returncode == 0, result.stderr
    assert "alike" in result.stdout
    assert hap("replay", small).stdout == result.stdout


# Packed


def bomb(size: int, content: bytes) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    for _ in range(size // len(content)):
        yield packer.compress(content)
    yield packer.flush()


def test_a_packed_line_without_an_end() -> None:
    with pytest.raises(TranscriptError, match=r"line 1 is longer than 64 MiB"):
        list(split_lines(unpack(bomb(80 * MIB, b"x" * MIB))))
    read = split_lines(unpack(bomb(40 * MIB, b"x" * MIB)))
    assert sum(map(len, read)) == 40 * MIB


def test_packed_emptiness() -> None:
    with pytest.raises(TranscriptError, match="10000 empty lines in a row"):
        list(read_lines(split_lines(unpack(bomb(20 * MIB, b"\n" * MIB)))))


def test_unpacking_takes_little_memory() -> None:
    assert peak(unpack(bomb(60 * MIB, b"x" * MIB))) < 4 * MIB


def test_a_line_of_too_many_parts() -> None:
    line = b'{"e":1,"n":1,"format":"hapcore-transcript","version":1,"x":[' + b"[]," * (2 * MIB + 1) + b"[]]}"
    with pytest.raises(TranscriptError, match="line 1 has 6 MiB or too many parts"):
        list(read_lines([line]))


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.binary(max_size=2000), min_size=1, max_size=4),
    torn=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    size=st.integers(1, 50),
)
def test_streams_in_a_row_some_cut_short(texts: list[bytes], torn: list[int], size: int) -> None:
    """What stands behind the last byte of a stream, its checksum and length, may be missing in whole or in part."""
    packed = b"".join(gzip.compress(text)[: -cut or None] for text, cut in zip(texts, torn, strict=False) if text)
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    whole = b"".join(texts)
    try:
        found = b"".join(unpack(pieces))
    except TranscriptError:
        assert max(torn) > 8  # then the data themselves are damaged
    else:
        assert found == whole or max(torn) > 8


# What is wrong, and what to do


def lines() -> list[bytes]:
    return list(recorded(3))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: [], "empty"),
        (lambda rows: [rows[0][:50]], "line 1, the header, is not whole"),
        (lambda rows: rows[1:], "line 1 comes before the header of its engine 1"),
        (lambda rows: [*rows[:4], b"\x00\xff\n", *rows[4:]], "line 5 is damaged: it is no JSON object"),
        (lambda rows: [*rows[:4], rows[4][:-3] + b"\n", *rows[5:]], "line 5 is damaged: it is no JSON object"),
        (
            lambda rows: [*rows[:4], rows[5], rows[4], *rows[6:]],
            "line 5 is out of order: it has the number 6, 5 is due",
        ),
        (lambda rows: [*rows[:4], *rows[5:]], "line 5 is out of order: it has the number 6, 5 is due"),
        (
            lambda rows: [rows[0].replace(b'"version":1', b'"version":7'), *rows[1:]],
            "line 1: the transcript has version 7",
        ),
        (lambda rows: [rows[0].replace(b'"role":"acc', b'"role":"axx'), *rows[1:]], "got 'axxessory' and 'ip'"),
        (lambda rows: [row.replace(b'"in":"open"', b'"in":"opem"') for row in rows], "line 6: an engine of that kind"),
        (lambda rows: [row.replace(b'"in":"open"', b'"t":{},"in":"open"') for row in rows], "line 6 cannot be carried"),
        (lambda rows: [rows[0].replace(b'"config"', b'"cinfog"'), *rows[1:]], "the header cannot be carried out"),
    ],
)
def test_each_damage_has_its_line_and_its_advice(spoil, said) -> None:
    rows = spoil(lines())
    with pytest.raises(TranscriptError) as caught:
        list(replay_lines(rows))
    assert said in str(caught.value)
    if "line 5" in said:
        assert "head -n 4" in str(caught.value)
        # And that is what helps.
        assert [one.outcome.first for one in replay_lines(rows[:4])] == [None]


def test_the_command_says_it(tmp_path) -> None:
    file = tmp_path / "x"
    rows = lines()
    file.write_bytes(b"".join([*rows[:4], *rows[5:]]))
    assert f"{file} cannot be replayed: line 5 is out of order" in failure(hap("replay", file))


def test_damaged_gzip(tmp_path) -> None:
    file = tmp_path / "x.gz"
    packed = bytearray(gzip.compress(b"".join(lines())))
    packed[len(packed) // 2] ^= 0x10
    file.write_bytes(packed)
    assert "cannot be replayed" in failure(hap("replay", file))
    # Cut off it is read as far as it goes.
    file.write_bytes(gzip.compress(b"".join(lines()))[:-30])
    assert [bool(one) for one in lines_of(file)]


def test_an_unfinished_message_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hapcore.replay.transcripts.MAX_AHEAD", 50_000)

    def text() -> Iterator[bytes]:
        rows = lines()
        place = next(index for index, row in enumerate(rows) if b'"in":"receive"' in row)
        yield from rows[:place]
        yield rows[place].replace(b'"size":%d' % len(GET), b'"size":%d' % (len(GET) + 1))
        for count in range(3000):
            yield b'{"e":1,"n":%d,"out":null}\n' % (place + 2 + count)

    with pytest.raises(TranscriptError, match=r"line \d+: what came in there is not told within the next"):
        list(replay_lines(text()))
