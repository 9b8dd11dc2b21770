"""Controllers of all kinds at an accessory that changes, with slow and broken handlers, cameras and a store that fails.

Each request is answered once, nothing is raised, and in the end everybody knows what there is to know.
"""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.core.accessory_rig import JSON, Line, Rig

from hapcore.accessory.commands import AddAccessories, RefreshDatabase, RemoveAccessories, UpdateValues
from hapcore.accessory.handlers import consult
from hapcore.catalogue.services import Lightbulb, LockMechanism, Switch, TemperatureSensor
from hapcore.codec.http import write_request
from hapcore.engine import Command, Done, Event
from hapcore.errors import LocalProtocolError
from hapcore.ids import HapStatus
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError

IDS = st.one_of(
    st.sampled_from([(2, 9), (2, 10), (2, 11), (3, 9), (3, 9), (4, 9), (4, 10), (5, 9), (8, 9), (9, 9)]),
    st.tuples(st.integers(1, 10), st.integers(1, 14)),
)
VALUES = st.one_of(st.booleans(), st.integers(-1, 101), st.floats(allow_nan=False, width=32), st.text(max_size=3))
ENTRIES = st.lists(
    st.builds(
        lambda number, value, more: {"aid": number[0], "iid": number[1], **value, **more},
        IDS,
        st.one_of(
            st.booleans().map(lambda value: {"value": value}),
            VALUES.map(lambda value: {"value": value}),
            st.booleans().map(lambda wanted: {"ev": wanted}),
            st.just({"ev": True}),
        ),
        st.dictionaries(st.sampled_from(["r", "remote"]), st.booleans(), max_size=1),
    ),
    min_size=1,
    max_size=4,
)
PICTURES = st.dictionaries(
    st.sampled_from(["resource-type", "image-width", "image-height", "aid", "reason"]),
    st.one_of(st.just("image"), st.integers(0, 8), st.none(), st.integers(2**63, 2**64), st.lists(st.none())),
)
PICTURE = st.integers(0, 8).map(
    lambda aid: {"resource-type": "image", "image-width": 640, "image-height": 480, "aid": aid}
)
ACTIONS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 2), ENTRIES),
    st.tuples(st.just("put"), st.integers(0, 2), ENTRIES),
    st.tuples(st.just("get"), st.integers(0, 2), st.lists(IDS, max_size=4)),
    st.tuples(st.just("all"), st.integers(0, 2)),
    st.tuples(st.just("picture"), st.integers(0, 2), PICTURES | PICTURE | PICTURE),
    st.tuples(st.just("junk"), st.integers(0, 2), st.binary(max_size=30)),
    st.tuples(st.just("leave"), st.integers(0, 2)),
    st.tuples(st.just("pause"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("set"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from(["done", "refused", "broken"])),
    st.tuples(st.just("settle"), st.integers(0, 9), st.just("done")),
    st.tuples(st.just("add"), st.integers(0, 2)),
    st.tuples(st.just("remove"), st.integers(0, 2)),
    st.tuples(st.just("change"), st.integers(0, 2)),
    st.tuples(st.just("store"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.2, 1.0, 9.5])),
)


class Later:
    """What a slow handler gives out."""

    def __init__(self, effect=None, result=None) -> None:
        self.effect = effect
        self.result = result

    def __await__(self):
        raise AssertionError("nobody runs it here")


class World:
    """The accessory, its application and three controllers, one of them no admin."""

    def __init__(self) -> None:
        self.lamp = Lightbulb("Lamp", on=False, brightness=40, hue=0)
        self.slow = Switch("Slow", on=False)
        self.lock = LockMechanism("Door")
        self.sensor = TemperatureSensor("Cold")
        self.extras = [Accessory.of(Switch(f"Extra {at}", on=False)) for at in range(3)]
        camera = Accessory("Camera", services=[Switch("Camera")])
        camera.snapshot(lambda wanted, _caller: Later(result=b"\xff\xd8" + bytes(wanted.width)))
        bridge = Accessory.bridge("Bridge")
        self.lamp.setter(lambda writes, _caller: Later())
        self.slow.on.setter(lambda value, _caller: Later(lambda: self.try_set(self.slow.on, value)))
        self.lock.lock_target_state.setter(lambda _value, _caller: None)
        self.sensor.current_temperature.getter(lambda _caller: Later(result=21.5))
        self.rig = Rig(accessories=[bridge, *map(Accessory.of, (self.lamp, self.slow, self.lock, self.sensor)), camera])
        self.rig.application = self.application
        self.open: list = []
        self.running: dict = {}
        self.commands: list = []
        self.lines: dict[int, Line] = {}
        self.asked: dict[int, list] = {}
        self.told: dict[tuple[int, tuple[int, int]], object] = {}

    def submit(self, command: Command) -> None:
        self.commands.append(self.rig.server.submit(command, self.rig.now))
        self.rig.drain()

    def application(self, event: Event) -> None:
        inquiry = consult(event, self.rig.server.database, self.submit_inside, lambda *_: None, self.running)
        if inquiry is not None:
            self.open += inquiry.begin()

    def submit_inside(self, command: Command) -> None:
        self.commands.append(self.rig.server.submit(command, self.rig.now))

    def line(self, at: int) -> Line:
        line = self.lines.get(at)
        if line is None or line.closed:
            line = self.lines[at] = self.rig.session(admin=at != 2, seed=f"phone {at}")
            self.asked[at] = []
            self.told = {key: value for key, value in self.told.items() if key[0] != at}
        return line

    def ask(self, at: int, method: str, target: str, body: object = None) -> None:
        line = self.line(at)
        if len(self.asked[at]) < 5:
            self.asked[at].append(body)
            data = None if body is None else json.dumps(body).encode()
            line.send(write_request(method, target, "a", None if data is None else JSON, data))

    def listen(self) -> None:
        """Take what the controllers were told."""
        for at, line in self.lines.items():
            for message in line.messages:
                if message.event:
                    for one in json.loads(message.body)["characteristics"]:
                        self.told[at, (one["aid"], one["iid"])] = one["value"]
                    continue
                assert self.asked[at], f"an answer to nothing: {message}"
                self.answered(at, self.asked[at].pop(0), message)
            line.messages.clear()

    def answered(self, at: int, body: object, message: object) -> None:
        entries = body.get("characteristics", ()) if isinstance(body, dict) else ()
        if message.status == 204:
            statuses = [0] * len(entries)
        elif message.status == 207 and entries:
            statuses = [one["status"] for one in json.loads(message.body)["characteristics"]]
        else:
            return
        for entry, status in zip(entries, statuses, strict=True):
            number = entry["aid"], entry["iid"]
            found = self.rig.server.database.find(*number)
            if status in (0, HapStatus.WRITE_ONLY) and found is not None:
                if "value" in entry:
                    self.told[at, number] = entry["value"]
                elif entry.get("ev"):
                    self.told[at, number] = json.loads(found.event_to_wire())

    def settle(self, at: int, how: str) -> None:
        if not self.open:
            return
        consultation, awaited = self.open.pop(at % len(self.open))
        if how == "done":
            if awaited.effect is not None:
                awaited.effect()
            following = consultation.returned(awaited.result)
        else:
            # What the device did all the same.
            if awaited.effect is not None and how == "broken":
                awaited.effect()
            error = HapStatusError(HapStatus.INSUFFICIENT_AUTHORIZATION) if how == "refused" else OSError("broken")
            following = consultation.raised(error)
        if following is not None:
            self.open.append((consultation, following))
        self.rig.drain()

    def try_set(self, one: object, value: object) -> None:
        if self.rig.server.database.find(*one.id) is one:
            self.submit(UpdateValues({one.id: value}))

    def act(self, what: str, *arguments) -> None:
        rig = self.rig
        if what == "put":
            self.ask(arguments[0], "PUT", "/characteristics", {"characteristics": arguments[1]})
        elif what == "get":
            ids = ",".join(f"{aid}.{iid}" for aid, iid in arguments[1])
            self.ask(arguments[0], "GET", f"/characteristics?id={ids}&ev=1")
        elif what == "all":
            self.ask(arguments[0], "GET", "/accessories")
        elif what == "picture":
            self.ask(arguments[0], "POST", "/resource", arguments[1])
        elif what == "junk":
            line = self.line(arguments[0])
            rig.feed(line, arguments[1])
            rig.server.receive_eof(line.connection, rig.now)
        elif what == "leave":
            rig.server.receive_eof(self.line(arguments[0]).connection, rig.now)
        elif what == "pause":
            call = rig.server.pause_sending if arguments[1] else rig.server.resume_sending
            call(self.line(arguments[0]).connection, rig.now)
        elif what == "set":
            found = [one for one in rig.server.database.characteristics if one.type.name == "On"]
            if found:
                self.try_set(found[arguments[0] % len(found)], arguments[1])
        elif what == "settle":
            self.settle(*arguments)
        elif what == "store":
            rig.store_works = arguments[0]
        elif what == "wait":
            rig.pass_time(arguments[0])
        else:
            command = {"add": AddAccessories, "remove": RemoveAccessories}.get(what)
            extra = self.extras[arguments[0]]
            with suppress(LocalProtocolError):
                self.submit(RefreshDatabase() if command is None else command(extra))
        rig.drain()
        self.listen()

    def end(self) -> None:
        """Everything that is owed comes, and then all agree."""
        for line in self.lines.values():
            self.rig.server.resume_sending(line.connection, self.rig.now)
            self.rig.drain()
        while self.open:
            self.settle(0, "done")
        self.rig.pass_time(60)
        self.listen()
        done = [one.command for one in self.rig.said(Done)]
        assert sorted(done) == sorted(self.commands)
        assert not self.running
        for at, line in self.lines.items():
            if line.closed or line.connection not in self.rig.server._sessions:
                continue
            session = self.rig.server._sessions[line.connection]
            assert not self.asked[at], "not answered"
            assert not session.busy
            for number, one in session.subscriptions.items():
                assert self.rig.server.database.find(*number) is one
                assert not (one.admin_only_read and at == 2)
                if (at, tuple(number)) in self.told:
                    assert self.told[at, tuple(number)] == json.loads(one.event_to_wire()), (at, one)


WATCH = [("put", 0, [{"aid": 3, "iid": 9, "ev": True}])]


@settings(max_examples=150, deadline=None)
@example([*WATCH, ("put", 0, [{"aid": 3, "iid": 9, "value": True}]), ("settle", 0, "broken")])
@example([*WATCH, ("set", 1, True), ("set", 1, False), ("add", 0)])
@given(actions=st.lists(ACTIONS, max_size=40))
def test_all_agree_in_the_end(actions) -> None:
    world = World()
    for what, *arguments in actions:
        world.act(what, *arguments)
    world.end()
