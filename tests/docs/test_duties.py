"""The states told in docs/reference.md are the true ones: all of them occur, and no other."""

from __future__ import annotations

from enum import Enum

import pytest
from tools.docpages import duties, states

from examples import test_in_memory as memory
from hapcore.catalogue.services import Lightbulb
from hapcore.codec.http import write_request
from hapcore.crypto.frames import FrameSealer
from hapcore.engine import Command, Effect, Output
from hapcore.errors import HapError, LocalProtocolError, Refused
from hapcore.ip import accessory, controller
from hapcore.ip.accessory.session import Security
from hapcore.model.accessory import Accessory
from hapcore.pairing.setup import PairSetupController

#: Class -> states in which it was seen.
Seen = dict[str, set[Enum]]


def _note(seen: Seen, output: Output, state: Enum) -> None:
    seen.setdefault(type(output).__name__, set()).add(state)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Seen]:
    """Engines made from now on tell what they emit, and in which state."""
    found: dict[str, Seen] = {"accessory": {}, "controller": {}}

    class Server(accessory.Server):
        current = None
        tells_keys = True

        def receive_data(self, connection, data, now):
            self.current = connection
            super().receive_data(connection, data, now)

        def secure(self, session, keys, verified):
            self.keys = keys
            super().secure(session, keys, verified)

        def note(self, output):
            caller = getattr(output, "caller", None)
            connection = caller.connection if caller else getattr(output, "connection", self.current)
            session = self._sessions.get(connection)
            _note(found["accessory"], output, Security.CLOSED if session is None else session.security)

        def _emit(self, output):
            self.note(output)
            super()._emit(output)

        def _emit_confirmed(self, effect, done, failed):
            self.note(effect)
            super()._emit_confirmed(effect, done, failed)

    class Connection(controller.Connection):
        tells_keys = True

        def poll(self):
            if (output := super().poll()) is not None:
                _note(found["controller"], output, self._state)
            return output

    monkeypatch.setattr(accessory, "Server", Server)
    monkeypatch.setattr(states, "Server", Server)
    monkeypatch.setattr(controller, "Connection", Connection)
    return found


class Pair(memory.Pair):
    """Blinks while somebody looks for the setup code; has patience with getters that never answer."""

    def do(self, command, *, after=0.0):
        if isinstance(command, controller.FinishPairSetup):
            super().do(controller.Identify())
        return super().do(command, after=9.0 if isinstance(command, controller.GetAccessories) else after)


def _drive() -> None:
    """Everything that makes an engine say something."""
    states.setup_desk()
    states.security()
    rig = states.Rig(lambda rig: rig.session.security)
    rig.m1_transient()
    rig.m3()
    rig.send(FrameSealer(rig.server.keys.write.reveal()).seal(write_request("GET", "/accessories", "lamp")))
    blinking = controller.Connection("lamp", entropy=memory.entropy)
    blinking.submit(controller.Identify(), 0.0)
    blinking.poll()
    blinking.receive_eof(0.0)
    while blinking.poll():
        pass

    config = accessory.Config(name="Lamp", display=True)
    showing = accessory.Server([Accessory("Lamp")], config=config, state={}, entropy=memory.entropy)
    begun = write_request("POST", "/pair-setup", "lamp", states.TLV8, PairSetupController(memory.entropy).m1())
    showing.receive_data(showing.connection_opened(0.0), begun, 0.0)
    showing.submit(accessory.Shutdown(), 0.0)

    light = Lightbulb("Desk lamp", on=False, brightness=10, hue=5.0)
    light.brightness.setter(lambda _value, _caller: None)
    light.hue.getter(lambda _caller: 5.0)
    pair = Pair(light)
    pair.lamp.database.accessories[0].snapshot(lambda _wanted, _caller: b"")
    pair.do(controller.Subscribe([light.on.id]))
    pair.lamp.submit(accessory.UpdateValues({light.on.id: True}), pair.now)
    pair.carry()
    pair.do(controller.Write([controller.CharacteristicWrite(light.on.id, False)]))
    pair.do(controller.Write([controller.CharacteristicWrite(light.brightness.id, 20)]), after=9.0)
    pair.do(controller.Read([light.hue.id]), after=9.0)
    with pytest.raises(Refused):
        pair.do(controller.Snapshot(640, 360), after=9.0)
    sealer = pair.lamp._sessions[pair.number].sealer
    pair.home.receive_data(sealer.seal(b"EVENT/1.0 200 OK\r\nContent-Length: 1\r\n\r\n{"), pair.now)
    pair.carry()
    pair.do(controller.AddPairing(b"phone", bytes(range(32))))
    pair.do(controller.RemovePairing(b"phone"))
    pair.do(controller.Close())
    pair.lamp.submit(accessory.Shutdown(), pair.now)


def test_everything_is_emitted_in_the_states_told_and_in_no_other(seen):
    _drive()
    for role, told in (("accessory", duties.ACCESSORY), ("controller", duties.CONTROLLER)):
        outputs = {name: found for name, found in seen[role].items() if name not in duties.REPLIES}
        assert outputs.keys() == told.keys()
        for name, duty in told.items():
            if duty.states:
                assert outputs[name] == set(duty.states), name
    assert seen["controller"].keys() >= duties.REPLIES.keys()


def test_commands_are_taken_in_the_states_told_and_in_no_other():
    """The table of transitions against the engine: what is not told is refused."""
    light = Lightbulb("Desk lamp", on=False)
    pair = memory.Pair(light)
    told = {
        name for name, what, state, _ in duties.rows() if what == "command to the controller" and "secured" in state
    }
    on = pair.do(controller.Describe()).lightbulb.on
    commands: list[Command[object]] = [
        controller.AddPairing(b"phone", bytes(range(32))),
        controller.GetAccessories(),
        controller.Identify(),
        controller.ListPairings(),
        controller.Read([light.on.id]),
        controller.StartPairSetup(),
        controller.FinishPairSetup(pair.lamp.setup_code),
        controller.Subscribe([light.on.id]),
        controller.Unsubscribe([light.on.id]),
        controller.Write([controller.CharacteristicWrite(light.on.id, True)]),
        controller.Describe(),
        controller.GetValue(on),
        controller.SetValue(on, True),
        controller.Snapshot(640, 360),
        controller.RemovePairing(b"phone"),
    ]
    taken = set()
    for command in commands:
        try:
            pair.do(command)
        except LocalProtocolError:
            continue
        except HapError:
            pass
        taken.add(type(command).__name__)
    assert taken == told - {"VerifyPairing"}


def test_a_class_that_is_not_told_stops_the_generator(monkeypatch):
    class Sing(Effect):
        """Make a noise."""

    monkeypatch.setattr(accessory, "Sing", Sing, raising=False)
    with pytest.raises(SystemExit, match="Sing"):
        duties.rows()
