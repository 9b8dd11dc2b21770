"""The states of a connection, and what may be asked in which. The table is the whole truth: the engine has no other."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["ADVICE", "TRANSITIONS", "Kind", "State", "Transition"]


class State(Enum):
    """Where a connection stands."""

    PLAIN = "plain"
    SETUP_STARTED = "setup started"
    CODE_WANTED = "setup code wanted"
    SETUP_FINISHING = "setup finishing"
    VERIFYING = "verifying"
    SECURED = "secured"
    CLOSED = "closed"


class Kind(Enum):
    """What a command is to the table."""

    START_SETUP = "start pair-setup"
    FINISH_SETUP = "finish pair-setup"
    VERIFY = "pair-verify"
    IDENTIFY = "identify"
    SESSION_REQUEST = "session request"


class Transition(NamedTuple):
    """The state while the command runs, after it is done, and after it failed with the connection still alive."""

    during: State
    done: State
    failed: State


#: (state between commands, kind) -> transition. What is not here is the caller's mistake, except in `CLOSED`: the
#: caller cannot have known, so there the command is accepted and fails as `Disconnected`. `Close` is always allowed.
TRANSITIONS: Final[Mapping[tuple[State, Kind], Transition]] = MappingProxyType(
    {
        (State.PLAIN, Kind.START_SETUP): Transition(State.SETUP_STARTED, State.CODE_WANTED, State.PLAIN),
        (State.PLAIN, Kind.VERIFY): Transition(State.VERIFYING, State.SECURED, State.PLAIN),
        (State.PLAIN, Kind.IDENTIFY): Transition(State.PLAIN, State.PLAIN, State.PLAIN),
        # Asking for the code takes a person minutes: starting again and blinking must be possible meanwhile.
        (State.CODE_WANTED, Kind.START_SETUP): Transition(State.SETUP_STARTED, State.CODE_WANTED, State.PLAIN),
        (State.CODE_WANTED, Kind.FINISH_SETUP): Transition(State.SETUP_FINISHING, State.PLAIN, State.PLAIN),
        (State.CODE_WANTED, Kind.IDENTIFY): Transition(State.CODE_WANTED, State.CODE_WANTED, State.CODE_WANTED),
        (State.SECURED, Kind.IDENTIFY): Transition(State.SECURED, State.SECURED, State.SECURED),
        (State.SECURED, Kind.SESSION_REQUEST): Transition(State.SECURED, State.SECURED, State.SECURED),
    }
)

#: What to tell a caller who asked for something in the wrong state.
ADVICE: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.START_SETUP: "pair-setup needs a connection without a session",
        Kind.FINISH_SETUP: "start pair-setup first",
        Kind.VERIFY: "pair-verify needs a connection without a session and without an unfinished pair-setup",
        Kind.IDENTIFY: "identify needs an open connection",
        Kind.SESSION_REQUEST: "verify the pairing first",
    }
)
