"""The examples for trio, for asyncio and without a loop are the same lines but for `async` and `await`."""

from __future__ import annotations

import ast
import re

import pytest
from tests.docs.pages import README, ROOT, blocks

KINDS = ("trio", "asyncio", "sync")


def source(kind: str, role: str) -> str:
    return (ROOT / "examples" / f"{kind}_{role}.py").read_text(encoding="utf-8")


def essence(kind: str, text: str) -> str:
    """The program without what names its adapter: the line of its title, the import of its loop, how it is started."""
    program, start = text.split('if __name__ == "__main__":\n')
    assert len(start.splitlines()) == 1
    lines = re.sub(rf"\bhap_{kind}\b", "hap", program).splitlines()
    # As a tree, where the brackets of (await lamp.accessories())[0] leave nothing behind.
    tree = ast.parse("\n".join(line for line in lines[1:] if line != f"import {kind}"))
    imports = sorted(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    rest = [ast.unparse(node) for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return normal("\n".join([*imports, *rest]))


def normal(text: str) -> str:
    return ast.unparse(ast.parse(text))


@pytest.mark.parametrize("role", ["lamp", "controller"])
def test_asyncio_is_trio_by_another_name(role):
    assert essence("asyncio", source("asyncio", role)) == essence("trio", source("trio", role))


@pytest.mark.parametrize("role", ["lamp", "controller"])
def test_without_a_loop_they_are_the_same_but_for_await(role):
    expected = normal(re.sub(r"\b(async|await) ", "", essence("trio", source("trio", role))))
    assert expected == essence("sync", source("sync", role))


@pytest.mark.parametrize("role", ["lamp", "controller"])
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_fifteen_lines(kind, role):
    lines = [line for line in source(kind, role).splitlines()[1:] if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 15


def test_the_readme_shows_the_three_controllers():
    shown = {block.text for block in blocks(README, "python")}
    assert {source(kind, "controller") for kind in KINDS} <= shown
