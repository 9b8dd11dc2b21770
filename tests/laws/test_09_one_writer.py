"""Law 9: one place writes to a connection. That a cancelled caller cuts nothing is shown in tests/adapters."""

from __future__ import annotations

import ast

import pytest
from tests.laws.source import ADAPTERS, SRC, files

#: Where bytes may be given to a transport.
WRITERS = {"hap_trio/stream.py", "hap_trio/pump.py", "hap_asyncio/wire.py", "hap_asyncio/pipe.py", "hap_sync/wire.py"}
SENDING = {"send", "send_all", "sendall", "sendmsg", "write", "writelines", "send_nowait", "send_eof"}


#: Programs on top of an adapter, and streams for tests: they carry no engine.
APART = {"cli", "testing", "testing.py"}


@pytest.mark.parametrize(
    "path",
    [path for folder in ADAPTERS for path in files(folder) if not APART.intersection(path.parts)],
    ids=lambda path: str(path.relative_to(SRC)),
)
def test_nobody_else_writes(path) -> None:
    name = str(path.relative_to(SRC))
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING
    }
    if name in {"hap_sync/store.py", "hap_sync/recording.py", "hap_sync/keylog.py"}:
        calls -= {"write"}  # a file, not a connection
    if name == "hap_sync/loop.py":
        calls -= {"send"}  # a bell between two threads
    assert not calls or name in WRITERS, f"{name} calls {calls}"
    if name in ("hap_trio/pump.py", "hap_asyncio/wire.py", "hap_asyncio/pipe.py", "hap_sync/wire.py"):
        assert calls, "the rule looks at nothing any more"
