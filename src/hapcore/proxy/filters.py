"""Functions of the user's own that alter values on their way through the proxy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen

from hapcore.ids import Caller, Value

__all__ = ["Filters", "ToAccessory", "ToController"]

#: (aid, iid, value, caller): the value to write instead.
ToAccessory: TypeAlias = Callable[[int, int, Value, Caller], Awaitable[Value] | Value]
#: (aid, iid, value): the value to show instead.
ToController: TypeAlias = Callable[[int, int, Value], Awaitable[Value] | Value]


@frozen
class Filters:
    """What may alter values; None leaves them alone.

    `to_accessory` is asked about each value that a controller writes. `to_controller` is asked about each value that a
    controller is told: read, in an event, or in a write-response. Both may be coroutine functions, may return the value
    they got, and may raise `HapStatusError` to refuse: the controller gets that status, and an event is kept back.
    """

    to_accessory: ToAccessory | None = None
    to_controller: ToController | None = None
