"""How long to wait before an accessory is tried again."""

from __future__ import annotations

from typing import Final

from hapcore.entropy import Entropy, draw

__all__ = ["CALLED_REST", "FIRST_REST", "FORGOTTEN_CALLED_REST", "FORGOTTEN_REST", "LONGEST_REST", "STEADY", "Backoff"]

#: Seconds after the first failed attempt; each further one doubles it, and chance takes up to half of it off: after a
#: power cut not all accessories of a house are asked at the same moment.
FIRST_REST: Final = 1.0
#: Seconds at most. Who is away for hours costs one attempt a minute, and is back within that at worst.
LONGEST_REST: Final = 60.0
#: Seconds between attempts at an accessory that does not know us any more: only a person can change that.
FORGOTTEN_REST: Final = 600.0
#: Seconds from one attempt to the next, however often somebody announces the accessory: a neighbour could be lying.
CALLED_REST: Final = 1.0
FORGOTTEN_CALLED_REST: Final = 60.0
#: Seconds that a connection must hold to count as one; who loses it sooner is tried less and less often, too.
STEADY: Final = 10.0


class Backoff:
    """Counts failures. The first attempt after a connection that held is made at once."""

    __slots__ = ("_entropy", "_failures")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._failures = 0

    def lasted(self, seconds: float) -> None:
        """There was a connection for so long."""
        self._failures = 0 if seconds >= STEADY else self._failures + 1

    def failed(self) -> None:
        """There was none."""
        self._failures += 1

    def rest(self) -> float:
        """Seconds until the next attempt."""
        if self._failures == 0:
            return 0.0
        # Beyond the longest rest the exponent does not matter, and must not grow for ever.
        rest = min(FIRST_REST * 2.0 ** min(self._failures - 1, 16), LONGEST_REST)
        return rest * (1 - int.from_bytes(draw(self._entropy, "supervision.jitter", 2), "big") / 0x20000)
