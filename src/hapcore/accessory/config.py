"""What the application decides about an accessory server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import field, frozen, validators

from hapcore.setup_code import SetupCode

__all__ = ["ANSWER_DEADLINE", "Config", "ShowCode"]

#: Seconds the application has to answer: controllers give up after 10.
ANSWER_DEADLINE = 9.0

#: Shows a setup code, "031-45-154", or takes it away (None).
ShowCode: TypeAlias = Callable[[str | None], object]


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
    - `answer_deadline`: seconds the application has to answer a read or a write before the controller is told
      -70408; controllers give up after 10 s.
    - `event_interval`: seconds between two event messages on one connection (HAP 9.6).
    """

    name: str = field(validator=validators.min_len(1))
    category: int = field(default=1, validator=validators.ge(0))
    setup_code: SetupCode | None = None
    setup_id: str | None = None
    display: bool | ShowCode = field(default=False, eq=False, repr=lambda one: str(bool(one)))
    max_pairings: int = field(default=16, validator=validators.ge(1))
    max_connections: int = field(default=256, validator=validators.ge(8))
    answer_deadline: float = field(default=ANSWER_DEADLINE, validator=validators.gt(0))
    event_interval: float = field(default=1.0, validator=validators.ge(0))
