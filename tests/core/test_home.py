"""The home: paired accessories are connected, verified and found again when a command needs them."""

from __future__ import annotations

from tests.core.home_rig import Lamp, Rig

from hapcore.home import Ask
from hapcore.ip.controller import Read


def paired(**options: object) -> tuple[Rig, Lamp]:
    rig, lamp = Rig(**options), Lamp()
    rig.hosts["192.0.2.7", 5001] = lamp
    rig.pair()
    return rig, lamp


def test_a_command_connects_and_verifies_and_learns_first() -> None:
    rig, lamp = paired()
    assert (rig.ask(Ask("lamp", Read([lamp.on]))))[lamp.on].value is False
