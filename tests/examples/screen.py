"""A screen for a program that needs one: ours, or one in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """The environment variables that lead to an X server; skips where there is none to be had."""
    if (server := shutil.which("Xvfb")) is None:
        if "DISPLAY" not in os.environ:
            pytest.skip("needs a display, or Xvfb")
        yield {}
        return
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", "320x200x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        os.close(write)
        try:
            with os.fdopen(read) as said:  # it picks a number that is free, and tells it when it is ready
                number = said.readline().strip()
            assert number, "Xvfb ended early"
            yield {"DISPLAY": f":{number}"}
        finally:
            process.terminate()
