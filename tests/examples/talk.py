"""Example programs that end when their standard input does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.docs.programs import LIMIT, ROOT, environment

#: What Qt says for each window where there is no screen.
OFFSCREEN = "This plugin does not support propagateSizeHints()\n"


@contextmanager
def talking(arguments: Sequence[str], cwd: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program; after the block its input ends, and it must end well and have nothing to complain of."""
    paths = environment() | variables
    paths["PYTHONPATH"] = os.pathsep.join([str(ROOT), paths["PYTHONPATH"]])
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env=paths,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            sys.stderr.write(process.communicate()[1])
            raise
        _, trouble = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, trouble
        assert not trouble.replace(OFFSCREEN, "")


def say(process: subprocess.Popen[str], text: str) -> None:
    """Give it a line."""
    assert process.stdin is not None
    process.stdin.write(f"{text}\n")
    process.stdin.flush()
