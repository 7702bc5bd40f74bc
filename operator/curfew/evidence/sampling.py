"""Samples that anybody can draw again: by hash, not by chance.

The rank of a grant is SHA-256(seed || newline || id of its `grant.activated` record), in UTF-8; the sample is the grants of
the population with the lowest ranks. With the log's root as the seed, nobody can choose the seed before the log is complete.
"""

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from curfew.evidence.grants import ReviewedGrant

METHOD = "ascending order of SHA-256(seed, a newline, id of the grant.activated record), in UTF-8"
"""How samples are drawn, so that others can draw them again."""


@dataclass(frozen=True, slots=True)
class SampledGrant:
    """One grant that was drawn, and its rank (SHA-256, hex)."""

    rank: str
    grant: ReviewedGrant


def rank(seed: str, grant: ReviewedGrant) -> str:
    """Return a grant's place in the order of the draw."""
    return hashlib.sha256(f"{seed}\n{grant.activated.id}".encode()).hexdigest()


def draw(population: Iterable[ReviewedGrant], *, seed: str, size: int) -> tuple[SampledGrant, ...]:
    """Return `size` grants of a population, or all if there are fewer, in the order of their ranks."""
    ranked = (SampledGrant(rank(seed, grant), grant) for grant in population)
    return tuple(heapq.nsmallest(size, ranked, key=lambda sample: sample.rank))
