"""A controller as the application sees it: the same for all adapters but for how they wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast

from hapcore.controller.methods import Requests
from hapcore.engine import Command, Effect, Output
from hapcore.errors import EffectFailed
from hapcore.feed import Backlog
from hapcore.home.commands import Ask, Supervise
from hapcore.home.effects import Browse, Connect, StopBrowsing
from hapcore.home.events import Ended, News
from hapcore.home.home import Home
from hapcore.home.methods import HomeRequests
from hapcore.state import PairedAccessory, PreparedPairing

__all__ = ["Hands", "Keeping", "Known", "Wish"]

R = TypeVar("R")
P = TypeVar("P")
#: Makes the command that has a reader told things.
Wish: TypeAlias = Callable[[Hashable], Command[None]]


class Known(Requests, Generic[P]):
    """What a client knows of its accessory, and the pump `P` it asks by.

    Raises `LocalProtocolError` for an unknown alias and what is no address.
    """

    def __init__(self, engine: Home, pump: P, alias: str, address: str | None = None) -> None:
        engine.check_address(alias, address)
        self._pump = pump
        self.alias = alias
        self.pairing = engine.record(alias).pairing
        self._address = address
        self._home = engine

    @property
    def connected(self) -> bool:
        """Whether there is a verified session at the moment."""
        return self._home.is_connected(self.alias, self._address)

    def _asking(self, command: Command[R]) -> Ask[R]:
        return Ask(self.alias, command, self._address)


class Hands(Protocol):
    """A radio that does what a home wants."""

    def carry_out(self, effect: Effect) -> None:
        """Begin it; what comes of it is told to the home."""


C = TypeVar("C", bound="Known[Any]")
F = TypeVar("F")


class Keeping(ABC, HomeRequests, Generic[C, F]):
    """What an adapter's controller offers, and what it does with each output. The adapter adds the underscored calls.

    Readers are `Backlog`s: what the adapter gives as `to` in `Follow`, `Discover` and `Supervise`. `F` is the block in
    which one is filled with `Happening`s.
    """

    def __init__(self, engine: Home) -> None:
        self._engine = engine
        self._clients: dict[str, C] = {}
        #: What carries out the effects of accessories over Bluetooth LE.
        self.radio: Hands | None = None

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names of the paired accessories."""
        return self._engine.aliases

    @property
    def prepared(self) -> tuple[PreparedPairing, ...]:
        """The pairings that other controllers are still to make."""
        return self._engine.prepared

    def record(self, alias: str) -> PairedAccessory:
        """What is stored about a paired accessory. Raises `LocalProtocolError` for an unknown alias."""
        return self._engine.record(alias)

    def connect(self, alias: str, address: str | None = None) -> C:
        """The paired accessory called `alias`. It connects when it is used, and again after a connection was lost.

        `address` "HOST:PORT" says where it is, for a network without mDNS. Raises `LocalProtocolError`.
        """
        pairing = self.record(alias).pairing
        if address is not None:
            return self._client(alias, address)
        client = self._clients.get(alias)
        if client is None or client.pairing != pairing:
            client = self._clients[alias] = self._client(alias, None)
        return client

    def supervise(
        self,
        aliases: Iterable[str] | None = None,
        ids: Iterable[tuple[int, int]] | None = None,
        *,
        poll: float = 60.0,
        pace: float = 0.05,
    ) -> F:
        """Keep accessories connected and followed for the length of a block; iterate over what happens to them.

        `aliases` None: all that are paired, and will be. `ids` are the characteristics to follow, of each of them;
        None: all that change. What does not say when it changes is read every `poll` seconds, with `pace` seconds
        between two requests at least. The items are those of `hapcore.home.supervision`; a lost connection ends
        nothing. Raises `LocalProtocolError` for an unknown alias, and where the iteration is 100,000 items behind.
        """

        def wish(to: Hashable) -> Supervise:
            cast("Backlog[object]", to).complete = True
            return Supervise(to, aliases, ids, poll, pace)

        return self._following(wish)

    def _report(self, output: Output) -> None:
        """What the engine says, but for bytes and replies."""
        if isinstance(output, News):
            cast("Backlog[object]", output.to).put(output.item)
        elif isinstance(output, Ended):
            reason = output.reason
            told = reason.cause if isinstance(reason, EffectFailed) and reason.cause is not None else reason
            cast("Backlog[object]", output.to).close(told)
        elif isinstance(output, Connect):
            self._connect(output)
        elif isinstance(output, Browse):
            self._browse(output)
        elif isinstance(output, StopBrowsing):
            self._stop_browsing()
        elif self.radio is not None and isinstance(output, Effect):
            self.radio.carry_out(output)

    @abstractmethod
    def _following(self, wish: Wish) -> F:
        """A block in which a reader is told what it wishes."""

    @abstractmethod
    def _client(self, alias: str, address: str | None) -> C:
        """What the application uses an accessory by."""

    @abstractmethod
    def _connect(self, effect: Connect) -> None:
        """Open a stream, then call `connected()`; or `effect_failed()`."""

    @abstractmethod
    def _browse(self, effect: Browse) -> None:
        """Hand on what is seen to `receive_discovery()`."""

    @abstractmethod
    def _stop_browsing(self) -> None:
        """Nobody looks any more."""
