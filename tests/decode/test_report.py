"""The page of a report, read as text: what is in it, what never is, and how it is put together."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from tests.decode.made_up import HOSTILE, LAMP, PLUG, Talk, attack, evening, touched

from hap_trio.cli.page import SCRIPTS, look
from hapcore.decode import Direction, Entry, Kind, Touched
from hapcore.decode import report as page
from hapcore.decode.report import Look, report

PLAIN = Look(body="<main></main>", style="main { color: red }", script="begin()")
ELEMENTS = re.compile(r'<script(?: type="application/json")?(?: (?:class|id)="(\w+)")?>(.*?)</script>', re.DOTALL)


def read(text: str) -> tuple[list[dict], list[dict], dict]:
    """Rows, details and tables as the page's script reads them."""
    found = ELEMENTS.findall(text)
    rows = [row for name, body in found if name == "rows" for row in json.loads(body)]
    details = [one for name, body in found if name == "details" for one in json.loads(body)]
    (tables,) = (json.loads(body) for name, body in found if name == "tables")
    return rows, details, tables


def drawn(entries, title="a capture"):
    return read("".join(report(entries, title, PLAIN)))


def test_every_entry_is_there_with_all_it_has():
    entries = evening()
    rows, details, tables = drawn(entries)
    assert [row["n"] for row in rows] == [entry.number for entry in entries]
    for entry, row, more in zip(entries, rows, details, strict=True):
        assert row["title"] == entry.title
        assert row["kind"] == entry.kind.value
        assert row["t"] == pytest.approx(entry.time, abs=1e-6)
        assert tables["connections"][row["c"]] == entry.connection
        assert tables["accessories"][row["a"]] == entry.accessory
        assert row.get("to") == {Direction.TO_ACCESSORY: "a", Direction.TO_CONTROLLER: "c"}.get(entry.direction)
        assert row.get("answers") == entry.answers
        assert row.get("took") == (None if entry.took is None else pytest.approx(entry.took))
        assert base64.b64decode(more.get("data", "")) == entry.data
        assert more.get("size", 0) == len(entry.data)
        assert [tuple(one) for one in more.get("details", [])] == list(entry.details)
        carried = [
            Touched(one["aid"], one["iid"], one["name"], one.get("value"), one.get("status"))
            for one in row.get("touched", [])
        ]
        assert carried == list(entry.touched)
    assert tables["title"] == "a capture"
    assert tables["leftOut"] == 0
    assert tables["statuses"]["-70402"]


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_blocks_neither_lose_nor_repeat(count):
    talk = Talk()
    for _ in range(count):
        talk.ask("GET /")
    rows, details, tables = drawn(talk.entries)
    assert [row["n"] for row in rows] == list(range(count))
    assert len(details) == count
    assert tables["block"] == page.BLOCK


def test_remarks_are_asked_for_when_they_are_known():
    said = []

    def source():
        yield from evening()
        said.append("the capture was cut off</script>")

    _, _, tables = read("".join(report(source(), "", PLAIN, iter(said))))
    assert tables["remarks"] == said


def test_it_streams():
    """Pieces come out while entries still come in, so that no conversation has to be kept whole."""
    taken = 0

    def source():
        nonlocal taken
        for entry in evening(100):
            taken += 1
            yield entry

    pieces = report(source(), "", PLAIN)
    rows = next(piece for piece in pieces if 'class="rows"' in piece)
    assert taken == page.BLOCK
    assert rows.count('"n":') == page.BLOCK


def test_nothing_of_a_peer_stands_in_the_page_but_as_escaped_json():
    clean = "".join(report([], "", PLAIN))
    for text in HOSTILE:
        whole = "".join(report(attack(text), text, PLAIN))
        assert whole.isascii()
        assert whole.startswith(clean[: clean.index('<script type="application/json"')])
        data = whole[len(clean[: clean.index('<script type="application/json"')]) :]
        for name, body in ELEMENTS.findall(data):
            if name:
                assert not set("<>&\x00\x7f\u2028\u2029") & set(body), body[:200]
        # Nothing is left when the elements are taken out: no text ended one early.
        assert ELEMENTS.sub("", data).split() == ["</body>", "</html>"]
        rows, details, tables = read(whole)
        assert tables["title"] == text
        if len(text) < page.SHORT_VALUE:
            assert rows[1]["title"] == text
            assert rows[1]["touched"][0]["name"] == text
            assert details[1]["details"][0] == [text, text]


def test_surrogates_can_be_written_to_a_file():
    "".join(report(attack("\ud800"), "\udfff", look())).encode("utf-8")


def test_handshakes_fold():
    rows, _, _ = drawn(evening())
    folded = [(row["title"], row["fold"]) for row in rows if "fold" in row]
    assert [first for _, first in folded] == [1] * 6 + [7] * 4 + [20] * 2
    assert [row["step"] for row in rows if row.get("fold") == 1] == [1, 2, 3, 4, 5, 6]
    assert {row["handshake"] for row in rows if row.get("fold") == 7} == {"pair-verify"}


def test_a_handshake_ends_where_another_begins():
    talk = Talk()
    talk.ask("pair-verify M1", Kind.PAIRING)  # 0: never answered
    talk.shake_hands("pair-verify", 4)  # 1: again
    talk.shake_hands("pair-verify", 2, connection=PLUG)  # 5: elsewhere, at the same time
    asked = talk.ask("pair-setup M1", Kind.PAIRING)  # 7
    talk.add(Kind.GAP, "3 bytes missing here")  # 8: does not end it
    talk.add(Kind.NOTE, "retransmitted")
    talk.answer(asked, "pair-setup M2", kind=Kind.PAIRING)  # 10
    talk.ask("GET /accessories")  # 11: ends it
    talk.ask("pair-setup M3", Kind.PAIRING)  # 12: so this is none of it
    talk.ask("pairings list", Kind.PAIRING)  # 13: no handshake
    talk.ask("pair-setup M99999999999999999999", Kind.PAIRING)
    rows, _, _ = drawn(talk.entries)
    assert [row.get("fold") for row in rows] == [0, 1, 1, 1, 1, 5, 5, 7, None, None, 7, None, 12, None, None]


def test_what_is_marked():
    rows, _, _ = drawn(evening())
    marked = [(row["title"], row["marks"]) for row in rows if "marks" in row]
    assert marked == [
        ("207 Multi-Status", ["slow", "refused"]),
        ("42 bytes missing here", ["gap"]),
        ("pair-verify M2", ["refused"]),
    ]


def test_pairing_that_is_refused_by_http():
    talk = Talk()
    asked = talk.ask("pair-verify M1", Kind.PAIRING)
    talk.answer(asked, "pair-verify M2: 470 Connection Authorization Required", kind=Kind.PAIRING)
    rows, _, _ = drawn(talk.entries)
    assert rows[1]["marks"] == ["refused"]
    assert rows[1]["fold"] == 0


@pytest.mark.parametrize(
    ("took", "title", "marks"),
    [
        (1.0, "204 No Content", None),
        (1.001, "204 No Content", ["slow"]),
        (0.1, "470 Connection Authorization Required", ["refused"]),
        (0.1, "500 Internal Server Error", ["refused"]),
        (0.1, "200 4000 of them", None),
        (float("nan"), "204 No Content", None),
    ],
)
def test_slow_and_refused(took, title, marks):
    entry = Entry(
        number=0,
        time=0.0,
        connection=LAMP,
        accessory="lamp",
        kind=Kind.RESPONSE,
        direction=Direction.TO_CONTROLLER,
        title=title,
        took=took,
    )
    (row,), _, _ = drawn([entry])
    assert row.get("marks") == marks


def test_a_status_of_zero_is_no_refusal():
    talk = Talk()
    talk.answer(talk.ask("PUT /characteristics"), "207 Multi-Status", touched=touched(((1, 9, "1.9"), None, 0)))
    rows, _, _ = drawn(talk.entries)
    assert "marks" not in rows[1]


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_time_is_none(time):
    talk = Talk(time=time)
    talk.answer(talk.ask("GET /", after=time), "200 OK", after=time)
    rows, _, _ = drawn(talk.entries)
    assert [row["t"] for row in rows] == [None, None]
    assert rows[1]["took"] is None


def test_long_texts_and_bytes_are_cut_and_say_so():
    talk = Talk()
    long = "v" * (page.MAX_TEXT + 5)
    data = bytes(page.MAX_BYTES + 7)
    talk.add(Kind.EVENT, long, touched=(Touched(1, 9, "On", long),), details=(("JSON", long),), data=data)
    (row,), (more,), _ = drawn(talk.entries)
    assert row["title"].startswith("v" * page.SHORT_TITLE + "\u2026")
    assert len(row["touched"][0]["value"]) < page.SHORT_VALUE + 40
    for text in (more["title"], more["touched"][0]["value"], more["details"][0][1]):
        assert text == "v" * page.MAX_TEXT + "\u2026 (5 more characters)"
    assert more["size"] == len(data)
    assert base64.b64decode(more["data"]) == bytes(page.MAX_BYTES)


def test_a_value_that_is_longer_than_the_diagram_is_whole_in_the_details():
    talk = Talk()
    talk.add(Kind.EVENT, "EVENT", touched=(Touched(1, 9, "On", "v" * 500),))
    _, (more,), _ = drawn(talk.entries)
    assert more["touched"][0]["value"] == "v" * 500


@pytest.mark.parametrize(("name", "limit", "shown"), [("MAX_ENTRIES", 3, 3), ("MAX_PAGE", 500, None)])
def test_a_page_has_a_limit_and_counts_what_is_beyond(monkeypatch, name, limit, shown):
    monkeypatch.setattr(page, name, limit)
    entries = evening()
    rows, details, tables = drawn(entries)
    assert 0 < len(rows) < len(entries)
    assert shown is None or len(rows) == shown
    assert len(rows) == len(details)
    assert tables["leftOut"] == len(entries) - len(rows)
    assert [row["n"] for row in rows] == list(range(len(rows)))


def test_the_picture_in_the_documentation_is_a_picture():
    picture = Path(__file__).parents[2] / "docs" / "report.png"
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(data[16:20], "big") > 1000
    assert len(data) < 300_000
    assert "](report.png)" in picture.with_name("recorder.md").read_text(encoding="utf-8")


def test_the_policy_lets_only_this_script_and_this_style_through():
    whole = "".join(report(evening(), "a capture", look()))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', whole)
    (style,) = re.findall(r"<style>(.*?)</style>", whole, re.DOTALL)
    (script,) = (body for name, body in ELEMENTS.findall(whole) if not name)

    def digest(text):
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{digest(script)}'",
        f"style-src 'sha256-{digest(style)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert whole.index("Content-Security-Policy") < whole.index("<style")


def test_our_page_loads_nothing_and_makes_no_markup_of_text():
    own = look()
    for text in (own.body, own.style, own.script):
        assert not re.search(
            r"https?:|//[a-z]|@import|url\(|src\s*=|\bimport\b|XMLHttpRequest|\bfetch\b|sendBeacon", text
        )
        assert "</script" not in text
        assert "</style" not in text
        assert "<!--" not in text
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|DOMParser", own.script
    )
    assert not re.search(r"\son\w+\s*=|\sstyle\s*=", own.body), "the policy refuses these in markup"


def test_no_file_of_the_page_is_forgotten():
    from importlib.resources import files

    there = {one.name for one in files("hap_trio.cli.page").iterdir() if one.name.endswith(".js")}
    assert there == set(SCRIPTS)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21, as the Web Content Accessibility Guidelines define it."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


INKS = ["text", "muted", "request", "response", "event", "pairing", "note", "bad"]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_everything_can_be_read(mode):
    blocks = re.findall(r":root \{(.*?)\}", look().style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", blocks[mode]))
    pairs = [(ink, ground) for ink in INKS for ground in ("ground", "surface", "chosen", "mate")]
    pairs += [
        ("bad", "bad-ground"),
        ("warn", "warn-ground"),
        ("pairing", "pairing-ground"),
        ("muted", "pairing-ground"),
    ]
    poor = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: found for pair, found in poor.items() if found < 4.5} == {}
