"""The result of judging a history."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.lateness import LatenessHistogram
from curfew.evidence.history.terms import HistorySources

MOST_LISTED: Final = 1_000
"""Most breaches of a promise that are listed; the others are counted."""


@dataclass
class HistoryJudgement:
    """What a history shows of each promise, with the first breaches of each."""

    sources: HistorySources
    breaches: dict[JudgedPromise, list[Breach]] = field(default_factory=lambda: {one: [] for one in JudgedPromise})
    unclear: dict[JudgedPromise, list[Breach]] = field(default_factory=lambda: {one: [] for one in JudgedPromise})
    counts: Counter[tuple[JudgedPromise, bool]] = field(default_factory=Counter)  # by promise and certainty
    lateness: LatenessHistogram = field(default_factory=LatenessHistogram)
    requests: int = 0  # with a record in the trail
    bindings: int = 0  # that a call or the watch showed
    records: int = 0  # about requests

    def add(self, breach: Breach) -> None:
        """Take a breach, or something that cannot be told."""
        self.counts[breach.promise, breach.is_certain] += 1
        listed = (self.breaches if breach.is_certain else self.unclear)[breach.promise]
        if len(listed) < MOST_LISTED:
            listed.append(breach)

    @property
    def holds(self) -> bool:
        """Whether no promise was broken, as far as the sources show it."""
        return not any(count for (_, is_certain), count in self.counts.items() if is_certain)

    def number(self, promise: JudgedPromise, *, is_certain: bool = True) -> int:
        """Return how often a promise was broken, or how often that cannot be told."""
        return self.counts[promise, is_certain]
