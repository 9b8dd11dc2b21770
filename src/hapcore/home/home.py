"""The engine of a controller's home: all its accessories, with their connections and pairings.

Each connection is spoken over by an engine of its own, for IP `hapcore.ip.controller.Connection`; what the home adds
is their life: connecting when a command needs it, to the address that works, verifying, finding again what has moved,
pairing, and remembering. Its effects are those of the connections, with the number of the connection, and those of
`hapcore.home.effects`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from hapcore.controller.commands import RemovePairing, Subscribe
from hapcore.discovery import DiscoveredAccessory, Gone, Transport
from hapcore.engine import Command, CommandId, ConnectionId, Done, Effect, Engine, Failed, Forget, Persist
from hapcore.entropy import Entropy
from hapcore.errors import EffectFailed, LocalProtocolError, PeerError
from hapcore.home import commands
from hapcore.home.book import Book
from hapcore.home.commands import Ask
from hapcore.home.effects import Browse, Connect
from hapcore.home.engines import Connection, MakeEngine
from hapcore.home.guests import Guests
from hapcore.home.link import Link, Stopped
from hapcore.home.links import Links
from hapcore.home.procedure import Agenda, Procedure, Promise, Task
from hapcore.home.residents import Resident, Residents
from hapcore.home.seeking import Seeking
from hapcore.home.supervision.supervision import Supervision
from hapcore.home.target import Address
from hapcore.home.timers import Timers
from hapcore.home.visits import Visits
from hapcore.model.remote import AccessoryDescription
from hapcore.pairing.records import Pairing
from hapcore.state import PairedAccessory, PreparedPairing, is_knowledge, prepared_alias

if TYPE_CHECKING:
    from hapcore.ble.controller.inputs import Advertisement, GattResult
    from hapcore.home.radio import Radio

__all__ = ["MAX_UNDER_WAY", "Home"]

#: Commands that are waiting for something at a time. Enough to touch every accessory of a large house at once.
MAX_UNDER_WAY: Final = 2000
#: What may also be said after the end: nothing comes of it.
_HARMLESS: Final = frozenset([commands.Stop, commands.CancelPairing, commands.Disconnect, commands.Close])
_REFUSED: Final = EffectFailed("the adapter could not carry it out")


class Home(Engine):
    """Everything a controller is paired with. `table` is what the store holds; raises `StateError` if it is damaged.

    `engine` makes the engine of each connection, called like `Connection` with the host, `entropy` and `database`; one
    that is recorded, for example. With a `Recording`, those over Bluetooth LE are recorded too. `discovery` False never
    looks for anything on the network; `radio` True asks for a radio when there is something to do over Bluetooth LE.
    """

    def __init__(
        self,
        table: Mapping[str, bytes],
        *,
        entropy: Entropy,
        engine: MakeEngine = Connection,
        discovery: bool = True,
        radio: bool = False,
    ) -> None:
        super().__init__()
        connection = engine if callable(engine) else engine.connection

        def make(address: Address, database: Iterable[AccessoryDescription]) -> Connection:
            return connection(address[0], entropy=entropy, database=database)

        emit = self._outputs.append
        self._book = Book(table)
        self._agenda = agenda = Agenda()
        self._pending = agenda.entries
        self._timers = Timers()
        self._links = Links(agenda, self._timers, emit, make)
        self._seeking = Seeking(agenda, self._timers, emit, discovery)
        self._residents = Residents(
            self._book, self._links, self._seeking, agenda, self._timers, emit, self._store, self._peer
        )
        self._visits = Visits(
            self._book, self._links, agenda, self._timers, self._store, self._peer, self._residents.take, entropy
        )
        self._guests = Guests(self._book, self._residents, self._links, self._store, self._forget, entropy)
        self._radio: Radio | None = None
        self._learnt = {key: value for key, value in table.items() if is_knowledge(key)}
        if radio:
            from hapcore.home.radio import Radio  # most homes have none

            peer = None if callable(engine) else engine.peer
            self._radio = Radio(self._learnt, self._links, self._seeking, agenda, emit, entropy, peer)
        self._supervision = Supervision(
            self._book, self._residents, self._links, self._seeking, agenda, self._timers, emit, entropy
        )
        self._under_way: dict[Task[Any], CommandId] = {}
        #: Readers that are on the way to what they want to follow.
        self._coming: set[Hashable] = set()
        self._fault = _REFUSED
        self._closed = False
        self._procedures: Mapping[type[Command[Any]], Callable[[Any], Procedure[Any]]] = {
            commands.Follow: self._follow,
            commands.Find: self._find,
            commands.StartPairing: self._visits.start,
            commands.FinishPairing: self._visits.finish,
            commands.IdentifyAt: lambda command: self._visits.identify(command.where),
            commands.Remove: self._remove,
            commands.Adopt: self._adopt,
            commands.Prepare: self._guests.prepare,
            commands.Complete: self._guests.complete,
        }
        self._acts: Mapping[type[Command[Any]], Callable[[Any], None]] = {
            commands.Stop: self._stop,
            commands.Discover: self._discover,
            commands.Supervise: self._supervise,
            commands.CancelPairing: lambda command: self._visits.cancel(command.pairing),
            commands.Disconnect: self._disconnect,
            commands.Close: self._close,
        }

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names of the paired accessories."""
        return self._book.aliases

    @property
    def prepared(self) -> tuple[PreparedPairing, ...]:
        """The pairings that other controllers are still to make."""
        return tuple(self._book.prepared.values())

    def record(self, alias: str) -> PairedAccessory:
        """What is stored about a paired accessory. Raises `LocalProtocolError` for an unknown alias."""
        return self._book.record(alias)

    def check_address(self, alias: str, address: str | None) -> None:
        """Raise `LocalProtocolError` for an unknown alias, and for an address that is none or means nothing."""
        self._book.check_address(alias, address)

    def is_connected(self, alias: str, address: str | None = None) -> bool:
        """Whether there is a verified connection to an accessory at the moment."""
        one = self._residents.find(alias, address)
        return one is not None and one.link is not None and one.link.secured

    # --- inputs ---------------------------------------------------------------------------------------------------

    def submit(self, command: Command[Any], now: float) -> CommandId:
        """Accept a command of `hapcore.home.commands`; exactly one `Done` or `Failed` with the id will follow.

        Raises `LocalProtocolError` (or `ValueRefused`) for what cannot be, and nothing is changed then.
        """
        now = self._timers.now = self._advance(now)
        kind = type(command)
        if self._closed and kind not in _HARMLESS:
            raise LocalProtocolError("this controller is closed")
        if isinstance(command, Ask):
            # Every read and write of a controller passes here: no call that can be spared.
            one = self._residents.known.get((command.alias, command.address)) or self._residents.get(
                command.alias, command.address
            )
            if (link := one.ready(command.command)) is None:
                return self._asked(one, command.command)
            asked = link.carrier.submit(command.command, now)
            if link.watch is not None:
                link.watch.asked(command.command)
            number = link.waiting[asked] = self._next_command()
            self._links.collect(link)
            if self._pending:
                self._work()
            return number
        if kind in self._procedures:
            self._check_room()
            return self._start(self._procedures[kind](command))
        if kind not in self._acts:
            raise LocalProtocolError(f"{kind.__name__} is not for this engine", argument="command")
        self._acts[kind](command)
        number = self._next_command()
        self._work()
        self._emit(Done(number))
        return number

    def connected(self, connection: ConnectionId, now: float) -> None:
        """The stream that `Connect` asked for is open."""
        self._timers.now = self._advance(now)
        self._links.connected(connection, self.tells_keys)
        self._work()

    def receive_data(self, connection: ConnectionId, data: bytes | memoryview, now: float) -> None:
        """Bytes from a stream, in any portions."""
        now = self._timers.now = self._advance(now)
        if (link := self._links.streams.get(connection)) is not None:
            link.carrier.receive_data(data, now)
            self._links.collect(link)
            if self._pending:
                self._work()

    def receive_eof(self, connection: ConnectionId, now: float) -> None:
        """A stream was closed by the other side, or broke."""
        now = self._timers.now = self._advance(now)
        if (link := self._links.streams.get(connection)) is not None:
            link.carrier.receive_eof(now)
            self._links.collect(link)
            self._work()

    def receive_discovery(self, news: DiscoveredAccessory | Gone, now: float) -> None:
        """What `Browse` asked for: an accessory that is there or has changed, or one that is gone."""
        self._timers.now = self._advance(now)
        self._seeking.heard(news)
        self._work()

    def receive_advertisement(self, advertisement: Advertisement, now: float) -> None:
        """What `Scan` asked for: somebody advertises."""
        now = self._timers.now = self._advance(now)
        if self._radio is not None:
            self._radio.heard(advertisement, now)
            self._work()

    def receive_gatt(self, connection: ConnectionId, result: GattResult, now: float) -> None:
        """The end of what `Via` asked for, over the link of an accessory."""
        now = self._timers.now = self._advance(now)
        if self._radio is not None:
            self._radio.result(connection, result, now)
            self._work()

    def receive_indication(self, connection: ConnectionId, handle: int, now: float) -> None:
        """An accessory says that the characteristic with that handle has changed."""
        now = self._timers.now = self._advance(now)
        if self._radio is not None:
            self._radio.indicated(connection, handle, now)
            self._work()

    def link_lost(self, connection: ConnectionId, now: float) -> None:
        """The link of an accessory is gone, whoever ended it."""
        now = self._timers.now = self._advance(now)
        if self._radio is not None:
            self._radio.lost(connection, now)
            self._work()

    def effect_failed(self, effect: Effect, reason: str, now: float, *, cause: Exception | None = None) -> None:
        """An effect could not be carried out. `cause` is the exception, for callers that know how to tell it apart."""
        now = self._timers.now = self._advance(now)
        if isinstance(effect, Connect):
            self._links.refused(effect.connection, reason)
        elif isinstance(effect, Browse):
            self._seeking.failed(EffectFailed(f"cannot look for accessories: {reason}", cause=cause))
        elif self._radio is None or not self._radio.failed(effect, reason, now):
            what = (
                f"could not store {prepared_alias(effect.key) or effect.key}"
                if isinstance(effect, Persist | Forget)
                else "that was not possible"
            )
            self._fault = EffectFailed(f"{what}: {reason}", cause=cause)
            super().effect_failed(effect, reason, now)
        self._work()

    def next_timeout(self) -> float | None:
        """When the first connection, search or attempt is due."""
        links, timers, readers = self._links.due, self._timers.entries, self._seeking.readers
        dues = list(links.values())
        if self._supervision.heap and (due := self._supervision.due) is not None:
            dues.append(due)
        if timers:
            dues += [due for due, _ in timers.values()]
        if readers:
            dues += [due for due in readers.values() if due is not None]
        return min(dues) if dues else None

    def handle_timeout(self, now: float) -> None:
        """End what has taken too long."""
        now = self._timers.now = self._advance(now)
        self._links.expire(now)
        self._seeking.expire(now)
        self._timers.expire()
        self._supervision.expire(now)
        self._work()

    # --- commands -------------------------------------------------------------------------------------------------

    def _check_room(self) -> None:
        if len(self._under_way) >= MAX_UNDER_WAY:
            raise LocalProtocolError(f"{MAX_UNDER_WAY} commands are under way already")

    def _start(self, procedure: Procedure[Any]) -> CommandId:
        number = self._next_command()
        self._under_way[self._agenda.start(procedure)] = number
        self._work()
        return number

    def _work(self) -> None:
        if self._pending:
            self._agenda.work(self._over)

    def _over(self, task: Task[Any]) -> None:
        number = self._under_way.pop(task, None)
        if number is None:
            return  # part of others
        error = task.outcome.error
        self._emit(Done(number, task.outcome.result) if error is None else Failed(number, error))

    def _peer(self, pairing: Pairing | None, device_id: str = "") -> Link:
        if self._radio is None:
            raise LocalProtocolError("this controller was opened without Bluetooth LE", argument="ble")
        return self._radio.open(pairing, device_id, tells_keys=self.tells_keys)

    def _store(self, effect: Effect) -> Procedure[None]:
        """Within a procedure: have something stored. Raises `EffectFailed`."""
        promise = Promise[None](self._agenda, sure=True)

        def done() -> None:
            promise.keep(None)
            self._work()

        self._emit_confirmed(effect, done, lambda: promise.fail(self._fault))
        yield from promise.wait()

    def _asked(self, one: Resident, command: Command[Any]) -> CommandId:
        self._check_room()
        return self._start(self._ask(one, command))

    def _ask(self, one: Resident, command: Command[Any]) -> Procedure[Any]:
        link = yield from self._residents.ready(one, command)
        if link.watch is not None:
            link.watch.asked(command)
        return (yield from self._links.ask(link, command))

    def _follow(self, command: commands.Follow) -> Procedure[None]:
        to, subscribe = command.to, Subscribe(command.ids)
        self._check_reader(to)
        one = self._residents.get(command.alias, command.address)
        self._coming.add(to)

        def run() -> Procedure[None]:
            try:
                link = yield from self._residents.ready(one, subscribe)
                if to in self._coming:
                    yield from self._links.follow(link, to, subscribe)
            finally:
                self._coming.discard(to)

        return run()

    def _check_reader(self, to: Hashable) -> None:
        followed = self._links.follows(to) or self._seeking.follows(to) or self._supervision.follows(to)
        if to in self._coming or followed:
            raise LocalProtocolError("this reader follows something already", argument="to")

    def _stop(self, command: commands.Stop) -> None:
        self._coming.discard(command.to)
        self._links.unfollow(command.to)
        self._seeking.end(command.to)
        self._supervision.end(command.to)

    def _supervise(self, command: commands.Supervise) -> None:
        self._check_reader(command.to)
        self._supervision.begin(command)

    def _discover(self, command: commands.Discover) -> None:
        self._seeking.check()
        self._check_reader(command.to)
        self._seeking.begin(command.to, command.timeout)

    def _find(self, command: commands.Find) -> Procedure[DiscoveredAccessory]:
        self._seeking.check()
        return self._seeking.find(command.wanted, command.timeout)

    def _disconnect(self, command: commands.Disconnect) -> None:
        one = self._residents.find(command.alias, command.address)
        if one is not None:
            self._residents.close(one)

    def _remove(self, command: commands.Remove) -> Procedure[None]:
        alias, force = command.alias, command.force
        if (waiting := self._book.prepared.get(alias)) is not None and alias not in self._book.aliases:
            return self._guests.remove(waiting)
        record = self._book.record(alias)
        pairing = record.pairing
        identifier = pairing.controller_id.encode()
        one = self._residents.get(alias, command.address)
        hopeless = record.transport is Transport.BLE and self._radio is None

        def run() -> Procedure[None]:
            try:
                if not (force and hopeless):
                    yield from self._ask(one, RemovePairing(identifier))
            except Stopped:
                raise
            except (PeerError, EffectFailed):  # the latter where there is nothing to listen with
                if not force:
                    raise
            self._supervision.removed(alias)
            self._residents.drop(alias)
            if (leftover := self._book.leftover.pop(alias, None)) is not None:
                yield from self._store(Forget(leftover.key))  # it would count again without the pairing
            yield from self._store(Forget(alias))
            self._forget(pairing)
            self._book.drop(alias)

        return run()

    def _adopt(self, command: commands.Adopt) -> Procedure[None]:
        record = command.record

        def run() -> Procedure[None]:
            yield from self._store(Persist(record.alias, record.encode()))
            known = self._book.record(record.alias) if record.alias in self._book.aliases else record
            if (known.pairing, known.transport) != (record.pairing, record.transport):
                self._residents.drop(record.alias)
                self._forget(known.pairing)
            self._book.put(record)

        return run()

    def _forget(self, pairing: Pairing) -> None:
        if self._radio is not None:
            self._radio.forget(pairing)
        elif self._learnt:
            from hapcore.ble.controller.telling import cache_key  # as above

            if (key := cache_key(pairing.accessory_id)) in self._learnt:
                self._emit(Forget(key))

    def _close(self, _: commands.Close) -> None:
        self._closed = True
        for task in self._under_way:
            task.stop(Stopped())
        self._supervision.end_all()
        self._residents.close_all()
        self._seeking.end_all(None)
        self._work()
        self._links.close_all()
