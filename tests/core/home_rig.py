"""A home and accessories it can reach, in virtual time; everything that can fail fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hapcore.catalogue.services import Lightbulb
from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags
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
from hapcore.home import Browse, Connect, Ended, FinishPairing, Home, News, StartPairing, StopBrowsing
from hapcore.home.target import Address
from hapcore.ip.accessory import Server
from hapcore.ip.accessory.settings import make_server
from hapcore.setup_code import SetupCode
from hapcore.testing.chance import seeded_entropy

CODE = "031-45-154"


class Lamp:
    """An accessory, with its server; as many connections as anybody makes."""

    def __init__(self, seed: int = 1) -> None:
        self.light = Lightbulb("Desk lamp", on=False, brightness=40)
        self.server: Server = make_server(self.light, {"setup_code": CODE}, {}, seeded_entropy(seed))
        self.on = self.light.on.id
        #: It takes what is sent to it, and says nothing.
        self.mute = False

    def found(self, port: int, *hosts: str) -> DiscoveredAccessory:
        """What mDNS tells of it."""
        return DiscoveredAccessory(
            "Desk lamp", self.server.device_id, hosts, port, "L1", 5, 1, 1, FeatureFlags(0), StatusFlags(0), None, "1.1"
        )


class Rig:
    """Carries out what a home wants done. `hosts` says who is at an address: a lamp, nobody, or a hole in the ground.

    A `Lamp` answers; "refused" refuses; "hole" never says anything to who connects.
    """

    def __init__(self, table: dict[str, bytes] | None = None, *, seed: str = "99", **options: Any) -> None:
        self.now = 100.0
        self.table = dict(table or {})
        self.home = Home(self.table, entropy=seeded_entropy(seed), **options)
        self.hosts: dict[Address, Lamp | str] = {}
        self.wires: dict[ConnectionId, tuple[Lamp, ConnectionId]] = {}
        self.replies: dict[CommandId, Done | Failed] = {}
        self.events: list[Event] = []
        self.news: dict[object, list[object]] = {}
        self.ended: dict[object, Exception | None] = {}
        self.effects: list[Effect] = []
        self.browsing = False
        #: Raised by the store.
        self.fault: OSError | None = None
        #: Called with each effect before it is carried out.
        self.before: Callable[[Effect], object] = lambda _: None

    def submit(self, command: Command[Any]) -> CommandId:
        """Submit, and let everything happen that can happen now."""
        number = self.home.submit(command, self.now)
        self.run()
        return number

    def ask(self, command: Command[Any]) -> Any:
        """The result of a command that ends without time passing. Raises what it failed with."""
        return self.result(self.submit(command))

    def result(self, number: CommandId) -> Any:
        """What came of a command."""
        reply = self.replies[number]
        if isinstance(reply, Failed):
            raise reply.error
        return reply.result

    def pair(self, address: str = "192.0.2.7:5001", alias: str = "lamp") -> None:
        """Make an accessory ours."""
        start = StartPairing(address, alias)
        self.ask(start)
        assert self.ask(FinishPairing(start, SetupCode(CODE))) == alias

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due happen when it is."""
        end = self.now + seconds
        while (due := self.home.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.home.handle_timeout(self.now)
            self.run()
        self.now = end

    def cut(self) -> None:
        """All connections break."""
        for number, (lamp, theirs) in list(self.wires.items()):
            del self.wires[number]
            lamp.server.receive_eof(theirs, self.now)
            self.home.receive_eof(number, self.now)
        self.run()

    def run(self) -> None:
        """Until nobody has anything to say."""
        moved = True
        while moved:
            moved = False
            while (output := self.home.poll()) is not None:
                self._carry_out(output)
                moved = True
            for lamp in {lamp for lamp, _ in self.wires.values()}:
                due = lamp.server.next_timeout()
                if due is not None and due <= self.now:
                    lamp.server.handle_timeout(self.now)
                moved = self._listen(lamp) or moved

    def _carry_out(self, output: Output) -> None:
        if isinstance(output, Done | Failed):
            assert output.command not in self.replies, "a command ended twice"
            self.replies[output.command] = output
        elif isinstance(output, News):
            self.news.setdefault(output.to, []).append(output.item)
        elif isinstance(output, Ended):
            assert output.to not in self.ended, "a reader ended twice"
            self.ended[output.to] = output.reason
        elif isinstance(output, Event):
            self.events.append(output)
        elif isinstance(output, Effect):
            self.effects.append(output)
            self.before(output)
            self._effect(output)

    def _effect(self, effect: Effect) -> None:
        home = self.home
        if isinstance(effect, Connect):
            who = self.hosts.get(effect.address, "refused")
            if isinstance(who, Lamp):
                self.wires[effect.connection] = who, who.server.connection_opened(self.now)
                home.connected(effect.connection, self.now)
            elif who == "refused":
                host, port = effect.address
                home.effect_failed(effect, f"cannot connect to {host}, port {port}: refused", self.now)
        elif isinstance(effect, SendBytes):
            if effect.connection in self.wires:
                lamp, number = self.wires[effect.connection]
                if not lamp.mute:
                    lamp.server.receive_data(number, effect.data, self.now)
                    self._listen(lamp)
        elif isinstance(effect, CloseConnection):
            if effect.connection in self.wires:
                lamp, number = self.wires.pop(effect.connection)
                lamp.server.receive_eof(number, self.now)
        elif isinstance(effect, Persist | Forget):
            if self.fault is not None:
                home.effect_failed(effect, str(self.fault), self.now, cause=self.fault)
            elif isinstance(effect, Persist):
                self.table[effect.key] = effect.value
            else:
                self.table.pop(effect.key, None)
        elif isinstance(effect, Browse | StopBrowsing):
            assert self.browsing is isinstance(effect, StopBrowsing)
            self.browsing = isinstance(effect, Browse)

    def _listen(self, lamp: Lamp) -> bool:
        """Carry what the accessory says to whichever connections it is for. Whether it said anything."""
        numbers = {theirs: ours for ours, (who, theirs) in self.wires.items() if who is lamp}
        said = False
        while (output := lamp.server.poll()) is not None:
            said = True
            if isinstance(output, SendBytes) and output.connection in numbers:
                self.home.receive_data(numbers[output.connection], output.data, self.now)
            elif isinstance(output, CloseConnection) and output.connection in numbers:
                ours = numbers[output.connection]
                if self.wires.pop(ours, None) is not None:
                    self.home.receive_eof(ours, self.now)
        return said
