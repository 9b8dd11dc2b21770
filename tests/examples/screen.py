"""A screen for a program that needs one: ours, or one in memory."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

#: Set by `nox -s examples`: nothing that a window needs may be missing.
STRICT = "HAPCORE_WINDOWS" in os.environ


def needs(module: str) -> None:
    """Skip without this module: Qt is large, and not every Python has Tk."""
    if importlib.util.find_spec(module) is None:
        _missing(f"needs {module}")


def _missing(what: str) -> None:
    if STRICT:
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def screen(library: str = "tk") -> Iterator[dict[str, str]]:
    """The environment variables that lead to a screen: Qt has one of its own, others need an X server."""
    if library == "qt":
        yield {"QT_QPA_PLATFORM": "offscreen"}
        return
    if (server := shutil.which("Xvfb")) is None:
        if "DISPLAY" not in os.environ:
            _missing("needs a display, or Xvfb")
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
