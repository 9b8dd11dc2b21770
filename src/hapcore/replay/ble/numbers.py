"""State numbers as a recording shows them."""

from __future__ import annotations

from hapcore.ble.accessory.numbering import LAST
from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.replay.ble.script import Advert, Answer, Case, Connect, Read, Script

__all__ = ["after", "before", "first", "following", "told"]

#: The characteristic that is asked for them.
_PROTOCOL_SIGNATURE = 0x11


def after(number: int) -> int:
    """The next one; the last is followed by 1."""
    return number % LAST + 1


def before(number: int) -> int:
    """The one that led to this."""
    return (number - 2) % LAST + 1


def told(answer: Answer | None) -> int | None:
    """The state number in an answer to a request for all parameters, or for information."""
    if answer is None or answer.status or not answer.body:
        return None
    try:
        number = tlv8.first(tlv8.decode_tolerant(answer.body), 1)
    except TlvError:
        return None
    return int.from_bytes(number, "little") if number is not None and len(number) == 2 else None


def first(script: Script, case: Case) -> int | None:
    """The first state number that a case shows."""
    for step in case.steps:
        number: int | None = None
        if isinstance(step, Advert):
            number = step.gsn if step.event is None else before(step.event[0])
        elif isinstance(step, Read):
            attribute = script.attributes.get(step.handle)
            number = told(step.answer) if attribute is not None and attribute.iid == _PROTOCOL_SIGNATURE else None
        if number is not None:
            return number
    return None


def following(script: Script, case: Case, index: int) -> int | None:
    """The state number that is advertised next after that step, if nobody connects before."""
    steps = case.steps[index + 1 :]
    place = script.cases.index(case) + 1
    if place < len(script.cases) and not any(isinstance(step, Advert | Connect) for step in steps):
        steps = script.cases[place].steps
    for step in steps:
        if isinstance(step, Connect):
            return None
        if isinstance(step, Advert) and step.gsn is not None:
            return step.gsn
    return None
