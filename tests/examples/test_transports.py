"""HAP over what is not TCP: each example as a program of its own."""

from __future__ import annotations

import sys

import pytest
from tests.docs.programs import ROOT, finish, line, running

from hapcore.state import decode_state

EXAMPLES = ROOT / "examples"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("unix", ["lamp.sock"]), ("tls", []), ("tls_asyncio", []), ("tls_sync", []), ("serial", [])],
)
def test_pairing_and_switching_over(name, arguments, tmp_path):
    assert finish([str(EXAMPLES / f"over_{name}.py"), *arguments], tmp_path) == "on: True\n"


@pytest.mark.parametrize("program", ["over_ssh.py", "over_ssh_asyncio.py", "over_ssh_sync.py"])
def test_a_lamp_behind_a_tunnel(program, tmp_path):
    forward = str(ROOT / "tests" / "examples" / "forward.py")
    with running([str(EXAMPLES / "own_loop.py"), "lamp.json"], tmp_path) as lamp:
        port, code = line(lamp).split()
        command = [sys.executable, forward, port]
        assert finish([str(EXAMPLES / program), code, *command], tmp_path) == "on: True\n"
        assert line(lamp).startswith("PairingAdded")
        assert line(lamp).startswith("CharacteristicsWritten")
    stored = decode_state((tmp_path / "lamp.json").read_bytes())
    assert not [key for key in stored if key.startswith("pairing/")], "unpaired, so nothing is left of it"
