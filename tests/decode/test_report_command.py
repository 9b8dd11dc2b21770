"""`hap decode --html`: from a capture to a page, which is whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.decode.session import whole
from tests.decode.test_report import read
from tests.decode.wire import Stream, pcap, write

from hap_trio.cli.group import hap
from hap_trio.cli.page import look, write_page
from hapcore.decode.report import Look


@pytest.fixture(scope="module")
def told():
    return whole()


@pytest.fixture
def captured(told, tmp_path):
    """A capture of a session without one packet of an answer, and its keys."""
    _, _, talk = told
    stream = Stream(talk)
    packets = stream.without(stream.carrier(-8))
    return write(tmp_path / "lamp.pcap", pcap(packets)), write(tmp_path / "keys.log", talk.keys)


def run(*arguments, data=None):
    return CliRunner().invoke(hap, ["decode", *map(str, arguments)], prog_name="hap", input=data)


def test_the_page_shows_what_is_printed(captured, tmp_path):
    capture, keys = captured
    page = tmp_path / "lamp.html"
    result = run(capture, "--keylog", keys, "--html", page)
    assert result.exit_code == 0, result.output
    rows, details, tables = read(page.read_text(encoding="utf-8"))
    assert f"{len(rows)} entries" in result.output
    assert tables["title"] == "lamp.pcap"
    assert tables["remarks"] == []
    printed = run(capture, "--keylog", keys).output
    for row in rows:
        assert row["title"] in printed
    assert [row["kind"] for row in rows].count("gap") >= 1
    values = [
        one.get("value") for row in rows for one in row.get("touched", ()) if one["name"] == "Lightbulb.Brightness"
    ]
    assert "70" in values
    assert len(details) == len(rows)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["keys.log", "lamp.html", "lamp.pcap"]


def test_from_standard_input(captured, tmp_path):
    capture, keys = captured
    page = tmp_path / "lamp.html"
    result = run("-", "--keylog", keys, "--html", page, data=capture.read_bytes())
    assert result.exit_code == 0, result.output
    rows, _, _ = read(page.read_text(encoding="utf-8"))
    assert len(rows) > 15


def test_without_keys_the_page_says_so(captured, tmp_path):
    page = tmp_path / "lamp.html"
    assert run(captured[0], "--html", page).exit_code == 0
    rows, _, _ = read(page.read_text(encoding="utf-8"))
    assert any("there are no keys" in row["title"] for row in rows)


def test_an_accessory_can_be_chosen(captured, tmp_path):
    capture, keys = captured
    page = tmp_path / "lamp.html"
    assert run(capture, "--keylog", keys, "--html", page, "--accessory", "10.9.9.9").exit_code == 0
    assert read(page.read_text(encoding="utf-8"))[0] == []


def test_a_capture_that_is_cut_off_is_drawn_as_far_as_it_goes(captured, tmp_path):
    capture, keys = captured
    capture.write_bytes(capture.read_bytes()[:-10])
    page = tmp_path / "lamp.html"
    result = run(capture, "--keylog", keys, "--html", page)
    rows, _, tables = read(page.read_text(encoding="utf-8"))
    assert len(rows) > 15
    (remark,) = tables["remarks"]
    assert remark.removeprefix("the capture: ") in result.output
    assert "Traceback" not in result.output


def test_the_page_knows_how_a_capture_ends(told, tmp_path):
    """What was asked last may have been answered after it: the script tells by this text."""
    _, _, talk = told
    page = tmp_path / "lamp.html"
    capture = write(tmp_path / "lamp.pcap", pcap(Stream(talk, ends=False).packets))
    assert run(capture, "--html", page).exit_code == 0
    last = read(page.read_text(encoding="utf-8"))[0][-1]
    assert last["kind"] == "closed"
    assert f'CAPTURE_ENDS = "{last["title"]}"' in look().script


@pytest.mark.parametrize("option", [["-v"], ["--json"], ["-c", "1.9"]])
def test_what_does_not_go_together(captured, tmp_path, option):
    page = tmp_path / "lamp.html"
    result = run(captured[0], "--html", page, *option)
    assert result.exit_code == 2
    assert "--html goes without" in result.output
    assert not page.exists()


def test_the_capture_is_not_overwritten(captured):
    before = captured[0].read_bytes()
    assert run(captured[0], "--html", captured[0]).exit_code == 2
    assert captured[0].read_bytes() == before


def test_a_page_that_cannot_be_written(captured, tmp_path):
    result = run(captured[0], "--html", tmp_path / "nowhere" / "lamp.html")
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.output


def test_no_half_page_is_left_behind(tmp_path):
    page = tmp_path / "lamp.html"
    page.write_text("an older one", encoding="utf-8")

    def entries():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        write_page(page, entries(), "lamp")
    assert page.read_text(encoding="utf-8") == "an older one"
    assert [one.name for one in tmp_path.iterdir()] == ["lamp.html"]


def test_a_device_is_written_to_and_not_replaced():
    assert write_page(Path("/dev/null"), [], "lamp") == 0
    assert Path("/dev/null").is_char_device()


def test_the_look_is_shown_by_no_repr():
    assert repr(look()) == repr(Look("", "", "")) == "Look()"
