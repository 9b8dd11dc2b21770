"""Law 2: keys come in as bytes; nothing in hapcore lets a library draw them."""

from __future__ import annotations

import ast

import pytest
from tests.laws.source import CORE, files


@pytest.mark.parametrize("path", files(CORE), ids=lambda path: str(path.relative_to(CORE)))
def test_nothing_generates_keys(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"generate", "generate_key", "token_bytes", "getrandbits", "randbytes"}, (
                f"{path}:{node.lineno} .{node.attr}"
            )
