"""`hap top`: all paired accessories on a terminal, live."""

from __future__ import annotations

from hap_trio.cli.top.command import register

__all__ = ["register"]
