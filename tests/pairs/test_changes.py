"""Many changes, controllers that come and go: none is missed in the end, and no value ever goes back."""

from __future__ import annotations

import json
import random

import pytest
from tests.core.accessory_rig import Line, Rig, kind

from hapcore.accessory.commands import UpdateValues
from hapcore.codec.http import Response
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.metadata import Format
from hapcore.model.service import Service, ServiceType
from hapcore.pairing.records import Pairing

COUNTERS = 12
CHANGES = 2000
CONTROLLERS = 5
SERVICE = ServiceType("Counters", "AD0000FE-0000-4000-8000-000000000000")


class Watcher:
    """A controller that follows all counters, by what stands on the wire in the order in which it stands there."""

    def __init__(self, rig: Rig, pairing: Pairing, ids: list[str], portion: int) -> None:
        self.rig = rig
        self.pairing = pairing
        self.ids = ids
        self.portion = portion
        self.view: dict[tuple[int, int], int] = {}
        self.line: Line | None = None
        self.paused = False
        self.events = self.sessions = 0

    def connect(self) -> None:
        line = self.line = self.rig.line().verify(self.pairing)
        real, portion = line.receive, self.portion
        line.receive = (
            lambda data: [  # type: ignore[method-assign, assignment]
                real(data[at : at + portion]) for at in range(0, len(data), portion)
            ]
        )
        self.sessions += 1
        numbers = [tuple(map(int, one.split("."))) for one in self.ids]
        line.put(*({"aid": aid, "iid": iid, "ev": True} for aid, iid in numbers))
        answer = line.get(*self.ids)
        self._take(answer)

    def listen(self) -> None:
        """What has come since the last time."""
        if self.line is not None:
            for message in self.line.messages:
                assert message.event
                self.events += 1
                self._take(message)
            self.line.messages.clear()

    def leave(self) -> None:
        """The connection breaks; what the accessory had not sent yet is gone."""
        assert self.line is not None
        self.rig.server.receive_eof(self.line.connection, self.rig.now)
        self.line.closed = True
        self.line, self.paused = None, False
        self.rig.drain()

    def _take(self, message: Response) -> None:
        for entry in json.loads(message.body)["characteristics"]:
            one = entry["aid"], entry["iid"]
            assert entry["value"] >= self.view.get(one, 0), "a value went back"
            self.view[one] = entry["value"]


@pytest.mark.parametrize("portion", [1, 7, 1 << 20], ids=lambda portion: f"{portion} bytes at a time")
@pytest.mark.parametrize("seed", range(3))
def test_views_converge_and_never_go_back(seed: int, portion: int) -> None:
    dice = random.Random(seed)
    counters = [
        Characteristic(kind(f"Count {one}", 20 + one, Format.UINT32, "pr ev", int), 0) for one in range(COUNTERS)
    ]
    accessory = Accessory("Counters", services=[Service(SERVICE, counters)])
    rig = Rig(
        accessories=[accessory], cut=lambda data: [data[at : at + portion] for at in range(0, len(data), portion)]
    )
    ids = [f"1.{one.id.iid}" for one in counters]
    watchers = [Watcher(rig, rig.pairing(seed=f"phone {one}"), ids, portion) for one in range(CONTROLLERS)]
    for _ in range(CHANGES):
        one = dice.choice(counters)
        rig.submit(UpdateValues({one.id: one.value + 1}))
        rig.pass_time(dice.choice([0.0, 0.0, 0.01, 0.3]))
        watcher = dice.choice(watchers)
        if watcher.line is None:
            if dice.random() < 0.1:
                watcher.connect()
        elif dice.random() < 0.02:
            watcher.listen()
            watcher.leave()
        elif dice.random() < 0.05:
            watcher.paused = not watcher.paused
            pause = rig.server.pause_sending if watcher.paused else rig.server.resume_sending
            pause(watcher.line.connection, rig.now)
            rig.drain()
        watcher.listen()
    for watcher in watchers:
        if watcher.line is None:
            watcher.connect()
        elif watcher.paused:
            rig.server.resume_sending(watcher.line.connection, rig.now)
            rig.drain()
    rig.pass_time(5)
    truth = {(1, one.id.iid): one.value for one in counters}
    assert sum(truth.values()) == CHANGES
    for watcher in watchers:
        watcher.listen()
        assert watcher.view == truth
        assert watcher.events > 20
    assert sum(watcher.sessions for watcher in watchers) > 2 * CONTROLLERS
