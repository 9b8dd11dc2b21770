"""What HAP needs of a byte stream, as checks: everything that was sent, once, in order, soon, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from hapcore.testing.chance import seeded_bytes
from hapcore.testing.diagnosis import diagnose
from hapcore.testing.rehearsal import SessionFailed, rehearse
from hapcore.testing.steps import Action, Check, Close, Line, Receive, Script, Send

__all__ = ["CHECKS", "OWN_CLOSE", "Examiner"]

#: More than sockets and pipes hold, so that writers have to wait for readers.
MUCH: Final = 256 * 1024
#: One write of many frames, as the answer to a request for the whole database.
WRITE: Final = 16 * 1024
#: Bytes in which something else may see a meaning: line ends, flow control, escape characters, both halves of a byte.
AWKWARD: Final = bytes(number * 151 % 256 for number in range(256)) + b"\r\n\n\r\x00\xff\xff\x11\x13\x1a\x04~.\n" * 8


def _pieces(data: bytes, *sizes: int) -> list[bytes]:
    """Cut into pieces of these sizes, over and over."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[at : at + size])
        at += size
    return pieces


def _greet(here: int, there: int) -> Script:
    """A byte each way: handshakes of the transport's own are over then, and nothing lies unread."""
    yield (Send(here, b"?"), Receive(here, 1)), (Receive(there, 1), Send(there, b"!"))


def _nothing_more(here: int, there: int) -> Script:
    """The greeting is all."""
    del here, there
    yield ()


def _bytes(here: int, there: int) -> Script:
    yield (Send(here, AWKWARD),), (Receive(there, len(AWKWARD)),)


def _much(here: int, there: int) -> Script:
    data = seeded_bytes("much", MUCH)
    yield (Send(here, *_pieces(data, 1, 1042, WRITE, 5, 100_000)),), (Receive(there, MUCH),)


def _order(here: int, there: int) -> Script:
    data = seeded_bytes("order", 4000)
    yield (Send(here, *_pieces(data, 7, 30, 1, 150, 2)),), (Receive(there, len(data)),)


def _sizes(here: int, there: int) -> Script:
    for most in (1, 7, 1024):
        data = seeded_bytes(f"sizes {most}", 40 * most)
        yield (Send(here, data),), (Receive(there, len(data), most),)


def _soon(here: int, there: int) -> Script:
    for turn in range(20):
        question, answer = seeded_bytes(f"question {turn}", 1 + 60 * turn), seeded_bytes(f"answer {turn}", 130)
        yield (Send(here, question), Receive(here, 130)), (Receive(there, len(question)), Send(there, answer))


def _both_ways(here: int, there: int) -> Script:
    one, other = seeded_bytes("one way", MUCH), seeded_bytes("other way", MUCH)
    yield (
        (Send(here, *_pieces(one, WRITE)),),
        (Send(there, *_pieces(other, WRITE)),),
        (Receive(here, MUCH),),
        (Receive(there, MUCH),),
    )


def _waiting(here: int, there: int) -> Script:
    event = seeded_bytes("event", 300)
    yield (Receive(here, 300),), (Send(here, b"request"),), (Receive(there, 7), Send(there, event))


def _last_words(here: int, there: int) -> Script:
    data = seeded_bytes("last words", 50_000)
    yield (Send(here, data), Close(here)), (Receive(there, None),)
    yield ((Receive(there, 1),),)


def _end(here: int, there: int) -> Script:
    yield (Receive(there, None),), (Close(here),)


def _gone(here: int, there: int) -> Script:
    yield ((Close(here),),)
    yield ((Receive(there, None),),)
    yield ((Send(there, *_pieces(seeded_bytes("gone", MUCH), WRITE)),),)


def _twice(here: int, there: int) -> Script:
    yield (Close(here), Close(here)), (Close(there), Close(there))


def _own_close(here: int, there: int) -> Script:
    del there
    yield (Receive(here, None),), (Close(here),)


_LOSSY = "every byte arrives, unchanged, once and in order"
_EACH = (
    ("hello", "both ends can write and read, and what was written leaves without waiting for more", _nothing_more),
    ("bytes", f"{_LOSSY}; none of them means anything to the transport", _bytes),
    ("order", f"{_LOSSY}, whatever the writes and reads; they may be split and merged", _order),
    ("much", f"{_LOSSY}, also where a write is longer than any buffer; a write that returns has taken all", _much),
    ("sizes", "a read returns at least one byte, and never more than it was asked for", _sizes),
    ("soon", "what was written leaves without waiting for more", _soon),
    ("waiting", "an end can write while it waits to read: events come at any time", _waiting),
    ("both ways", "both ends can write more than any buffer holds, at the same time", _both_ways),
    (
        "last words",
        "closing sends what was written before, then the end; after the end nothing more comes",
        _last_words,
    ),
    ("end", "a reader that waits is told when the other end closes", _end),
    ("gone", "writing to an end that is closed raises an exception of the usual kind, or the bytes vanish", _gone),
    ("twice", "closing what is closed does no harm", _twice),
    ("session", "a controller pairs with a bridge over it, reads its database, writes, and gets an event", rehearse),
)


def _check(name: str, rule: str, script: Callable[[int, int], Script]) -> Check:
    def greeted(here: int, there: int) -> Script:
        yield from _greet(here, there)
        yield from script(here, there)

    return Check(name, rule, greeted)


#: For every adapter, in the order in which a fault is best explained.
CHECKS: Final = tuple(_check(*one) for one in _EACH)
#: For adapters that close a transport while a task of theirs reads from it.
OWN_CLOSE: Final = _check("own close", "closing an end wakes whoever waits to read from it", _own_close)


class Examiner(Iterator[tuple[Line, ...]]):
    """Runs one check in one direction: iterate over the steps, carry each out, and it judges what came of it.

    `lost` are the exceptions that the adapter takes for a lost connection. Iterating raises `TransportFault`.
    """

    def __init__(self, check: Check, here: int, there: int, lost: tuple[type[Exception], ...]) -> None:
        self._check = check
        self._lost = lost
        self._script = check.script(here, there)
        self._lines: tuple[Line, ...] = ()
        self._closed: set[int] = set()
        #: What each end has sent that the other has not received yet.
        self._sent = {here: b"", there: b""}

    def __next__(self) -> tuple[Line, ...]:
        self._judge([action for line in self._lines for action in line])
        try:
            self._lines = next(self._script)
        except SessionFailed as error:
            raise self._check.fault(str(error)) from None
        return self._lines

    def _judge(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Close):
                self._closed.add(action.end)
            elif isinstance(action, Send):
                self._sent[action.end] += b"".join(action.pieces)
        receiving = [action for action in actions if isinstance(action, Receive)]
        # What came explains more than who still waits for the rest: look at that first.
        findings = [self._received(one) for one in receiving] + [self._carried_out(one) for one in actions]
        finding = next((one for one in findings if one is not None), None)
        if finding is not None:
            raise self._check.fault(finding)

    def _received(self, action: Receive) -> str | None:
        """What is wrong with the bytes, however many they are."""
        if action.fault is not None:
            return action.fault
        if action.end in self._closed:
            return None
        sender = 1 - action.end
        expected = self._sent[sender][: action.amount]
        self._sent[sender] = self._sent[sender][len(expected) :]
        if expected.startswith(action.data) and len(action.data) < len(expected):
            end = "the end was reported" if action.over else "nothing more came"
            why = f" ({action.error!r})" if action.error is not None else ""
            return f"{end} after {len(action.data)} of {len(expected)} bytes{why}"
        return diagnose(expected, bytes(action.data))

    def _carried_out(self, action: Action) -> str | None:
        """What is wrong with the call itself."""
        doing = "writing" if isinstance(action, Send) else "closing" if isinstance(action, Close) else "reading"
        error = action.error
        if error is not None:
            ended = bool(self._closed) and not isinstance(action, Close)
            if ended and isinstance(error, self._lost):
                return None
            kinds = " or ".join(kind.__name__ for kind in self._lost)
            wanted = f", where {kinds} is what a lost connection raises" if ended else ""
            return f"{doing} raised {error!r}{wanted}"
        if action.over:
            return None
        if isinstance(action, Receive) and self._closed:
            return "a reader still waits although the connection was closed"
        return f"{doing} did not come to its end"
