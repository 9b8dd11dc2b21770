"""What every page must keep: fresh generated parts, links that lead somewhere, names that exist, blocks that run."""

from __future__ import annotations

import builtins
import importlib
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from tests.docs.pages import PAGES, README, ROOT, blocks, listings
from tests.docs.programs import finish
from tools import generate_docs
from tools.docpages import listing
from tools.docpages.markdown import anchor
from tools.readme_block import block

import hap_asyncio.testing
import hap_sync.recording
import hap_sync.testing
import hap_trio
import hap_trio.testing
import hapcore.ble.controller
import hapcore.catalogue.characteristics
import hapcore.catalogue.services
import hapcore.catalogue.values
import hapcore.home
import hapcore.testing
import hapcore.transcript
from hap_trio.server import Settings
from hapcore import errors
from hapcore.ip import accessory, controller
from hapcore.model import characteristic, metadata, service

#: Pages whose Python blocks are run, by the tests named after them.
RUN = {
    "README",
    "accessory",
    "ble",
    "controller",
    "embedding",
    "engine",
    "network",
    "programs",
    "recorder",
    "setup",
    "testing",
}
NAMES = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


GENERATED = generate_docs.render()


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.stem)
def test_generated_parts_are_fresh(page):
    assert page.read_text(encoding="utf-8") == GENERATED[page], "run tools/generate_docs.py"


def test_the_check_notices_a_stale_page(tmp_path, monkeypatch, capsys):
    stale = tmp_path / "page.md"
    stale.write_text("<!-- labels -->\nold\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr(generate_docs, "ROOT", tmp_path)
    monkeypatch.setattr(generate_docs, "render", lambda: {stale: generate_docs.fill(stale.read_text(encoding="utf-8"))})
    monkeypatch.setattr(sys, "argv", ["generate_docs.py", "--check"])
    assert generate_docs.main() == 1
    assert "-old" in capsys.readouterr().out
    assert "old" in stale.read_text(encoding="utf-8"), "--check writes nothing"
    monkeypatch.setattr(sys, "argv", ["generate_docs.py"])
    assert generate_docs.main() == 0
    monkeypatch.setattr(sys, "argv", ["generate_docs.py", "--check"])
    assert generate_docs.main() == 0


# --- links ------------------------------------------------------------------------------------------------------------


def _prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@NAMES
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if target.startswith("https://"):
            continue
        path, _, fragment = target.partition("#")
        found = page.parent / path if path else page
        assert found.is_file(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", _prose(found), re.MULTILINE)
            assert fragment in map(anchor, headings), target


def test_every_page_can_be_reached_from_the_readme():
    seen, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            links = re.findall(r"\]\(([^)#\s:]+\.md)[^)]*\)", _prose(page))
            waiting += [(page.parent / link).resolve() for link in links]
    assert {page for page in PAGES if page.parent.name == "docs"} <= seen


# --- names ------------------------------------------------------------------------------------------------------------


def _exists(dotted: str) -> bool:
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for name in parts[length:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


@NAMES
def test_modules_and_what_is_in_them_exist(page):
    names = set(re.findall(r"\b((?:hapcore|hap_trio|hap_asyncio)(?:\.\w+)+)", page.read_text(encoding="utf-8")))
    files = {name for name in names if name.endswith((".py", ".md"))}
    missing = [name for name in sorted(names - files) if not _exists(name)]
    assert not missing


def _known() -> set[str]:
    """Every class and constant a page may mention without its module."""
    modules = [
        hap_trio,
        errors,
        accessory,
        controller,
        characteristic,
        metadata,
        service,
        hapcore.engine,
        hapcore.discovery,
        hapcore.ids,
        hapcore.model.accessory,
        hapcore.model.database,
        hapcore.pairing.keylog,
        hapcore.pairing.records,
        hapcore.setup_code,
        hapcore.catalogue.services,
        hapcore.catalogue.characteristics,
        hapcore.catalogue.values,
        hapcore.ble.controller,
        hapcore.home,
        hapcore.state,
        hapcore.testing,
        hap_asyncio.testing,
        hap_sync.testing,
        hap_trio.testing,
        hapcore.transcript,
        hap_sync.recording,
    ]
    return {name for module in modules for name in dir(module)} | set(dir(builtins))


@NAMES
def test_classes_exist(page):
    known = _known()
    # Words in CamelCase between backticks; in a call only the name that is called.
    mentioned = re.findall(r"`([A-Z][a-z]+[A-Z]\w*|[A-Z]\w+(?=\())", _prose(page))
    missing = sorted({name for name in mentioned if name not in known})
    assert not missing


def test_settings_are_all_told():
    text = (ROOT / "docs" / "accessory.md").read_text(encoding="utf-8")
    missing = [name for name in Settings.__annotations__ if not re.search(rf"\b{name}\b", text)]
    assert missing == ["entropy"], "that one is for tests and recordings"


def test_errors_are_all_explained():
    text = (ROOT / "docs" / "controller.md").read_text(encoding="utf-8").partition("\n## Errors\n")[2]
    named = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    families = {"HapError", "PeerError"}
    engine_only = {"EffectFailed"}
    assert named >= set(errors.__all__) - families - engine_only


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_the_readme_begins_with_its_two_commands():
    first, second = blocks(README)[:2]
    assert (first.language, second.language) == ("sh", "sh")
    assert first.text == block(1)
    assert second.text == block(2)
    assert first.text.splitlines()[-1] == ".venv/bin/hap demo"
    assert second.text.splitlines()[-1] == ".venv/bin/python -m pytest -q"


@NAMES
def test_every_block_is_of_a_kind_that_is_checked(page):
    for one in blocks(page):
        if one.language == "python":
            assert page.stem in RUN, f"{one}: nothing runs it"
        elif one.language == "json":
            assert page.stem == "cli", f"{one}: nothing checks it"
        elif one.language == "sh":
            assert page == README, f"{one}: nothing runs it"
        elif one.language == "toml":
            assert page.stem == "house", f"{one}: nothing reads it"
        else:
            assert one.language in ("text", "mermaid"), f"{one}: {one.language}"


@NAMES
def test_python_blocks_are_listings_or_compile(page):
    for one in blocks(page, "python"):
        assert compile(one.text, str(one), "exec", dont_inherit=True)


@pytest.mark.parametrize("name", ["embedding", "programs"])
def test_the_guide_to_embedding_shows_examples_only(name):
    page = ROOT / "docs" / f"{name}.md"
    marked = [
        found[0].split("```python\n")[1].split("\n```")[0] + "\n"
        for found in generate_docs.MARKED.finditer(page.read_text(encoding="utf-8"))
        if found["name"].startswith("examples/")
    ]
    assert [one.text for one in blocks(page, "python")] == marked


def test_parts_of_a_file_are_cut_out_as_they_stand():
    text = "@sing\ndef one():\n    pass\n\n\nclass Two:\n    @sing\n    async def three(self):\n        pass\n"
    assert listing.parts(text, ["one"]) == ["@sing", "def one():", "    pass"]
    assert listing.parts(text, ["Two.three"]) == ["@sing", "async def three(self):", "    pass"]
    assert listing.parts(text, ["Two", "one"])[4:7] == ["", "", "@sing"]
    with pytest.raises(SystemExit, match="four"):
        listing.parts(text, ["Two.four"])


def test_the_session_in_memory_runs(tmp_path):
    (one,) = (one for one in blocks(ROOT / "docs" / "engine.md", "python") if one.text not in listings())
    script = tmp_path / "block.py"
    script.write_text(one.text, encoding="utf-8")
    assert finish(["block.py"], tmp_path) == "True\n"


def test_the_recorded_session_replays(tmp_path):
    found = [one for one in blocks(ROOT / "docs" / "recorder.md", "python") if one.text not in listings()]
    printed = []
    for one in found:
        script = tmp_path / "block.py"
        script.write_text(one.text, encoding="utf-8")
        printed.append(finish(["block.py"], tmp_path))
    heard = "00:00:00.000 --> GET /characteristics?id=1.9  [192.168.1.4:51622 > 192.168.1.9:5001]\n      1.9\n"
    assert printed == ["accessory None\n", heard]


def test_the_state_diagrams_name_every_state():
    for one in blocks(ROOT / "docs" / "reference.md", "mermaid"):
        lines = one.text.splitlines()
        assert lines[0] == "stateDiagram-v2"
        declared = set(re.findall(r'^    state ".+" as (\w+)$', one.text, re.MULTILINE))
        arrows = re.findall(r"^    (\w+|\[\*\]) --> (\w+)", one.text, re.MULTILINE)
        used = {name for arrow in arrows for name in arrow} - {"[*]"}
        assert len(arrows) + len(declared) + 1 == len(lines)
        assert used == declared or declared - used == {"CLOSED"}


def test_the_picture_is_whole_and_loads_nothing():
    picture = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8")
    text = "".join(ElementTree.fromstring(picture).itertext()).replace("\xa0", " ")  # noqa: S314 - our own file
    for step in ("hap demo", "is served on", "mDNS found", "paired: both sides", "reads it back", "unpaired", "Done."):
        assert step in text
    assert not re.search(r"(href|src|url)\s*[=(:]\s*[\"']?https?:", picture)
