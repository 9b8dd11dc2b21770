"""The examples of accessories as programs: they serve, and Ctrl-C ends them in good order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from examples.own_controller import Blocking
from tests.docs.programs import LIMIT, ROOT, environment, line
from tests.examples.home import Home

from hapcore.ip.controller import VerifyPairing

VARIABLES = {"LOCK_PIN": "482913", "HOOK_TOKEN": "correct horse battery staple"}
ARGUMENTS = {"camera": ["true"]}


@pytest.mark.parametrize("name", ["thermostat", "door_lock", "doorbell", "camera", "growing_bridge", "web_hook"])
def test_it_serves_until_ctrl_c(name, tmp_path):
    program = str(ROOT / "examples" / f"{name}.py")
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "examples" / "start.py"), program, *ARGUMENTS.get(name, [])],
        cwd=tmp_path,
        env=environment() | VARIABLES,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            word, port, code = line(process).split()
            assert word == "serving"
            pairing = Home.pairing_of(port, code)
            idle = Blocking("127.0.0.1", int(port))
            with idle.sock:
                idle.do(VerifyPairing(pairing))  # answered: it has seen the end of the first connection, and rests
                process.send_signal(signal.SIGINT)
                _, trouble = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert trouble.rstrip("-+| \n").endswith("KeyboardInterrupt"), trouble
    assert "Error" not in trouble.replace("asyncio.exceptions.CancelledError", "")
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT, 1), trouble
    assert {one for one in os.listdir(tmp_path) if one.endswith(".json")}, "its state"
