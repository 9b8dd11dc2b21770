"""The example of tests in memory, run as its reader would."""

from __future__ import annotations

import re

from tests.docs.programs import ROOT, finish

EXAMPLE = ROOT / "examples" / "test_in_memory.py"


def test_the_tests_in_memory_pass(tmp_path):
    copy = tmp_path / EXAMPLE.name
    copy.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    said = finish(["-m", "pytest", "-q", "-p", "no:cacheprovider", copy.name], tmp_path)
    assert re.search(r"^3 passed", said, re.MULTILINE), said
