"""How late ends were: a histogram that takes little memory however many there were."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

BOUNDS_MS: tuple[int, ...] = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000)
"""The upper bounds of the rows that people see, in milliseconds; a last row has the rest."""

_EXACT = 100  # from here on, two digits are kept


class LatenessHistogram:
    """Counts lateness by the millisecond, from 100 ms on to two digits: so percentiles are right to 10 % at worst."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: Counter[int] = Counter()
        self._latest = timedelta(0)

    def add(self, lateness: timedelta) -> None:
        """Add one end. One that came early counts as on time."""
        lateness = max(lateness, timedelta(0))
        self._latest = max(self._latest, lateness)
        self._counts[_rounded(round(lateness / timedelta(milliseconds=1)))] += 1

    @property
    def total(self) -> int:
        """How many ends were added."""
        return self._counts.total()

    @property
    def latest(self) -> timedelta:
        """The lateness of the latest end, exactly; zero if there is none."""
        return self._latest

    def percentile(self, share: float) -> timedelta:
        """Return the lateness that this share of the ends (0 to 1) did not exceed; zero if there is none."""
        wanted, seen = share * self.total, 0
        for milliseconds in sorted(self._counts):
            seen += self._counts[milliseconds]
            if seen >= wanted:
                return timedelta(milliseconds=milliseconds)
        return timedelta(0)

    def rows(self) -> Sequence[tuple[int | None, int]]:
        """Return how many ends were at most so many milliseconds late and later than the row before; None for the rest."""
        found: Counter[int | None] = Counter()
        for milliseconds, count in self._counts.items():
            found[next((bound for bound in BOUNDS_MS if milliseconds <= bound), None)] += count
        return [(bound, found[bound]) for bound in (*BOUNDS_MS, None)]


def _rounded(milliseconds: int) -> int:
    size = 1
    while milliseconds // size >= _EXACT:
        size *= 10
    return milliseconds // size * size
