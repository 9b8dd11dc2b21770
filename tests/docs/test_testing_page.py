"""The examples of docs/testing.md, each in a fresh pytest."""

from __future__ import annotations

import re

import pytest
from tests.docs.pages import ROOT, blocks
from tests.docs.programs import finish

from hapcore.testing import CHECKS, OWN_CLOSE, Damage, Weather

PAGE = ROOT / "docs" / "testing.md"


@pytest.mark.parametrize("block", blocks(PAGE, "python"), ids=str)
def test_example(block, tmp_path):
    (tmp_path / "test_example.py").write_text(block.text, encoding="utf-8")
    # Named here because the tests may run from a tree that is not installed; installed, pytest finds it by itself.
    said = finish(["-m", "pytest", "-q", "-p", "hap_pytest", "-p", "no:cacheprovider", "-p", "no:trio"], tmp_path)
    assert f"{block.text.count('def test_')} passed" in said


def test_tables_are_complete():
    text = PAGE.read_text(encoding="utf-8")
    checks = text.partition("| Check | The rule |")[2].partition("\n\n")[0]
    named = re.findall(r"`([^`]+)`", "\n".join(line.split("|")[1] for line in checks.splitlines() if "`" in line))
    assert sorted(named) == sorted(check.name for check in (*CHECKS, OWN_CLOSE))
    assert set(re.findall(r"^\| `(\w+)=", text, re.MULTILINE)) == set(Weather.__annotations__)
    assert len(Damage) == 19
    assert "nineteen ways" in text
