"""The examples that are tests themselves, run as their readers would."""

from __future__ import annotations

import re

import pytest
from tests.docs.programs import ROOT, finish


@pytest.mark.parametrize(("name", "passed"), [("test_in_memory.py", 3), ("test_transport.py", 1)])
def test_an_example_of_tests_passes(name, passed, tmp_path):
    (tmp_path / name).write_text((ROOT / "examples" / name).read_text(encoding="utf-8"), encoding="utf-8")
    said = finish(["-m", "pytest", "-q", "-p", "no:cacheprovider", name], tmp_path)
    assert re.search(rf"^{passed} passed", said, re.MULTILINE), said
