"""Two state machines: how a peer stands with its accessory, and how its link is. The tables are the whole truth."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["ADVICE", "LINK", "TRANSITIONS", "Kind", "Level", "Link", "Moment", "State", "Transition"]


class State(Enum):
    """How a peer stands with its accessory."""

    UNPAIRED = "unpaired"
    SETUP_STARTED = "setup started"
    CODE_WANTED = "setup code wanted"
    SETUP_FINISHING = "setup finishing"
    PAIRED = "paired"
    CLOSED = "closed"


class Kind(Enum):
    """What a command is to the table."""

    START_SETUP = "start pair-setup"
    FINISH_SETUP = "finish pair-setup"
    VERIFY = "pair-verify"
    IDENTIFY = "identify"
    SESSION_REQUEST = "session request"


class Level(Enum):
    """What a command needs of the link."""

    NONE = "nothing"
    CLEAR = "a link"
    SECURED = "a session"
    DATABASE = "a session, and the database"


class Transition(NamedTuple):
    """The state while the command runs, after it is done, and after it failed."""

    during: State
    done: State
    failed: State


#: (state between commands, kind) -> transition. What is not here is the caller's mistake, except in `CLOSED`: the
#: caller cannot have known, so there the command is accepted and fails as `Disconnected`. `Close` is always allowed.
TRANSITIONS: Final[Mapping[tuple[State, Kind], Transition]] = MappingProxyType(
    {
        (State.UNPAIRED, Kind.START_SETUP): Transition(State.SETUP_STARTED, State.CODE_WANTED, State.UNPAIRED),
        (State.UNPAIRED, Kind.IDENTIFY): Transition(State.UNPAIRED, State.UNPAIRED, State.UNPAIRED),
        (State.UNPAIRED, Kind.VERIFY): Transition(State.PAIRED, State.PAIRED, State.UNPAIRED),
        (State.CODE_WANTED, Kind.START_SETUP): Transition(State.SETUP_STARTED, State.CODE_WANTED, State.UNPAIRED),
        (State.CODE_WANTED, Kind.FINISH_SETUP): Transition(State.SETUP_FINISHING, State.PAIRED, State.UNPAIRED),
        (State.CODE_WANTED, Kind.IDENTIFY): Transition(State.CODE_WANTED, State.CODE_WANTED, State.CODE_WANTED),
        (State.PAIRED, Kind.VERIFY): Transition(State.PAIRED, State.PAIRED, State.PAIRED),
        (State.PAIRED, Kind.IDENTIFY): Transition(State.PAIRED, State.PAIRED, State.PAIRED),
        (State.PAIRED, Kind.SESSION_REQUEST): Transition(State.PAIRED, State.PAIRED, State.PAIRED),
    }
)

#: What to tell a caller who asked for something in the wrong state.
ADVICE: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.START_SETUP: "pair-setup is for accessories that are not paired yet",
        Kind.FINISH_SETUP: "start pair-setup first",
        Kind.VERIFY: "finish pair-setup first",
        Kind.IDENTIFY: "identify needs an accessory",
        Kind.SESSION_REQUEST: "pair the accessory first",
    }
)


class Link(Enum):
    """How the link is (HAP-BLE A.8.1)."""

    IDLE = "idle"
    SEEKING = "waiting for an advertisement"
    WAITING = "waiting before the next attempt"
    CONNECTING = "connecting"
    CLEAR = "linked"
    SECURED = "secured"
    CLOSING = "closing"


class Moment(Enum):
    """What happens to a link."""

    WANTED = "somebody wants something"
    HEARD = "its advertisement was heard"
    OPENED = "the link is up"
    VERIFIED = "the session is secured"
    FAILED = "an attempt failed, another follows"
    PAUSED = "the pause is over"
    DROPPED = "we drop it"
    LOST = "it is gone"
    GIVEN_UP = "nobody wants it any more, or it cannot be had"


#: (link, moment) -> link. A moment that is not here does not concern a link in that state.
LINK: Final[Mapping[tuple[Link, Moment], Link]] = MappingProxyType(
    {
        (Link.IDLE, Moment.WANTED): Link.SEEKING,
        (Link.SEEKING, Moment.HEARD): Link.CONNECTING,
        (Link.SEEKING, Moment.GIVEN_UP): Link.IDLE,
        (Link.WAITING, Moment.PAUSED): Link.SEEKING,
        (Link.WAITING, Moment.GIVEN_UP): Link.IDLE,
        (Link.CONNECTING, Moment.OPENED): Link.CLEAR,
        (Link.CONNECTING, Moment.DROPPED): Link.CLOSING,
        (Link.CONNECTING, Moment.LOST): Link.IDLE,
        (Link.CLEAR, Moment.VERIFIED): Link.SECURED,
        (Link.CLEAR, Moment.DROPPED): Link.CLOSING,
        (Link.CLEAR, Moment.LOST): Link.IDLE,
        (Link.SECURED, Moment.DROPPED): Link.CLOSING,
        (Link.SECURED, Moment.LOST): Link.IDLE,
        (Link.CLOSING, Moment.LOST): Link.IDLE,
        (Link.IDLE, Moment.FAILED): Link.WAITING,
    }
)
