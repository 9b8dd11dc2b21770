"""The accessory's side: an engine, a listener, the application's handlers, an announcement."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar, Unpack

from hapcore.accessory.handlers import Consultation, Inquiry
from hapcore.discovery import Advertise, ServiceRecord
from hapcore.engine import Command, Event, Output
from hapcore.ip import accessory as hap
from hapcore.ip.accessory.serving import Serving
from hapcore.ip.accessory.settings import Served, announced_at, make_server, store_first
from hapcore.ip.accessory.settings import Settings as CoreSettings
from hapcore.state import STATE

from .entropy import system_entropy
from .feed import Feed
from .listening import listen
from .loop import Loop, thread_loop
from .mdns import Mdns, open_mdns
from .pump import Pump
from .store import Store, open_store
from .stream import Listener
from .wire import Transport

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["AccessoryServer", "Settings", "open_server", "serve"]

R = TypeVar("R")
_log = logging.getLogger("hap_sync")


class Settings(CoreSettings, total=False):
    """How to serve: those of `hapcore.ip.accessory.settings`, and

    - `mdns`: False announces nothing, an open `Mdns` is shared; one of its own, on the interface of `address`.
    """

    mdns: bool | Mdns


class Hosting(Serving[Feed[Event]]):
    """An accessory, whatever it is served over, while `run()`, or any other call of this thread that waits, runs.

    Between those calls nothing moves: requests wait, and timers come late.
    """

    def __init__(self, engine: hap.Server, loop: Loop, store: Store) -> None:
        super().__init__(engine, partial(Feed[Event], loop))
        self._loop = loop
        self._stopped = False
        self._pump = Pump(engine, loop, self._report, store)
        self._post, self._cross = self._pump.post, loop.call_soon

    def run(self, timeout: float | None = None) -> None:
        """Serve for `timeout` seconds (None: without end), until `stop()` or Ctrl-C (`KeyboardInterrupt`)."""
        self._loop.wait(lambda: self._stopped, timeout)

    def step(self, timeout: float = 0.0) -> None:
        """Wait at most `timeout` seconds for something to happen, and see to it: one round of a loop of your own."""
        self._loop.step(timeout)

    def events(self, timeout: float | None = None) -> Feed[Event]:
        """What happens from now on, the events of `hapcore.ip.accessory`; iterating serves meanwhile.

        A reader 1000 events behind loses the oldest, and `lost` counts them. The iteration ends with the server, and
        after `timeout` seconds if given.
        """
        feed = Feed[Event](self._loop, timeout=timeout)
        self._feeds.add(feed)
        return feed

    def do(self, command: Command[R]) -> R:
        """Submit a command of `hapcore.ip.accessory`, such as `UpdateValues`, and wait for its result."""
        return self._pump.do(command)

    def stop(self) -> None:
        """Close all connections, and have `run()` return; `open_server()` does it at the end of its block."""
        super().stop()
        self._stopped = True

    def _ask(self, inquiry: Inquiry) -> None:
        # Not from within the pump: a handler may take long, and use a client of this very thread.
        self._loop.later(partial(super()._ask, inquiry))

    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        following: Awaitable[object] | None = awaited
        while following is not None:
            close: Callable[[], object] = getattr(following, "close", lambda: None)
            close()  # a coroutine that is never awaited would warn
            following = consultation.raised(TypeError("it returned an awaitable; hap_sync takes ordinary functions"))

    def _complain(self, what: str, error: Exception) -> None:
        _log.error("%s failed", what, exc_info=error)


class AccessoryServer(Hosting):
    """An accessory on the network, from `open_server()`. Requests wait in the sockets while nothing moves."""

    def __init__(
        self,
        engine: hap.Server,
        told: list[Output],
        loop: Loop,
        store: Store,
        listeners: Sequence[Listener],
        announce: Callable[[ServiceRecord, int], Future[None]] | None,
    ) -> None:
        super().__init__(engine, loop, store)
        self._announce = announce
        self._announcing: Future[None] | None = None
        self.host, self.port = listeners[0].where
        self._begin(told)
        self._pump.drain()
        for listener in listeners:
            listener.start(self.attach)

    def attach(self, transport: Transport) -> Callable[[], bool]:
        """Serve a controller on a socket, or any object with `recv` and `sendall`; the server owns and closes it.

        What it returns tells whether that has ended.
        """
        engine = self._engine
        with self._loop:
            number = engine.connection_opened(time.monotonic())
            take, end = partial(engine.receive_data, number), partial(engine.receive_eof, number)
            wire = self._pump.adopt(transport, number, take, end)
        return lambda: wire.ended

    def close(self) -> None:
        """Stop, and let go of the sockets; `open_server()` does it."""
        self.stop()
        self._pump.close()
        if self._announcing is not None:
            self._announcing.cancel()

    def _advertise(self, event: Advertise) -> None:
        if self._announce is not None:
            self._announcing = self._announce(event.record, self.port)


@contextmanager
def open_server(what: Served, **settings: Unpack[Settings]) -> Generator[AccessoryServer, None, None]:
    """An accessory for the length of a block, see `Settings`; it serves while `run()` or another call waits.

    Raises `StateError` for a state file that cannot be read (it is left alone), `LocalProtocolError` for an accessory
    that HAP does not allow, `OSError` when the state cannot be stored or the port is taken. Leaving the block withdraws
    the announcement and closes all connections.
    """
    mdns, addresses = settings.get("mdns", True), announced_at(settings)
    store = open_store(settings.get("state"), STATE)
    with ExitStack() as stack:
        stack.enter_context(closing(store))
        engine = make_server(what, settings, store.load(), system_entropy)
        told = store_first(engine, store)
        loop = stack.enter_context(thread_loop())
        listeners = [stack.enter_context(closing(Listener(loop, one))) for one in listen(settings)]
        if mdns is True:
            mdns = stack.enter_context(open_mdns(addresses or None))
        if mdns:
            stack.callback(mdns.withdraw, engine.device_id)
        announce = partial(mdns.announce, addresses=addresses) if mdns else None
        server = AccessoryServer(engine, told, loop, store, listeners, announce)
        stack.callback(server.close)
        yield server


def serve(
    what: Served, *, started: Callable[[AccessoryServer], object] | None = None, **settings: Unpack[Settings]
) -> None:
    """Serve until Ctrl-C (a `KeyboardInterrupt`, after everything is closed), or until the server is told to `stop()`.

    `started` is called with the server once it listens.
    """
    with open_server(what, **settings) as server:
        if started is not None:
            started(server)
        server.run()
