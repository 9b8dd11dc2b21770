"""Hosts on a network of their own, to run programs on: network namespaces, connected by the switch of `switch.py`.

    with open_network() as network:
        lamp, phone = network.host("lamp"), network.host("phone")
        lamp.plug("eth0", "10.0.0.2/24")
        phone.plug("eth0", "10.0.0.3/24").lossy(0.1)
        with lamp.run("hap", "serve", "--json") as program:
            serving = program.wait_for(event="serving")
        ...

Nothing outside is touched, and everything is gone at the end of the block; what a killed run left behind goes with the
next one. Root's rights are needed: `missing()` says what is not there.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Namespaces are named so, with the process that made them: what is left of dead ones can be told.
_PREFIX = "hapcore"
#: Seconds a program has for what is waited for, if not said otherwise: a slow machine, two seconds of IPv6 looking for
#: duplicates, one of asking for a name.
PATIENCE = 30.0


def missing() -> str:
    """What is not there that has to be, in words; empty when all is well."""
    if not sys.platform.startswith("linux") or shutil.which("ip") is None:
        return "no network namespaces: they need Linux and iproute2 (Debian: apt-get install iproute2)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be used: it needs the module tun, and in a container --device /dev/net/tun"
    name = f"{_PREFIX}-{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespace can be made here, which takes root's rights: {made.stderr.strip()}"
    _ip("netns", "delete", name)
    return ""


class Program:
    """A program that runs on a host, and tells what happens in JSON objects, one a line."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._told: queue.Queue[str | None] = queue.Queue()
        self._heard: deque[str] = deque(maxlen=50)
        #: The last lines of its standard error output.
        self.complaints: deque[str] = deque(maxlen=50)
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, told), daemon=True)
            for pipe, told in ((self._process.stdout, self._told), (self._process.stderr, None))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def say(self, line: str) -> None:
        """Give it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def next(self, limit: float = PATIENCE) -> dict[str, object]:
        """The next thing it tells. Raises `AssertionError` with all it said when it tells nothing, or has ended."""
        try:
            line = self._told.get(timeout=limit)
        except queue.Empty:
            raise AssertionError(f"nothing within {limit:g} s; it said:\n{self.said()}") from None
        if line is None:
            self._told.put(None)
            raise AssertionError(f"it has ended; it said:\n{self.said()}")
        told: dict[str, object] = json.loads(line)
        return told

    def wait_for(
        self, check: Callable[[dict[str, object]], bool] = lambda _: True, limit: float = PATIENCE, **wanted: object
    ) -> dict[str, object]:
        """The next thing it tells that has these members and passes `check`; what comes before is passed over."""
        end = time.monotonic() + limit
        while True:
            told = self.next(max(end - time.monotonic(), 0.01))
            if all(told.get(key) == value for key, value in wanted.items()) and check(told):
                return told

    def pending(self) -> bool:
        """Whether it has told something that nobody has taken."""
        return not self._told.empty()

    def said(self) -> str:
        """The last lines of all it said."""
        return "\n".join(self._heard)

    def end(self, how: signal.Signals = signal.SIGTERM, limit: float = PATIENCE) -> int:
        """End it, and wait for that; returns the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self.ended(limit)

    def ended(self, limit: float = PATIENCE) -> int:
        """Wait until it ends by itself; returns the exit status."""
        status = self._process.wait(limit)
        for reader in self._readers:
            reader.join(limit)
        return status

    def _read(self, pipe: IO[str], told: queue.Queue[str | None] | None) -> None:
        for line in pipe:
            self._heard.append(line.rstrip("\n"))
            if told is None:
                self.complaints.append(line.rstrip("\n"))
            else:
                told.put(line)
        if told is not None:
            told.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.ended()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what it was last told and did not take
                pipe.close()


class Cable:
    """What connects an interface of a host with a segment of the network."""

    def __init__(self, switch: Program, port: str, segment: str) -> None:
        self._switch = switch
        self._port = port
        self._state: dict[str, object] = {"segment": segment, "carrier": True, "loss": 0.0, "delay": 0.0}
        self._set()

    def pull(self) -> None:
        """Out of the socket: the host sees that nothing is there."""
        self._set(carrier=False)

    def put_back(self, segment: str | None = None) -> None:
        """In again, or into another segment."""
        self._set(carrier=True, **({} if segment is None else {"segment": segment}))

    def move(self, segment: str) -> None:
        """To another segment, without the host seeing anything: as behind a switch."""
        self._set(segment=segment)

    def lossy(self, share: float) -> None:
        """Lose this share of all frames, 0 to 1, each way."""
        self._set(loss=share)

    def slow(self, delay: float) -> None:
        """Take so many seconds, each way."""
        self._set(delay=delay)

    def _set(self, **changes: object) -> None:
        self._state.update(changes)
        self._switch.say(json.dumps({"port": self._port, **self._state}))
        self._switch.next()


class Host:
    """A host: interfaces, addresses, programs."""

    def __init__(self, namespace: str, plug: Callable[[str, str, str], Cable]) -> None:
        self.namespace = namespace
        self._plug = plug
        #: When it was last changed, by the monotonic clock, which all processes share.
        self.changed = time.monotonic()

    def touch(self) -> None:
        """Something is changed about it now."""
        self.changed = time.monotonic()

    def ip(self, *arguments: str) -> str:
        """Configure it with iproute2's `ip`; returns what that says."""
        self.touch()
        return _ip("-n", self.namespace, *arguments)

    def plug(self, interface: str, *addresses: str, segment: str = "home") -> Cable:
        """An interface with a cable to a segment, up, with these addresses ("10.0.0.2/24", "fd00::2/64").

        It has IPv6, with a link-local address of its own, if one of the addresses is of it or there are none at all.
        """
        cable = self._plug(self.namespace, interface, segment)
        six = not addresses or any(":" in address for address in addresses)
        self.set_ipv6(interface, six)
        self.ip("link", "set", interface, "up")
        for address in addresses:
            self.ip("address", "add", address, "dev", interface)
        return cable

    def set_ipv6(self, interface: str, on: bool, *, checked: bool = False) -> None:
        """Whether the interface has IPv6, and whether new addresses are checked for duplicates, for about 2 s."""
        for name, value in (("accept_dad", checked), ("disable_ipv6", not on)):
            setting = f"/proc/sys/net/ipv6/conf/{interface}/{name}"
            self.shell(f"test ! -e {setting} || echo {int(value)} > {setting}")

    def connects(self, address: str, port: object) -> bool:
        """Whether somebody answers there."""
        code = f"import socket; socket.create_connection(({address!r}, {port}), 1).close()"
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def addresses(self, interface: str) -> list[str]:
        """What the interface has now."""
        rows = json.loads(self.ip("-j", "address", "show", "dev", interface))
        return [one["local"] for row in rows for one in row["addr_info"]]

    def shell(self, command: str) -> str:
        """Run a shell command to its end; returns what it says."""
        return _run(["ip", "netns", "exec", self.namespace, "sh", "-c", command])

    def run(self, *command: str) -> Program:
        """Start a program: "hap" and its arguments, or a Python file beside this one and its arguments."""
        name, *arguments = command
        start = [sys.executable, "-m", "hap_trio.cli"] if name == "hap" else [sys.executable, str(HERE / name)]
        return self.execute(*start, *arguments)

    def execute(self, *command: str) -> Program:
        """Start any program that tells what happens in JSON."""
        return Program(["ip", "netns", "exec", self.namespace, *command])


class Network:
    """Hosts and the switch between them; from `open_network()`."""

    def __init__(self, prefix: str, switch: Program, stack: contextlib.ExitStack) -> None:
        self._prefix = prefix
        self._switch = switch
        self._stack = stack
        self._ports = itertools.count(1)

    def host(self, name: str) -> Host:
        """A new host without any interface but its loopback."""
        namespace = _namespace(self._stack, f"{self._prefix}-{name}")
        host = Host(namespace, self._plug)
        host.ip("link", "set", "lo", "up")
        return host

    def settle(self, host: Host) -> None:
        """Wait until what a host has to announce now is out: another joins it and asks for a name there."""
        with host.run("peer.py", "serve", "trio", '{"name": "Witness"}') as witness:
            witness.wait_for(event="serving")
            witness.end()

    def _plug(self, namespace: str, interface: str, segment: str) -> Cable:
        port = f"p{next(self._ports)}"
        self._switch.say(json.dumps({"open": port}))
        self._switch.next()
        _ip("-n", f"{self._prefix}-switch", "link", "set", port, "netns", namespace, "name", interface)
        return Cable(self._switch, port, segment)


@contextlib.contextmanager
def open_network() -> Generator[Network, None, None]:
    """A network for the length of a block; programs that still run are ended with it."""
    _sweep()
    prefix = f"{_PREFIX}-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        namespace = _namespace(stack, f"{prefix}-switch")
        command = ["ip", "netns", "exec", namespace, sys.executable, str(HERE / "switch.py")]
        switch = stack.enter_context(Program(command))
        yield Network(prefix, switch, stack)


def _namespace(stack: contextlib.ExitStack, name: str) -> str:
    _ip("netns", "add", name)
    stack.callback(_remove, name)
    return name


def _remove(name: str) -> None:
    """Take a namespace away, and whatever still runs in it."""
    for pid in _ip("netns", "pids", name).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "delete", name)


def _sweep() -> None:
    """What a run that was killed has left."""
    for line in _ip("netns", "list").splitlines():
        name = line.split()[0]
        prefix, _, rest = name.partition("-")
        pid = rest.partition("-")[0]
        if prefix == _PREFIX and pid.isdigit() and not Path("/proc", pid).exists():
            _remove(name)


def _ip(*arguments: str) -> str:
    return _run(["ip", *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


if __name__ == "__main__":
    if lacking := missing():
        print(lacking)
