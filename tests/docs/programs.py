"""Programs of the documentation, run as a reader would: in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Seconds; only a program that hangs takes so long.
LIMIT = 60


def environment() -> dict[str, str]:
    """The source tree first, warnings as errors, output at once and in one width."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "100",
    }


def finish(arguments: Sequence[str], cwd: Path) -> str:
    """Run a Python program to its end and return what it printed; it must succeed and say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout


@contextmanager
def running(arguments: Sequence[str], cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python program that serves; terminated at the end of the block."""
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=cwd, env=environment(), stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def launch(
    arguments: Sequence[str], cwd: Path, *, mdns: bool = False, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """A script of the documentation on the loopback interface; cancelled, and then well ended, after the block."""
    command = [sys.executable, str(ROOT / "tests" / "docs" / "launch.py"), *["--mdns"] * mdns, *arguments]
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment() | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            _, trouble = process.communicate()
            sys.stderr.write(trouble)
            raise
        _, trouble = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, trouble
        assert not trouble


def line(process: subprocess.Popen[str]) -> str:
    """The next line it prints; an error if it ended instead."""
    assert process.stdout is not None
    text = process.stdout.readline()
    assert text, "the program ended early"
    return text.rstrip("\n")
