"""The output of homekit_python's tools, line by line. Pure: what is shown goes in, text comes out.

Nothing here prints. Where that tool shows what an accessory said as it came, the order of its keys for example, the
order is the one in which accessories usually say it; what could harm a terminal is escaped.
"""

from __future__ import annotations

from hap_trio.cli.former.discovery import discovered
from hap_trio.cli.former.pairing import added, pairing, pairings, prepared, removed
from hap_trio.cli.former.values import accessories, change, characteristics, put_failure, tree

__all__ = [
    "accessories",
    "added",
    "change",
    "characteristics",
    "discovered",
    "pairing",
    "pairings",
    "prepared",
    "put_failure",
    "removed",
    "tree",
]
