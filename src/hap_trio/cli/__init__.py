"""The `hap` command."""

from __future__ import annotations

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; needs the extra `cli`."""
    try:
        from hap_trio.cli.group import hap
    except ModuleNotFoundError as error:
        sys.stderr.write(f"hap: {error.name} is missing; install the command line with: pip install 'hapcore[cli]'\n")
        sys.exit(1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no Cyrillic shows the rest all the same
    hap(prog_name="hap")
