"""One connection of a home: an address, the engine that speaks over it, and who waits for its answers."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Protocol

from hapcore.controller.subscriptions import Subscriptions
from hapcore.controller.typed import BY_DATABASE
from hapcore.engine import Command, CommandId, ConnectionId, Event, Output
from hapcore.errors import Disconnected, HapError
from hapcore.home.procedure import Agenda, Promise
from hapcore.home.target import Address
from hapcore.model.remote import AccessoryDescription

__all__ = ["CONNECT_LIMIT", "MAX_LINKS", "Carrier", "Keeper", "Link", "LinkState", "Stopped"]

#: Seconds until an attempt to connect is given up whose end nobody tells. Adapters give up after 10 s at most.
CONNECT_LIMIT: Final = 15.0
#: Connections at a time. A house has a few dozen accessories.
MAX_LINKS: Final = 1000


class Carrier(Protocol):
    """The engine of one connection, whatever the transport; `hapcore.ip.controller.Connection` is one.

    Byte streams add `receive_data` and `receive_eof`. What else an engine wants done leaves the home as `Via`.
    """

    tells_keys: bool

    @property
    def accessories(self) -> tuple[AccessoryDescription, ...]:
        """The database as far as it is known."""
        ...

    def submit(self, command: Command[Any], now: float) -> CommandId:
        """See `hapcore.engine`; so for the rest."""
        ...

    def receive_data(self, data: bytes | memoryview, now: float) -> None: ...

    def receive_eof(self, now: float) -> None: ...

    def handle_timeout(self, now: float) -> None: ...

    def poll(self) -> Output | None: ...

    def next_timeout(self) -> float | None: ...


class Stopped(Disconnected):
    """We ourselves do not want it any more; nothing else is tried."""

    def __init__(self) -> None:
        super().__init__("the connection was closed")


class LinkState(Enum):
    """How far a link has come."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Keeper(Protocol):
    """Who watches over an accessory, and hears what its link says."""

    def told(self, event: Event) -> None:
        """Something happened, and be it that the link is over."""

    def lost(self, reason: HapError) -> None:
        """The accessory cannot be reached, though the link goes on."""

    def reached(self) -> None:
        """It can be reached again."""

    def restocked(self) -> None:
        """Its database is another one, and was read already."""

    def asked(self, command: Command[Any]) -> None:
        """The application asks this over the link; who writes hears no event of it."""


class Link:
    """A connection on its way, or there, or over. Never used again: a new connection, a new link."""

    __slots__ = ("address", "alias", "carrier", "database", "number", "opened", "readers", "state", "waiting", "watch")

    def __init__(
        self, number: ConnectionId, address: Address, database: tuple[AccessoryDescription, ...], agenda: Agenda
    ) -> None:
        self.number = number
        self.address = address
        #: What is known of the accessory's database before the connection is made.
        self.database = database
        self.state = LinkState.OPENING
        self.opened = Promise[Link](agenda)
        self.carrier: Carrier
        #: The accessory it is verified to lead to; "" before that.
        self.alias = ""
        #: By the number the engine gave: the number the home gave, or the procedure's promise.
        self.waiting: dict[CommandId, CommandId | Promise[Any]] = {}
        self.readers = Subscriptions[Any]()
        #: Who keeps it; also one of the readers.
        self.watch: Keeper | None = None

    @property
    def secured(self) -> bool:
        """Whether there is a connection at the moment."""
        return self.state is LinkState.OPEN

    def fits(self, command: Command[Any]) -> bool:
        """Whether what the command counts on is known."""
        return bool(self.carrier.accessories) or type(command) not in BY_DATABASE

    def inform(self, keeper: Keeper, event: Event) -> None:
        """Have who watches over it know what it says."""
        keeper.told(event)

    def lost(self) -> None:
        """It is over."""
        self.state = LinkState.CLOSED
