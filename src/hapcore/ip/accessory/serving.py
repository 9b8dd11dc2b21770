"""A running accessory as the application sees it: the same for all adapters but for how they wait."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from attrs import evolve

from hapcore.accessory.commands import Shutdown, UpdateValues
from hapcore.accessory.display import Display, Showing
from hapcore.accessory.events import HideSetupCode, ShowSetupCode
from hapcore.accessory.handlers import Consultation, Inquiry, consult
from hapcore.discovery import Advertise
from hapcore.engine import Command, Event, Output
from hapcore.errors import LocalProtocolError
from hapcore.feed import Backlog
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.accessory.server import Server
from hapcore.ip.accessory.settings import connect_identify
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.database import Database

__all__ = ["Serving"]

F = TypeVar("F", bound=Backlog[Event])
P = ParamSpec("P")


class Serving(ABC, Generic[F]):
    """What an adapter's server offers, and what it does with each event. The adapter adds the underscored calls."""

    #: Submits a command that nobody waits for.
    _post: Callable[[Command[object]], object]
    #: Has the thread that serves call a function soon; from any thread.
    _cross: Callable[[Callable[[], object]], object]

    def __init__(self, engine: Server, feed: Callable[[], F]) -> None:
        self._engine = engine
        self._new_feed = feed
        self._served: Database | None = None
        self._feeds: weakref.WeakSet[F] = weakref.WeakSet()
        self._running: dict[CharacteristicId, int] = {}
        show = engine.config.display
        self._display = Display(show, self._complain_of_display) if callable(show) else None

    @property
    def device_id(self) -> str:
        """Six bytes in hexadecimal, kept for life: "12:34:56:78:9A:BC"."""
        return self._engine.device_id

    @property
    def setup_code(self) -> str:
        """What a person types to pair: "031-45-154". With `show_code`: the one shown now, else `LocalProtocolError`."""
        return self._engine.setup_code.text

    @property
    def setup_uri(self) -> str:
        """What the QR code says: "X-HM://..."."""
        return self._engine.setup_payload.uri()

    @property
    def nfc_message(self) -> bytes:
        """What a programmable NFC tag has to hold now: NDEF, without code and setup id once it is paired (HAP 2.3)."""
        return evolve(self._engine.setup_payload, paired=self.paired).ndef()

    @property
    def displays(self) -> bool:
        """Whether a fresh setup code is shown for each attempt to pair."""
        return bool(self._engine.config.display)

    @property
    def locked(self) -> bool:
        """Whether wrong setup codes have locked pairing; `hap reset --attempts` is the way out (HAP 4.3)."""
        return self._engine.stored.locked

    @property
    def paired(self) -> bool:
        """Whether any controller is paired."""
        return self._engine.paired

    @property
    def database(self) -> Database:
        """What is served."""
        return self._engine.database

    def events(self) -> F:
        """What happens from now on, the events of `hapcore.ip.accessory`: pairings, sessions, writes, subscriptions.

        Never holds up the server: a reader 1000 events behind loses the oldest, and `lost` counts them. The iteration
        ends with the server.
        """
        feed = self._new_feed()
        self._feeds.add(feed)
        return feed

    def call_soon(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have the thread that serves call `function`, and return at once: `server.call_soon(light.on.set, True)`.

        The one call that may come from any thread. An error in `function` is logged. When everything is closed, an
        error of the event loop's, or a `LocalProtocolError` (`hap_sync`), says so.
        """
        self._cross(partial(self._called, partial(function, *args, **kwargs)))

    def _called(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:  # noqa: BLE001 - it must not end the loop it was handed to
            self._complain("a function given to call_soon()", error)

    def stop(self) -> None:
        """Close all connections; `open_server()` does it at the end of its block."""
        self._unbind()
        self._served = None  # what is being stored changes nothing for the application any more
        self._post(Shutdown())
        if self._display is not None:
            # Where an adapter puts calls off, nobody is left who makes them.
            for consultation, awaited in Showing(self._display).begin():
                self._wait(consultation, awaited)
        for feed in self._feeds:
            feed.close()

    def _begin(self, told: Iterable[Output] = ()) -> None:
        """Pass on from now on what the application sets, and what the engine has `told` before."""
        self._served = self.database
        connect_identify(self.database.accessories)
        for characteristic in self.database.characteristics:
            characteristic.bind(self._update)
        for output in told:
            self._report(output)

    def _renew(self) -> None:
        """Begin again if `ReplaceDatabase` was carried out."""
        if self._served is not None and self._served is not self.database:
            self._unbind()
            self._begin()

    def _unbind(self) -> None:
        for database in (self._served, self.database):
            for characteristic in () if database is None else database.characteristics:
                characteristic.bind(None)

    def _update(self, characteristic: AnyCharacteristic, value: Value) -> None:
        if self.database.find(*characteristic.id) is not characteristic:
            characteristic.store(value)  # it is being removed: that has to be stored before it is said
            return
        try:
            self._post(UpdateValues({characteristic.id: value}))
        except RuntimeError as error:  # adapters know their own thread, or their own loop
            message = "set it in the thread that serves, or from another one with server.call_soon()"
            raise LocalProtocolError(message, argument=characteristic.type.name) from error

    def _report(self, event: Output) -> None:
        """What the engine says, but for bytes and replies."""
        if isinstance(event, Advertise):
            self._renew()
            self._advertise(event)
        elif isinstance(event, Event):
            if self._feeds:
                for feed in self._feeds:
                    feed.put(event)
            if isinstance(event, ShowSetupCode | HideSetupCode) and self._display is not None:
                self._ask(self._display.want(event.code.text if isinstance(event, ShowSetupCode) else None))
            inquiry = consult(event, self.database, self._post, self._complain_of, self._running)
            if inquiry is not None:
                self._ask(inquiry)

    def _complain_of(self, one: CharacteristicId, error: Exception) -> None:
        self._complain(
            f"the handler of characteristic {one}" if one.iid else f"the camera of accessory {one.aid}", error
        )

    def _complain_of_display(self, error: Exception) -> None:
        self._complain("the function that shows the setup code", error)

    def _ask(self, inquiry: Inquiry) -> None:
        """Ask the handlers."""
        for consultation, awaited in inquiry.begin():
            self._wait(consultation, awaited)

    @abstractmethod
    def _advertise(self, event: Advertise) -> None:
        """Announce what has changed."""

    @abstractmethod
    def _wait(self, consultation: Consultation, awaited: Awaitable[object]) -> None:
        """Wait for handlers that take their time, apart from everything else, and tell their consultation."""

    @abstractmethod
    def _complain(self, what: str, error: Exception) -> None:
        """Tell the author of a handler, or of another function of the application's, that it failed."""
