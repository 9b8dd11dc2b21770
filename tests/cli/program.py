"""Running the `hap` command as a person or a script does: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Nothing here takes long; what does is stuck.
LIMIT = 60

ENVIRONMENT = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "PYTHONWARNINGS": "error"}


def hap(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "hap_trio.cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=ENVIRONMENT,
        check=False,
    )


def lines(result: subprocess.CompletedProcess[str], code: int = 0) -> list[dict]:
    """The JSON lines of a command that must have ended with `code`."""
    assert result.returncode == code, result
    assert not result.stderr or code, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def failure(result: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The one line on stderr of a command that must have failed."""
    assert result.returncode == code, result
    assert "Traceback" not in result.stderr
    if code == 1:
        assert result.stderr.startswith("hap: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


class Running:
    """A command that runs until it is told to stop."""

    def __init__(self, *arguments: str | Path, cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hap_trio.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            cwd=cwd,
        )
        self.seen: list[dict] = []

    def next(self) -> dict:
        """The next line; the end of the output is a failure."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=LIMIT)[1]
        self.seen.append(json.loads(line))
        return self.seen[-1]

    def until(self, event: str) -> dict:
        """Lines up to the one that tells of `event`."""
        while (line := self.next())["event"] != event:
            pass
        return line

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; its exit code and what was left on its output."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=LIMIT)
        assert err == "", err
        return self.process.returncode, out


@contextmanager
def served(*arguments: str | Path, cwd: Path | None = None) -> Iterator[tuple[Running, dict]]:
    """`hap serve` on loopback, without mDNS, any free port; and its first line."""
    program = Running("serve", *arguments, "--address", "127.0.0.1", "--no-mdns", "--json", cwd=cwd)
    try:
        yield program, program.until("listening")
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate(timeout=LIMIT)
