"""Draws: the only source of chance of the sample, exact on every machine.

Belongs here: the pseudo-random stream and the ways to draw from it, in whole-number arithmetic.
Does not belong here: what is drawn. `random` is not used because Python promises the same values
across versions for `random()` alone, and floating-point logarithms differ between C libraries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Draw:
    """A stream of draws (SplitMix64) that depends on its labels only.

    Streams with different labels are independent, so a change in one part of the world does not
    reshuffle the others.
    """

    def __init__(self, *labels: object) -> None:
        text = "/".join(str(label) for label in labels)
        self._state = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1."""
        return (self._next() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.below(high - low + 1)

    def skewed(self, low: int, high: int) -> int:
        """A whole number from low to high, mostly near low: waits and reply times look so."""
        share = self.below(1 << 20)
        return low + (((high - low) * share * share * share) >> 60)

    def chance(self, per_mille: int) -> bool:
        """True in `per_mille` of 1,000 draws."""
        return self.below(1000) < per_mille

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[self.below(len(choices))]

    def weighted(self, choices: Sequence[tuple[T, int]]) -> T:
        """One of the choices, as likely as its weight."""
        left = self.below(sum(weight for _, weight in choices))
        for value, weight in choices:
            left -= weight
            if left < 0:
                return value
        raise ValueError("no choice has a weight")

    def hex(self, digits: int) -> str:
        """`digits` hexadecimal digits."""
        text = ""
        while len(text) < digits:
            text += f"{self._next():016x}"
        return text[:digits]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a drawn order."""
        deck = list(items)
        for last in range(len(deck) - 1, 0, -1):
            other = self.below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck
