"""What a check does with the two ends of a connection; an adapter's `testing` module carries it out.

A check is a generator. It yields one step after the other: lines of actions, to be carried out side by side, those of
one line one after the other. When all are over, or the time limit is, the adapter resumes it, and the actions say what
came of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

from attrs import frozen

__all__ = ["Action", "Check", "Close", "Line", "Receive", "Script", "Send", "TransportFault"]


class TransportFault(AssertionError):
    """A transport does not do what is asked of it. `check` names the check that it failed."""

    def __init__(self, check: str, finding: str, rule: str) -> None:
        super().__init__(f"{check}: {finding}. The rule: {rule}")
        self.check = check


class Action:
    """Something to be done at one end, 0 or 1. `over` when it is done, `error` is what it raised."""

    __slots__ = ("end", "error", "over")

    def __init__(self, end: int) -> None:
        self.end = end
        self.over = False
        self.error: Exception | None = None

    def failed(self, error: Exception) -> None:
        """The transport raised this."""
        self.error = error
        self.over = True


class Send(Action):
    """Write these pieces, one after the other."""

    __slots__ = ("pieces",)

    def __init__(self, end: int, *pieces: bytes) -> None:
        super().__init__(end)
        self.pieces = pieces


class Receive(Action):
    """Read `amount` bytes, or up to the end if that is None, at most `most` at a time (0: as the adapter does).

    Until it is `over`: read, and hand what came to `take()`. `wanted` says how many bytes to ask for.
    """

    __slots__ = ("amount", "data", "ended", "fault", "most")

    def __init__(self, end: int, amount: int | None, most: int = 0) -> None:
        super().__init__(end)
        self.amount = amount
        self.most = most
        self.data = bytearray()
        self.ended = False
        #: What is wrong with what the transport returned.
        self.fault: str | None = None

    @property
    def wanted(self) -> int:
        """How many bytes to ask for; 0: as many as the adapter asks for."""
        if self.most and self.amount is not None:
            return min(self.most, self.amount - len(self.data))
        return self.most

    def take(self, data: object) -> None:
        """What a read returned."""
        if not isinstance(data, (bytes, bytearray)):
            self.fault = f"reading returned {type(data).__name__}, not bytes"
            self.over = True
            return
        if self.most and len(data) > self.wanted:
            self.fault = f"reading returned {len(data)} bytes where {self.wanted} were asked for"
        self.data += data
        self.ended = not data
        self.over = self.ended or (self.amount is not None and len(self.data) >= self.amount)


class Close(Action):
    """Close this end."""

    __slots__ = ()


#: Actions one after the other.
Line: TypeAlias = tuple[Action, ...]
#: Steps, each some lines side by side.
Script: TypeAlias = Generator[tuple[Line, ...], None, None]


@frozen
class Check:
    """One property that a transport must have. `script(here, there)` gets the numbers of the two ends."""

    name: str
    rule: str
    script: Callable[[int, int], Script]

    def fault(self, finding: str) -> TransportFault:
        """The error to raise."""
        return TransportFault(self.name, finding, self.rule)
