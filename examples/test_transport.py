"""Is my transport fit for HAP? Here: the two pipes of a child process as one stream, as in over_ssh.py.

python -m pytest examples/test_transport.py
"""

from __future__ import annotations

import os

import trio
from trio.lowlevel import FdStream

from hap_trio.testing import check_transport


async def two_pipes() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    """A new connection: what either end sends, the other one receives."""
    (one_in, other_out), (other_in, one_out) = os.pipe(), os.pipe()
    one = trio.StapledStream(FdStream(one_out), FdStream(one_in))
    return one, trio.StapledStream(FdStream(other_out), FdStream(other_in))


def test_two_pipes_carry_hap() -> None:
    trio.run(check_transport, two_pipes)
