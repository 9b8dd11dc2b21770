"""Two histories of what was advertised, compared."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from attrs import field, frozen

from hapcore.ble.advert import RegularAdvert, parse_manufacturer_data

__all__ = ["UNKNOWN", "OnAir", "Timeline", "mismatches", "show"]

#: How far apart the same change may be in both, in seconds.
_SLACK = 0.25
#: A broadcast begins with the regular packet for a moment: nobody has to see that.
_MOMENT = 0.06


@frozen
class OnAir:
    """What was advertised; no data means silence."""

    data: bytes | None = field(repr=False)
    scan_response: bytes = field(default=b"", repr=False)
    interval: float = 0.0


#: Where the recording does not tell.
UNKNOWN = OnAir(b"", b"", -1.0)

Timeline: TypeAlias = list[tuple[float, OnAir]]


def show(state: OnAir) -> str:
    """For people."""
    if state.data is None:
        return "silence"
    found = parse_manufacturer_data(state.data[7:])
    what = state.data.hex()
    if isinstance(found, RegularAdvert):
        flag = "paired" if found.paired else "not paired"
        what = f"regular, {flag}, state number {found.gsn}, configuration {found.config_number}, {state.data.hex()}"
    elif found is not None:
        what = f"encrypted, identifier {found.identifier.hex()}, {found.payload.hex()}"
    return f"{what}, every {state.interval * 1000:g} ms, scan response {state.scan_response.hex() or 'empty'}"


def _settled(timeline: Timeline) -> Timeline:
    """Without moments and repetitions."""
    kept: Timeline = []
    for index, (t, state) in enumerate(timeline):
        following = timeline[index + 1] if index + 1 < len(timeline) else None
        if following is not None and following[0] - t < _MOMENT and state.data and following[1].data:
            continue
        if not kept or kept[-1][1] != state:
            kept.append((t, state))
    return kept


def _at(timeline: Timeline, t: float) -> OnAir | None:
    return next((state for since, state in reversed(timeline) if since <= t), None)


def mismatches(recorded: Timeline, ours: Timeline, end: float) -> list[tuple[float, OnAir, OnAir]]:
    """Where both differ for longer than the slack: (time, recorded, ours). `end` is when the recording ends."""
    one, two = _settled(recorded), _settled(ours)
    if not one or not two:
        return []
    changes = sorted({*(t for t, _ in one), *(t for t, _ in two), end})
    found: list[tuple[float, OnAir, OnAir]] = []
    for start, stop in pairwise(changes):
        if stop - start <= _SLACK:
            continue
        expected, got = _at(one, start), _at(two, start)
        if expected is None or got is None or expected == UNKNOWN or _same(expected, got):
            continue
        found.append((start, expected, got))
    return found


def _same(one: OnAir, two: OnAir) -> bool:
    return (one.data, one.scan_response) == (two.data, two.scan_response) and abs(one.interval - two.interval) < 1e-6
