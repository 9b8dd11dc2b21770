"""Law 1: hapcore does no I/O, knows no clock, no randomness, no event loop."""

from __future__ import annotations

import ast

import pytest
from tests.laws.source import CORE, files, imports, within

FORBIDDEN = (
    "trio",
    "asyncio",
    "socket",
    "ssl",
    "threading",
    "time",
    "datetime",
    "random",
    "secrets",
    "os",
    "logging",
    "pathlib",
    "subprocess",
    "select",
    "selectors",
    "concurrent",
    "multiprocessing",
    "zeroconf",
    "bleak",
)
ALLOWED = {
    "abc",
    "__future__",
    "attrs",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "contextlib",
    "cryptography",
    "difflib",
    "enum",
    "functools",
    "gmpy2",
    "hapcore",
    "hashlib",
    "heapq",
    "hmac",
    "importlib",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "orjson",
    "re",
    "string",
    "struct",
    "types",
    "typing",
    "unicodedata",
    "uuid",
    "weakref",
    "zlib",
}


@pytest.mark.parametrize("path", files(CORE), ids=lambda path: str(path.relative_to(CORE)))
def test_imports_and_calls(path):
    for module, line in imports(path):
        assert not any(within(module, name) for name in FORBIDDEN), f"{path}:{line} imports {module}"
        assert module.partition(".")[0] in ALLOWED, f"{path}:{line} imports {module}: add it only if it is pure"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith), where
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}, where
        if isinstance(node, ast.Attribute):
            # Random or time-based ways in through modules that are otherwise pure.
            assert node.attr not in {"uuid1", "uuid4", "urandom", "now", "utcnow"} or _is_own(node), where


def _is_own(node: ast.Attribute) -> bool:
    owner = node.value
    if isinstance(owner, ast.Name):
        return owner.id in {"self", "server", "peripheral"}
    return isinstance(owner, ast.Attribute)
