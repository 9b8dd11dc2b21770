"""over_ssh.py without an event loop: any object with `recv` and `sendall` carries HAP.

python examples/over_ssh_sync.py SETUP_CODE COMMAND [ARGUMENT...]
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import hap_sync
from hapcore.ip.controller import FinishPairSetup, RemovePairing, StartPairSetup, VerifyPairing
from hapcore.setup_code import SetupCode


class Pipes:
    """What a child process reads and writes."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def fileno(self) -> int:
        """Where to wait for bytes."""
        return self.stdout.fileno()

    def recv(self, size: int) -> bytes:
        """Some bytes; none at the end."""
        return os.read(self.stdout.fileno(), size)

    def sendall(self, data: bytes) -> None:
        """All of them."""
        while data:
            data = data[os.write(self.stdin.fileno(), data) :]

    def close(self) -> None:
        """The process ends with its input."""
        self.stdin.close()
        self.process.wait()
        self.stdout.close()


def main(code: str, command: Sequence[str]) -> None:
    """Pair, verify, switch on, unpair."""
    with hap_sync.open_connection(Pipes(command)) as session:
        session.do(StartPairSetup())
        pairing = session.do(FinishPairSetup(SetupCode(code)))  # a real program stores it before anything else
        session.do(VerifyPairing(pairing))
        on = session.device().lightbulb.on
        session.set(on, True)
        print("on:", session.get(on))
        session.do(RemovePairing(pairing.controller_id.encode()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
