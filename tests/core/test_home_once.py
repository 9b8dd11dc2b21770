"""Whatever happens and whenever: every command of a home ends exactly once, and nothing is left over."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.home_rig import CODE, Lamp, Rig

from hapcore.errors import LocalProtocolError
from hapcore.home import (
    Adopt,
    Ask,
    CancelPairing,
    Close,
    Disconnect,
    Discover,
    Find,
    FinishPairing,
    Follow,
    IdentifyAt,
    Remove,
    StartPairing,
    Stop,
)
from hapcore.ip.controller import CharacteristicWrite, ListPairings, Read, Write
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory, prepared_alias

HERE, THERE = ("192.0.2.7", 5001), ("192.0.2.8", 5001)
STEPS = st.lists(
    st.sampled_from(
        [
            *("read", "read elsewhere", "write", "pairings", "follow", "stop", "disconnect", "disconnect elsewhere"),
            *("find", "discover", "announce", "remove", "force", "adopt", "identify"),
            *("start", "wrong", "finish", "cancel"),
            *("cut", "mute", "speak", "here", "there", "hole", "nowhere", "stranger", "fault", "no fault"),
            *("moment", "seconds", "minute", "close"),
        ]
    ),
    max_size=25,
)


@cache
def world() -> tuple[dict[str, bytes], str]:
    """Pairing takes time, so it is done once: the controller's table, and the seed of the accessory it is for."""
    rig, lamp = Rig(), Lamp(seed=7)
    rig.hosts[HERE] = lamp
    rig.pair()
    return rig.table, lamp.server.device_id


class Play:
    """A home that has forgotten its pairing with one accessory and knows another that is gone, in a random play."""

    def __init__(self) -> None:
        table, _ = world()
        self.rig = Rig(table)
        self.lamp = Lamp(seed=7)  # it does not know us: pairing is refused to who asks, until it is paired again
        self.other = Lamp(seed=3)
        self.numbers: list[int] = []
        self.starts: list[StartPairing] = []
        self.rig.hosts[HERE] = self.lamp

    def submit(self, command: object) -> None:
        with suppress(LocalProtocolError):
            self.numbers.append(self.rig.submit(command))  # type: ignore[arg-type]

    def step(self, name: str) -> None:
        rig, lamp = self.rig, self.lamp
        alias = rig.home.aliases[-1] if rig.home.aliases else "lamp"
        read = Read([lamp.on])
        commands = {
            "read": lambda: Ask(alias, read),
            "read elsewhere": lambda: Ask(alias, read, "192.0.2.8:5001"),
            "write": lambda: Ask(alias, Write([CharacteristicWrite(lamp.on, True)])),
            "pairings": lambda: Ask(alias, ListPairings()),
            "follow": lambda: Follow(alias, [lamp.on], len(self.numbers)),
            "stop": lambda: Stop(len(self.numbers) - 1),
            "disconnect": lambda: Disconnect(alias),
            "disconnect elsewhere": lambda: Disconnect(alias, "192.0.2.8:5001"),
            "find": lambda: Find(self.other.server.device_id, 3.0),
            "discover": lambda: Discover(len(self.numbers), 20.0),
            "remove": lambda: Remove(alias),
            "force": lambda: Remove(alias, force=True),
            "adopt": lambda: Adopt(PairedAccessory.decode("lamp", world()[0]["lamp"])),
            "identify": lambda: IdentifyAt("192.0.2.7:5001"),
            "close": Close,
        }
        if name in commands:
            self.submit(commands[name]())
        elif name == "start":
            self.starts.append(StartPairing("192.0.2.7:5001", f"new {len(self.starts)}"))
            self.submit(self.starts[-1])
        elif name in ("wrong", "finish", "cancel"):
            for start in self.starts[-2:]:
                code = SetupCode(CODE if name == "finish" else "031-45-155")
                self.submit(CancelPairing(start) if name == "cancel" else FinishPairing(start, code))
        else:
            self.happen(name)

    def happen(self, name: str) -> None:
        rig, lamp = self.rig, self.lamp
        hosts = {"here": lamp, "hole": "hole", "nowhere": "refused", "stranger": self.other}
        if name in hosts:
            rig.hosts[HERE] = hosts[name]
        elif name == "there":
            rig.hosts[THERE] = lamp
        elif name == "announce":
            rig.home.receive_discovery(lamp.found(*reversed(THERE)), rig.now)
            rig.home.receive_discovery(self.other.found(1, "192.0.2.9"), rig.now)
            rig.run()
        elif name == "cut":
            rig.cut()
        elif name in ("mute", "speak"):
            lamp.mute = name == "mute"
        elif name in ("fault", "no fault"):
            rig.fault = OSError("disk full") if name == "fault" else None
        else:
            rig.pass_time({"moment": 0.1, "seconds": 6.0, "minute": 61.0}[name])


@settings(max_examples=120, deadline=None)
@given(steps=STEPS)
def test_exactly_once(steps: list[str]) -> None:
    play = Play()
    for step in steps:
        play.step(step)
    rig = play.rig
    rig.submit(Close())
    assert set(play.numbers) <= set(rig.replies)  # that none ends twice, the rig checks
    rig.pass_time(1000.0)
    assert rig.home.next_timeout() is None
    assert not rig.wires
    assert not rig.browsing
    assert rig.home.poll() is None
    # What is told to be paired is what is stored, and the other way round.
    assert set(rig.home.aliases) == {key for key in rig.table if prepared_alias(key) is None}


@settings(max_examples=40, deadline=None)
@given(steps=STEPS.filter(lambda steps: "close" not in steps))
def test_time_ends_everything(steps: list[str]) -> None:
    """Also without the end: nothing waits for ever, but for a person who looks for a setup code."""
    play = Play()
    for step in steps:
        play.step(step)
    play.rig.pass_time(1000.0)
    assert set(play.numbers) <= set(play.rig.replies)
    assert play.rig.home.next_timeout() is None
