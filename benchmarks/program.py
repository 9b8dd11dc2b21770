"""The programs under test, seen from outside: started, told what to do, their CPU time and memory read."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"


class Program:
    """One program under test. Its first line of output says that it is ready."""

    def __init__(self, command: list[str], core: int | None = None, *, wait: bool = True) -> None:
        environment = dict(os.environ, PYTHONPATH=str(SOURCE), PYTHONDONTWRITEBYTECODE="")
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0
        )
        self.name = Path(command[1]).stem
        if core is not None:
            self.pin(core)
        self._rest = b""
        if wait:
            self.greet()

    def greet(self) -> None:
        """Wait for the first line."""
        self.hello = self.line()
        #: Seconds of wall and CPU time from the start of the process to its first line.
        self.start_wall = time.perf_counter() - self._started
        self.start_cpu = self.cpu()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def line(self) -> dict:
        """The next line it prints."""
        while b"\n" not in self._rest:
            data = self._process.stdout.read(65536)
            if not data:
                raise RuntimeError(f"{self.name} ended with {self._process.wait()}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def tell(self, **command: object) -> None:
        """Send a command and do not wait."""
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    def do(self, **command: object) -> dict:
        """Send a command and wait for its answer."""
        self.tell(**command)
        answer = self.line()
        if "error" in answer:
            raise RuntimeError(f"{self.name} could not {command}: {answer['error']}")
        return answer

    def pin(self, core: int) -> None:
        """Let it run on one core only."""
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})

    def cpu(self) -> float:
        """Seconds of CPU time of all its threads so far, from the kernel's clock of that process."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> int:
        """Resident bytes."""
        words = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace").split()
        return int(words[words.index("VmRSS:") + 1]) * 1024

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it."""
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
