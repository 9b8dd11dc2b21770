"""A house in virtual time: accessories of ours, a network with every fault, and a home that watches over them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

from hapcore.accessory.stored import Setup
from hapcore.catalogue.services import Lightbulb
from hapcore.crypto.srp import make_verifier
from hapcore.discovery import Advertise, DiscoveredAccessory, Gone, parse_txt
from hapcore.engine import (
    CloseConnection,
    Command,
    CommandId,
    ConnectionId,
    Done,
    Effect,
    Event,
    Failed,
    Forget,
    Output,
    Persist,
    SendBytes,
)
from hapcore.home import (
    Available,
    Browse,
    Connect,
    Ended,
    Gap,
    Happening,
    Home,
    News,
    StopBrowsing,
    Supervise,
    Unavailable,
    ValueChanged,
)
from hapcore.home.target import Address
from hapcore.ids import CharacteristicId, Value
from hapcore.ip.accessory import Server, UpdateValues
from hapcore.ip.accessory.settings import Served, make_server
from hapcore.pairing.records import ControllerIdentity, Identity, PairedController, Pairing, new_controller_identity
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory
from hapcore.testing.chance import seeded_bytes, seeded_entropy

CODE = SetupCode("031-45-154")
#: Made once: nobody pairs here, every session is verified all the same.
SETUP = Setup(CODE, "HOME", make_verifier(CODE.text, seeded_bytes("salt", 16))).encode()
US = new_controller_identity(seeded_entropy("us"))


class Flat:
    """One accessory: it has power or not, an address, and a network that lets everything through or nothing."""

    def __init__(self, number: int, what: Served | None = None) -> None:
        self.alias = f"lamp{number}"
        self.light = Lightbulb(f"Lamp {number}", on=False, brightness=40)
        self.what: Served = self.light if what is None else what
        self.identity = Identity(f"AA:BB:CC:00:{number >> 8:02X}:{number & 255:02X}", seeded_secret(f"flat {number}"))
        self.table: dict[str, bytes] = {"identity": self.identity.to_json(), "setup": SETUP}
        self.know(US)
        self.entropy = seeded_entropy(f"flat {number}")
        self.address: Address = (f"192.0.2.{number}" if number < 250 else f"198.51.{number >> 8}.{number & 255}", 5001)
        self.server: Server | None = None
        #: Its network lets nothing through; what is sent is sent again when it does.
        self.cut = False
        #: Serves, but answers nothing; or only the first bytes; or this many seconds late.
        self.mute = False
        self.stutters = False
        self.late = 0.0
        #: What becomes of its answers within a session.
        self.spoil: Callable[[bytes], bytes] = lambda message: message
        #: Refuses connections.
        self.full = False
        #: Announces itself.
        self.announces = True
        self.wires: dict[ConnectionId, ConnectionId] = {}

    def know(self, *admins: ControllerIdentity, guest: ControllerIdentity | None = None) -> None:
        """These are paired with it, and nobody else."""
        self.table = {key: value for key, value in self.table.items() if not key.startswith("pairing/")}
        for who in (*admins, *(() if guest is None else (guest,))):
            paired = PairedController(who.identifier.encode(), who.ltpk, admin=who is not guest)
            self.table["pairing/" + paired.identifier.hex()] = paired.encode()

    @property
    def record(self) -> PairedAccessory:
        """What the home has stored of it."""
        return self.paired_with(US)

    def paired_with(self, who: ControllerIdentity) -> PairedAccessory:
        """The same, for another identity of the controller."""
        key = self.identity
        pairing = Pairing(key.device_id, key.ltpk, who.identifier, who.ltsk)
        return PairedAccessory(self.alias, pairing, self.alias, (self.address[0],), self.address[1])

    @property
    def found(self) -> DiscoveredAccessory:
        """What mDNS tells of it."""
        assert self.server is not None
        record = self.server.record
        found = parse_txt(record.name, record.txt(), [self.address[0]], self.address[1])
        assert found is not None
        return found

    def value(self, one: CharacteristicId) -> Value:
        """What a characteristic is now."""
        assert self.server is not None
        found = self.server.database.find(*one)
        assert found is not None
        return found.value


def seeded_secret(seed: str) -> Any:
    from hapcore.crypto.secret import Secret

    return Secret(seeded_bytes(seed, 32))


class House:
    """Accessories, a network, a home. Everything takes no time but what is told to; `pass_time` lets it pass."""

    def __init__(self, flats: Iterable[Flat], seed: str = "house", **options: Any) -> None:
        self.now = 1000.0
        self.flats = {flat.alias: flat for flat in flats}
        self.table = {flat.alias: flat.record.encode() for flat in self.flats.values()}
        self.home = Home(dict(self.table), entropy=seeded_entropy(seed), **options)
        #: How many things may still happen at once; None: all.
        self.slowly: int | None = None
        #: Multicast gets through.
        self.mdns = True
        self.browsing = False
        self.browses = 0
        self.replies: dict[CommandId, Done | Failed] = {}
        self.told: list[tuple[float, object, Happening]] = []
        self._items: dict[tuple[object, str], list[Happening]] = {}
        self._available: dict[tuple[object, str], bool] = {}
        self.ended: dict[object, Exception | None] = {}
        self.events: list[Event] = []
        self.connects: list[tuple[float, Address]] = []
        #: What the home has sent, by alias: requests, as far as sizes tell.
        self.sent: dict[str, int] = {}
        self._wires: dict[ConnectionId, Flat] = {}
        self._by_address: dict[Address, Flat] = {}
        self._held: list[tuple[Flat, Callable[[], None]]] = []
        self._todo: deque[Callable[[], None]] = deque()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._due: dict[Flat, float] = {}
        for flat in self.flats.values():
            self.start(flat)

    # --- accessories ----------------------------------------------------------------------------------------------

    def start(self, flat: Flat, address: Address | None = None) -> None:
        """Power, or the program: it is there, and says so."""
        if address is not None:
            self._leave(flat)
            flat.address = address
        server = flat.server = make_server(flat.what, {"setup_code": CODE.text}, flat.table, flat.entropy)
        send: Any = server.send
        # An accessory says what it likes; only what is encrypted is believed to be its own.
        vars(server)["send"] = lambda session, data: send(session, flat.spoil(data) if session.sealer else data)
        self._by_address[flat.address] = flat
        self._listen(flat)
        self.announce(flat)
        self.run()

    def stop(self, flat: Flat) -> None:
        """The program ends: all connections are closed, the host refuses new ones."""
        for number in list(flat.wires):
            self._hang_up(flat, number)
        flat.server = None
        self._due.pop(flat, None)
        self.run()

    def kill(self, flat: Flat) -> None:
        """No power: nobody closes anything, nobody answers."""
        flat.server = None
        flat.wires.clear()
        self._leave(flat)
        self._due.pop(flat, None)
        self._held = [held for held in self._held if held[0] is not flat]

    def _leave(self, flat: Flat) -> None:
        if self._by_address.get(flat.address) is flat:
            del self._by_address[flat.address]

    def restart(self, flat: Flat, address: Address | None = None) -> None:
        """It crashes, and is there again."""
        self.stop(flat)
        self.start(flat, address)

    def cut(self, flat: Flat) -> None:
        """Its cable is pulled."""
        flat.cut = True

    def heal(self, flat: Flat) -> None:
        """And put in again: what was sent meanwhile arrives."""
        flat.cut = False
        held, self._held = self._held, []
        for whose, what in held:
            if whose is flat:
                self._todo.append(what)
            else:
                self._held.append((whose, what))
        self.announce(flat)
        self.run()

    def update(self, flat: Flat, values: dict[CharacteristicId, Value]) -> None:
        """Something changes there."""
        if flat.server is not None:
            flat.server.submit(UpdateValues(values), self.now)
            self._listen(flat)
            self.run()

    def do(self, flat: Flat, command: Command[Any]) -> None:
        """Anything else."""
        assert flat.server is not None
        flat.server.submit(command, self.now)
        self._listen(flat)
        self.run()

    def announce(self, flat: Flat) -> None:
        """It says that it is there."""
        if self._audible(flat):
            self._todo.append(lambda: self._hear(flat))

    def goodbye(self, flat: Flat) -> None:
        """It says that it goes."""
        self.home.receive_discovery(Gone(flat.alias, flat.identity.device_id), self.now)
        self.run()

    def _audible(self, flat: Flat) -> bool:
        return self.mdns and self.browsing and flat.announces and flat.server is not None and not flat.cut

    def _hear(self, flat: Flat) -> None:
        if self._audible(flat):
            self.home.receive_discovery(flat.found, self.now)

    # --- the home -------------------------------------------------------------------------------------------------

    def supervise(self, to: object = "reader", **options: Any) -> None:
        """Watch over all, or some."""
        self.submit(Supervise(to, **options))

    def submit(self, command: Command[Any]) -> CommandId:
        """Submit, and let everything happen that can happen now."""
        number = self.home.submit(command, self.now)
        self.run()
        return number

    def result(self, number: CommandId) -> Any:
        """What came of a command."""
        reply = self.replies[number]
        if isinstance(reply, Failed):
            raise reply.error
        return reply.result

    def items(self, flat: Flat, to: object = "reader") -> list[Happening]:
        """What a reader was told of one."""
        return self._items.get((to, flat.alias), [])

    def states(self, flat: Flat, to: object = "reader") -> list[bool]:
        """Available or not, in turn."""
        return [
            isinstance(item, Available) for item in self.items(flat, to) if isinstance(item, Available | Unavailable)
        ]

    def available(self, flat: Flat, to: object = "reader") -> bool:
        """What a reader believes."""
        return self._available.get((to, flat.alias), False)

    def gaps(self, flat: Flat) -> list[Gap]:
        """All gaps told."""
        return [item for item in self.items(flat) if isinstance(item, Gap)]

    def values(self, flat: Flat, to: object = "reader") -> dict[CharacteristicId, Value]:
        """What a reader knows who only listens."""
        return {item.id: item.value for item in self.items(flat, to) if isinstance(item, ValueChanged)}

    # --- time -----------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due happen when it is."""
        self.pass_until(self.now + seconds, lambda: False)

    def until(self, what: Callable[[], bool], limit: float = 3600.0) -> float:
        """Let time pass until something is true. Seconds it took."""
        begun = self.now
        assert self.pass_until(begun + limit, what), f"not within {limit:g} s"
        return self.now - begun

    def pass_until(self, end: float, what: Callable[[], bool]) -> bool:
        """True if it happened."""
        self.run()
        while not what():
            due = self._next()
            if due is None or due > end:
                self.now = max(self.now, end)
                return False
            self.now = max(self.now, due)
            self._expire()
            self.run()
        return True

    def _next(self) -> float | None:
        dues = [] if (due := self.home.next_timeout()) is None else [due]
        if self._later:
            dues.append(self._later[0][0])
        if self._due:
            dues.append(min(self._due.values()))
        return min(dues) if dues else None

    def _expire(self) -> None:
        now = self.now
        while self._later and self._later[0][0] <= now:
            self._todo.append(heappop(self._later)[2])
        for flat in [flat for flat, due in self._due.items() if due <= now]:
            if flat.server is not None:
                flat.server.handle_timeout(now)
                self._listen(flat)
        if (due := self.home.next_timeout()) is not None and due <= now:
            self.home.handle_timeout(now)

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen later."""
        self._count += 1
        heappush(self._later, (self.now + seconds, self._count, what))

    def run(self) -> None:
        """Until nobody has anything to say."""
        while True:
            while (output := self.home.poll()) is not None:
                self._carry_out(output)
            if not self._todo or self.slowly == 0:
                return
            if self.slowly is not None:
                self.slowly -= 1
            self._todo.popleft()()

    # --- what passes ----------------------------------------------------------------------------------------------

    def _carry_out(self, output: Output) -> None:
        if isinstance(output, Done | Failed):
            assert output.command not in self.replies, "a command ended twice"
            self.replies[output.command] = output
        elif isinstance(output, News):
            item: Any = output.item
            self.told.append((self.now, output.to, item))
            self._items.setdefault((output.to, item.alias), []).append(item)
            if isinstance(item, Available | Unavailable):
                self._available[output.to, item.alias] = isinstance(item, Available)
        elif isinstance(output, Ended):
            assert output.to not in self.ended, "a reader ended twice"
            self.ended[output.to] = output.reason
        elif isinstance(output, Event):
            self.events.append(output)
        elif isinstance(output, Effect):
            self._effect(output)

    def _effect(self, effect: Effect) -> None:
        if isinstance(effect, Connect):
            self.connects.append((self.now, effect.address))
            self._todo.append(lambda: self._connect(effect))
        elif isinstance(effect, SendBytes):
            if (flat := self._wires.get(effect.connection)) is not None:
                self.sent[flat.alias] = self.sent.get(flat.alias, 0) + 1
                self._through(flat, lambda: self._deliver(flat, effect))
        elif isinstance(effect, CloseConnection):
            flat = self._wires.pop(effect.connection, None)
            if flat is not None:
                self._through(flat, lambda: self._closed(flat, effect.connection))
        elif isinstance(effect, Persist):
            self.table[effect.key] = effect.value
        elif isinstance(effect, Forget):
            self.table.pop(effect.key, None)
        elif isinstance(effect, Browse):
            assert not self.browsing, "one browser for all"
            self.browsing = True
            self.browses += 1
            for flat in self.flats.values():
                self.announce(flat)
        elif isinstance(effect, StopBrowsing):
            assert self.browsing
            self.browsing = False

    def _through(self, flat: Flat, what: Callable[[], None]) -> None:
        """Over the network, at once or when it lets something through."""
        if flat.cut:
            self._held.append((flat, what))
        else:
            self._todo.append(what)

    def _connect(self, effect: Connect) -> None:
        flat = self._by_address.get(effect.address)
        if flat is None or flat.cut:
            return  # nobody says anything
        if flat.server is None or flat.full:
            host, port = effect.address
            self.home.effect_failed(effect, f"cannot connect to {host}, port {port}: refused", self.now)
            return
        flat.wires[effect.connection] = flat.server.connection_opened(self.now)
        self._wires[effect.connection] = flat
        self.home.connected(effect.connection, self.now)

    def _deliver(self, flat: Flat, effect: SendBytes) -> None:
        theirs = flat.wires.get(effect.connection)
        if theirs is None or flat.server is None:
            if self._wires.get(effect.connection) is flat and flat.address in self._by_address:
                # Another life of it knows nothing of this connection.
                del self._wires[effect.connection]
                self.home.receive_eof(effect.connection, self.now)
            return
        if not flat.mute:
            flat.server.receive_data(theirs, effect.data, self.now)
            self._listen(flat)

    def _closed(self, flat: Flat, number: ConnectionId) -> None:
        theirs = flat.wires.pop(number, None)
        if theirs is not None and flat.server is not None:
            flat.server.receive_eof(theirs, self.now)
            self._listen(flat)

    def _hang_up(self, flat: Flat, number: ConnectionId) -> None:
        """The accessory's side of a connection ends."""
        if flat.wires.pop(number, None) is not None:
            self._through(flat, lambda: self._eof(number))

    def _eof(self, number: ConnectionId) -> None:
        if self._wires.pop(number, None) is not None:
            self.home.receive_eof(number, self.now)

    def _listen(self, flat: Flat) -> None:
        """What an accessory wants done."""
        server = flat.server
        assert server is not None
        while (output := server.poll()) is not None:
            if isinstance(output, Persist):
                flat.table[output.key] = output.value
            elif isinstance(output, Forget):
                flat.table.pop(output.key, None)
            elif isinstance(output, Advertise):
                self.announce(flat)
            elif isinstance(output, SendBytes | CloseConnection):
                ours = next((ours for ours, theirs in flat.wires.items() if theirs == output.connection), None)
                if ours is None:
                    continue
                if isinstance(output, CloseConnection):
                    self._hang_up(flat, ours)
                else:
                    self._answer(flat, ours, output.data)
        due = server.next_timeout()
        if due is None:
            self._due.pop(flat, None)
        else:
            self._due[flat] = due

    def _answer(self, flat: Flat, number: ConnectionId, data: bytes) -> None:
        def arrive() -> None:
            if self._wires.get(number) is flat:
                self.home.receive_data(number, data[: len(data) // 2] if flat.stutters else data, self.now)

        if flat.late:
            self.after(flat.late, lambda: self._through(flat, arrive))
        else:
            self._through(flat, arrive)


def house(count: int = 1, **options: Any) -> tuple[House, Sequence[Flat]]:
    """A house with so many lamps."""
    flats = [Flat(number) for number in range(1, count + 1)]
    return House(flats, **options), flats
