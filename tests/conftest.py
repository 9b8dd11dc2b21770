"""For all tests: Ctrl-C is what it is in a terminal, also where they were started with it ignored (`nohup`, `&`)."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
