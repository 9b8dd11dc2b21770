"""A controller in memory: the calls of the adapters' `Client`, without waiting."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from hapcore.controller.methods import Blocking, Requests
from hapcore.controller.subscriptions import Subscriptions
from hapcore.controller.typed import BY_DATABASE
from hapcore.engine import Command, ConnectionId, Output
from hapcore.entropy import Entropy
from hapcore.errors import HapError
from hapcore.ip.controller import (
    CharacteristicChanged,
    Close,
    Connection,
    FinishPairSetup,
    GetAccessories,
    SessionClosed,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
)
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode
from hapcore.testing.network import Link
from hapcore.testing.news import News
from hapcore.testing.stage import Plug, Runner, Stage

__all__ = ["Remote"]

R = TypeVar("R")


class _Session:
    """One connection."""

    def __init__(self, stage: Stage, link: Link, engine: Connection) -> None:
        self.engine = engine
        self.link = link
        self.closed = False
        self.reason: HapError | None = None
        self.subscriptions = Subscriptions[News[CharacteristicChanged]]()
        self.runner = Runner(engine, self._report, stage)
        self.runner.adopt(Plug(link.ends[0], ConnectionId(0), engine.receive_data, engine.receive_eof))

    def _report(self, event: Output) -> None:
        if isinstance(event, CharacteristicChanged):
            for feed in self.subscriptions.readers(event.id):
                feed.put(event)
        elif isinstance(event, SessionClosed):
            self.closed, self.reason = True, event.reason
            for feed in self.subscriptions.end():
                feed.close(event.reason)


class Remote(Requests, Blocking):
    """A controller of a `Pair`. Every call connects, and verifies the pairing if there is one, where that is not done.

    All calls raise a `HapError` when they fail, as those of a `Client` do.
    """

    def __init__(self, stage: Stage, connect: Callable[[Link], None], entropy: Entropy) -> None:
        #: The keys; None before `pair()`.
        self.pairing: Pairing | None = None
        self._stage = stage
        self._connect = connect
        self._entropy = entropy
        self._session: _Session | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection at the moment."""
        self._stage.settle()
        return self._session is not None and not self._session.closed

    def pair(self, setup_code: str) -> None:
        """Pair with the code "XXX-XX-XXX". Raises `PairingRefused` for a wrong one."""
        code = SetupCode(setup_code, allow_trivial=True)
        session = self._open()
        session.runner.do(StartPairSetup())
        self.pairing = session.runner.do(FinishPairSetup(code))
        self.close()

    def do(self, command: Command[R]) -> R:
        """Carry out any command of `hapcore.ip.controller`."""
        return self._ready(command).runner.do(command)

    @contextmanager
    def subscribe(self, ids: Iterable[tuple[int, int]]) -> Generator[News[CharacteristicChanged], None, None]:
        """Subscribe for the length of a block: `with remote.subscribe(ids) as changes: ...; changes.wait()`.

        Raises `Refused` when the accessory refuses one of the ids.
        """
        wanted = tuple(ids)
        session = self._ready(Subscribe(wanted))
        feed = News[CharacteristicChanged](self._stage)
        try:
            session.subscriptions.check(session.runner.do(session.subscriptions.add(feed, wanted)))
            yield feed
        finally:
            unsubscribe = session.subscriptions.remove(feed)
            feed.close()
            if unsubscribe is not None and not session.closed:
                session.runner.post(unsubscribe)

    def close(self) -> None:
        """Close the connection in good order; the next call opens another."""
        if self._session is not None and not self._session.closed:
            self._session.runner.post(Close())

    def lose_connection(self) -> None:
        """Have the connection break; what is on its way is lost."""
        if self._session is not None:
            self._session.link.cut(self._stage.now)
            self._stage.settle()

    def _ready(self, command: Command[R]) -> _Session:
        self._stage.settle()
        session = self._session
        if session is None or session.closed:
            session = self._open()
            if self.pairing is not None:
                session.runner.do(VerifyPairing(self.pairing))
        if not session.engine.accessories and type(command) in BY_DATABASE:
            session.runner.do(GetAccessories())
        return session

    def _open(self) -> _Session:
        old = self._session
        if old is not None:
            self.close()
            old.runner.leave()
        link = self._stage.link()
        self._connect(link)
        known = old.engine.accessories if old is not None else ()
        engine = Connection("localhost", entropy=self._entropy, database=known)
        self._session = _Session(self._stage, link, engine)
        return self._session
