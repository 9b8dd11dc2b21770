"""A connection to an accessory as the application sees it: the same for all adapters but for how they wait."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from hapcore.controller.commands import Close
from hapcore.controller.events import CharacteristicChanged, SessionClosed
from hapcore.controller.subscriptions import Subscriptions
from hapcore.engine import Command, Output
from hapcore.errors import Disconnected, HapError
from hapcore.feed import Backlog
from hapcore.ip.controller.connection import Connection

__all__ = ["Speaking"]

F = TypeVar("F", bound=Backlog[CharacteristicChanged])


class Speaking(ABC, Generic[F]):
    """What an adapter's session knows, and what it does with each event. The adapter adds `_post`."""

    def __init__(self, engine: Connection) -> None:
        self.closed = False
        #: Why it is closed; None as long as it is open, and when we closed it.
        self.reason: HapError | None = None
        self.engine = engine
        self._subscriptions = Subscriptions[F]()

    def close(self) -> None:
        """End the connection; whoever waits for a command gets `Disconnected`. Harmless when it is closed."""
        if not self.closed:
            self._post(Close())

    def _check_open(self) -> None:
        if self.closed:
            raise Disconnected("the connection is closed") from self.reason

    def _leave(self, feed: F) -> None:
        """A reader of changes is gone."""
        unsubscribe = self._subscriptions.remove(feed)
        feed.close()
        if unsubscribe is not None and not self.closed:
            self._post(unsubscribe)

    def _report(self, event: Output) -> None:
        """What the engine says, but for bytes and replies."""
        if isinstance(event, CharacteristicChanged):
            for feed in self._subscriptions.readers(event.id):
                feed.put(event)
        elif isinstance(event, SessionClosed):
            self.closed, self.reason = True, event.reason
            for feed in self._subscriptions.end():
                feed.close(event.reason)

    @abstractmethod
    def _post(self, command: Command[object]) -> object:
        """Submit a command that nobody waits for."""
