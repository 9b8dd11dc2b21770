"""What the application decides about an accessory server."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import TypeAlias

from attrs import converters, field, frozen, validators

from hapcore.setup_code import SetupCode, check_setup_id

__all__ = ["ANSWER_DEADLINE", "IDLE_SECONDS", "MAX_CONNECTIONS", "Config", "ShowCode", "WhenFull"]

#: Seconds the application has to answer: controllers give up after 10.
ANSWER_DEADLINE = 9.0
#: Far more than a home has controllers: what a cap is for is those that never go. Apple's accessory code has 17.
MAX_CONNECTIONS = 256
#: A controller that is there says something more often than this, or comes back when it has to.
IDLE_SECONDS: float | None = 60.0

#: Shows a setup code, "031-45-154", or takes it away (None).
ShowCode: TypeAlias = Callable[[str | None], object]


class WhenFull(StrEnum):
    """What becomes of a new connection when all are in use and none has been idle long enough (HAP 8.1)."""

    #: It is closed at once: the controller knows, and tries again.
    REFUSE = "refuse"
    #: It is accepted and gets no answer until another one goes or has been idle long enough, as with Apple's own
    #: accessory code.
    WAIT = "wait"


@frozen(kw_only=True)
class Config:
    """Settings of an accessory server; the defaults suit an ordinary product.

    - `name`: how the accessory announces itself, 1 to 63 bytes of UTF-8 (HAP 11.3).
    - `category`: the category a phone shows before pairing (HAP 11.4).
    - `setup_code`, `setup_id`: None draws them once and keeps them in the state.
    - `display`: the accessory can show a code: a fresh one is drawn for each attempt to pair, told with
      `ShowSetupCode`, and no other is good (HAP 2.1). True, or the function that adapters have show it.
    - `max_pairings`: how many controllers can be paired, at least 16 (HAP 6).
    - `max_connections`: TCP connections at a time; an accessory must serve at least 8 (HAP 8.1).
    - `idle_seconds`: when all connections are in use, the one that has been silent longest makes room for a new one if
      that is more seconds than this. None: no controller that has proved who it is has to. Nobody is closed for being
      idle before that (HAP 8.1).
    - `when_full`: what becomes of a new connection if none makes room.
    - `answer_deadline`: seconds the application has to answer a read or a write before the controller is told
      -70408; controllers give up after 10 s.
    - `event_interval`: seconds between two event messages on one connection (HAP 9.6).
    """

    name: str = field(validator=validators.min_len(1))
    category: int = field(default=1, validator=validators.ge(0))
    setup_code: SetupCode | None = None
    setup_id: str | None = field(default=None, converter=converters.optional(check_setup_id))
    display: bool | ShowCode = field(default=False, eq=False, repr=lambda one: str(bool(one)))
    max_pairings: int = field(default=16, validator=validators.ge(1))
    max_connections: int = field(default=MAX_CONNECTIONS, validator=validators.ge(8))
    idle_seconds: float | None = field(default=IDLE_SECONDS, validator=validators.optional(validators.gt(0.0)))
    when_full: WhenFull = field(default=WhenFull.REFUSE, converter=WhenFull)
    # Not without end: timers of event loops cannot be set to that, and a controller has given up long before.
    answer_deadline: float = field(default=ANSWER_DEADLINE, validator=[validators.gt(0), validators.lt(inf)])
    event_interval: float = field(default=1.0, validator=[validators.ge(0), validators.lt(inf)])
