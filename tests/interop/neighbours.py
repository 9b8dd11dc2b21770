"""The foreign programs behind a blocking face, like the one that `tests.scenarios.homes` gives our adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.interop.foreign_peers import Foreign, Peers
from tests.scenarios.homes import TrioWorld


class Neighbour:
    """A running peer: every call of `Foreign` blocks until done. `hello` is the first line of an accessory."""

    def __init__(self, world: TrioWorld, peer: Foreign, hello: dict[str, Any] | None = None) -> None:
        self._world = world
        self._peer = peer
        self.hello = hello or {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._peer, name)
        return lambda *arguments, **named: self._world.run(partial(method, *arguments, **named))


@contextmanager
def accessory(peers: Peers, name: str, state: Path) -> Iterator[Neighbour]:
    """The accessory `happython` or `hapnodejs`."""
    state.mkdir()
    world = TrioWorld(partial(peers.accessory, name, state))
    try:
        yield Neighbour(world, *world.thing)
    finally:
        world.close()


@contextmanager
def controller(peers: Peers, name: str) -> Iterator[Neighbour]:
    """The controller `aiohomekit` or `hap-controller`."""
    world = TrioWorld(partial(peers.controller, name))
    try:
        yield Neighbour(world, world.thing)
    finally:
        world.close()
