"""Every state against every kind of command: handled, refused, or failed, as the table says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.controller_peer import PAIRING, Accessory, Link, answer, entropy, verified

from hapcore.codec import tlv8
from hapcore.codec.http import write_response
from hapcore.controller.commands import CharacteristicWrite
from hapcore.errors import Disconnected, LocalProtocolError
from hapcore.ip.controller import (
    AddPairing,
    Close,
    Connection,
    FinishPairSetup,
    GetAccessories,
    Identify,
    ListPairings,
    Read,
    RemovePairing,
    StartPairSetup,
    State,
    Subscribe,
    Unsubscribe,
    VerifyPairing,
    Write,
)
from hapcore.ip.controller.states import TRANSITIONS, Kind
from hapcore.setup_code import SetupCode

COMMANDS: dict[Kind, list[Any]] = {
    Kind.START_SETUP: [StartPairSetup()],
    Kind.FINISH_SETUP: [FinishPairSetup(SetupCode("031-45-154"))],
    Kind.VERIFY: [VerifyPairing(PAIRING)],
    Kind.IDENTIFY: [Identify()],
    Kind.SESSION_REQUEST: [
        GetAccessories(),
        Read([(1, 9)]),
        Write([CharacteristicWrite((1, 9), True)]),
        Subscribe([(1, 9)]),
        Unsubscribe([(1, 9)]),
        ListPairings(),
        AddPairing(b"x", b"\x01" * 32),
        RemovePairing(b"x"),
    ],
}
#: An M2 that any controller accepts.
M2 = write_response(200, "application/pairing+tlv8", tlv8.encode([(6, b"\x02"), (3, b"\x02" * 384), (2, b"\x01" * 16)]))


def link_in(state: State) -> Link:
    """A connection in `state`, with silence from the accessory from now on."""
    link = verified() if state is State.SECURED else Link(Connection("192.0.2.7", entropy=entropy), Accessory([M2]))
    if state is State.SETUP_STARTED:
        link.accessory.answers = [None]
        link.do(StartPairSetup())
    elif state in (State.CODE_WANTED, State.SETUP_FINISHING):
        link.do(StartPairSetup())
        if state is State.SETUP_FINISHING:
            link.do(FinishPairSetup(SetupCode("031-45-154")))
    elif state is State.VERIFYING:
        link.accessory.receive = lambda _: b""  # type: ignore[method-assign]
        link.do(VerifyPairing(PAIRING))
    elif state is State.CLOSED:
        link.do(Close())
    assert link.engine.state is state
    link.accessory.receive = lambda _: b""  # type: ignore[method-assign]
    return link


#: What the connection will be once the command in flight is done.
PLANNED = {State.SETUP_STARTED: State.CODE_WANTED, State.SETUP_FINISHING: State.PLAIN, State.VERIFYING: State.SECURED}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", Kind)
def test_every_state_and_command(state: State, kind: Kind) -> None:
    for command in COMMANDS[kind]:
        link = link_in(state)
        before = list(link.outputs)
        if state is State.CLOSED:
            assert type(link.ask(command)) is Disconnected
        elif (PLANNED.get(state, state), kind) in TRANSITIONS:
            number = link.do(command)
            link.do(Close())
            assert type(link.reply(number)) is Disconnected
        else:
            with pytest.raises(LocalProtocolError):
                link.do(command)
            assert link.outputs == before
            assert link.engine.state is state


def test_table_is_closed() -> None:
    resting = {State.PLAIN, State.CODE_WANTED, State.SECURED}
    assert {state for state, _ in TRANSITIONS} == resting
    assert {kind for _, kind in TRANSITIONS} == set(Kind)
    for transition in TRANSITIONS.values():
        assert transition.done in resting
        assert transition.failed in resting
    reached = resting | {one.during for one in TRANSITIONS.values()} | {State.CLOSED}
    assert reached == set(State)


def test_the_code_may_take_its_time() -> None:
    link = link_in(State.CODE_WANTED)
    assert link.engine.next_timeout() is None
    link.engine.handle_timeout(3600.0)
    link.now = 3600.0
    assert link.engine.state is State.CODE_WANTED
    link.accessory.receive = lambda _: answer(204)  # type: ignore[method-assign]
    assert link.ask(Identify()) is None
    link.accessory.receive = lambda _: b""  # type: ignore[method-assign]
    link.do(FinishPairSetup(SetupCode("031-45-154")))
    assert link.engine.state is State.SETUP_FINISHING
    assert link.engine.next_timeout() == 3630.0


def test_a_foreign_command_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        link_in(State.PLAIN).engine.submit(object(), 0.0)  # type: ignore[arg-type]
