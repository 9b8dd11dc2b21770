"""Chance that repeats itself: numbers and bytes drawn from a seed, for tests only."""

from __future__ import annotations

import hashlib

from hapcore.entropy import Entropy

__all__ = ["Dice", "seeded_bytes", "seeded_entropy"]


def seeded_bytes(seed: str, length: int) -> bytes:
    """`length` bytes that look random, the same for the same seed; no 16 of them occur twice."""
    return hashlib.shake_256(seed.encode()).digest(length)


def seeded_entropy(seed: str = "test") -> Entropy:
    """An entropy source for engines in tests: every run draws the same. Worthless as a secret."""
    draws = 0

    def entropy(label: str, length: int) -> bytes:
        nonlocal draws
        draws += 1
        return seeded_bytes(f"{seed}/{label}/{draws}", length)

    return entropy


class Dice:
    """Numbers drawn from a seed (splitmix64)."""

    def __init__(self, seed: int) -> None:
        self._state = seed * _STEP & _MASK

    def roll(self) -> float:
        """A number from 0 up to, but not including, 1."""
        self._state = state = (self._state + _STEP) & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        return ((state ^ state >> 31) >> 11) / 2**53

    def between(self, low: float, high: float) -> float:
        """A number of this range."""
        return low + (high - low) * self.roll()

    def up_to(self, most: int) -> int:
        """A whole number from 1 to `most`."""
        return 1 + int(self.roll() * most)


_MASK = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15
