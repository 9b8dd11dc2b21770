"""What happened to bytes on their way, in words."""

from __future__ import annotations

from typing import Final

__all__ = ["diagnose"]

#: So many equal bytes are no accident in data without repetitions.
WINDOW: Final = 16
#: How far a small write may have been overtaken.
NEAR: Final = 4096


def diagnose(sent: bytes, got: bytes) -> str | None:
    """Where and how `got` differs from `sent`, or None if it does not. `sent` should not repeat itself."""
    if got == sent:
        return None
    shorter = min(len(sent), len(got))
    at = next((number for number in range(shorter) if sent[number] != got[number]), shorter)
    if at == len(got):
        return f"the last {len(sent) - at} of {len(sent)} bytes did not arrive"
    if at == len(sent):
        return _too_many(sent, got)
    window = got[at : at + WINDOW]
    found = sent.find(window) if len(window) == WINDOW else -1
    if found > at:
        skipped = sent[at : at + min(WINDOW, found - at)]
        if len(skipped) == WINDOW and skipped in got[at:]:
            return f"bytes {found} and following arrived before bytes {at} to {found - 1}"
        return f"{found - at} byte(s) are missing from byte {at} of {len(sent)} on"
    if 0 <= found < at:
        return f"bytes {found} to {at - 1} arrived twice"
    if got[at + 1 : at + 1 + WINDOW] == sent[at + 1 : at + 1 + WINDOW]:
        return f"byte {at} of {len(sent)} was changed from 0x{sent[at]:02X} to 0x{got[at]:02X}"
    if (gap := got.find(sent[at : at + WINDOW], at)) > at:
        if (early := _early(sent[at:], got[at:], gap - at)) is not None:
            return f"bytes {at + early} to {at + early + gap - at - 1} arrived before bytes {at} to {at + early - 1}"
        return f"{gap - at} byte(s) that were not sent stand before byte {at} of {len(sent)}"
    if (gap := sent.find(got[at + 1 : at + 1 + WINDOW], at)) >= 0 and len(got) - at > WINDOW:
        return f"bytes {at} to {gap - 1} were replaced by 0x{got[at]:02X}"
    return f"from byte {at} of {len(sent)} on it is something else: 0x{sent[at]:02X} was sent, 0x{got[at]:02X} came"


def _too_many(sent: bytes, got: bytes) -> str:
    more = got[len(sent) :]
    again = sent.find(more)
    what = f"bytes {again} to {again + len(more) - 1} again" if again >= 0 and sent else "something never sent"
    return f"{len(more)} byte(s) too many arrived after all {len(sent)}: {what}"


def _early(sent: bytes, got: bytes, length: int) -> int | None:
    """Where in `sent` the first `length` bytes of `got` belong, if what follows them is what stands before them."""
    at = sent.find(got[:length], 1)
    while 0 < at <= NEAR:
        after = at + length
        if got[length:after] == sent[:at] and got[after : after + WINDOW] == sent[after : after + WINDOW]:
            return at
        at = sent.find(got[:length], at + 1)
    return None
