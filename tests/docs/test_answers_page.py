"""What users complain of: each answer names the tests that show it, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
NAMED = re.findall(r"^- `(tests/[^`]+)`$", PAGE, flags=re.MULTILINE)
#: What there is no answer to, and says so.
WITHOUT = {"HomeKit Secure Video"}


def test_as_many_complaints_as_there_are():
    first = PAGE.partition("## Of controllers")[0]
    assert (first.count("\n### "), len(SECTIONS)) == (15, 30)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: text.partition("\n")[0])
def test_an_answer_names_its_tests(section):
    title = section.partition("\n")[0]
    assert ("- `tests/" in section) is (title not in WITHOUT)


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_is_there(name):
    file, _, function = name.partition("::")
    text = Path(ROOT, file).read_text(encoding="utf-8")
    assert re.search(rf"^ *(async )?def {function or 'test_'}", text, flags=re.MULTILINE)
