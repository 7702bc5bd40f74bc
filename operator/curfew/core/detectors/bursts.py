"""Many different things within a short time: the window around each new one, also if records come in another order."""

from bisect import bisect_left, insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from curfew.audit.record import Story
from curfew.core.detectors.alert import Evidence, Seen
from curfew.core.remembered import Remembered

W = TypeVar("W", bound=Hashable)

MOST_IN_A_BURST: Final = 500
"""How many things of one burst are remembered. The oldest are forgotten, so no limit may be higher."""

MOST_EVIDENCE: Final = 50
"""How many records an alert names."""


@dataclass(frozen=True, slots=True, order=True)
class OneOfMany(Generic[W]):
    """A thing that was counted, and when."""

    at: datetime
    number: int  # the order of arrival: it decides between things of one instant
    what: W = field(compare=False)
    weight: int = field(compare=False)
    seen: Seen = field(compare=False)


class Burst(Generic[W]):
    """The things of one person. Each counts once: its last time counts."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._ordered: list[OneOfMany[W]] = []  # by time
        self._by_what: dict[W, OneOfMany[W]] = {}
        self._number = 0

    def add(self, seen: Seen, at: datetime, what: W, within: timedelta, *, weight: int = 1) -> Sequence[OneOfMany[W]]:
        """Add a thing, and return the heaviest window of a length of time that holds it, in the order of time."""
        known = self._by_what.get(what)
        if known is not None and known.at >= at:
            return ()
        if known is not None:
            self._remove(known)
        self._number += 1
        one = OneOfMany(at, self._number, what, weight, seen)
        insort(self._ordered, one)
        self._by_what[what] = one
        self._forget(within)
        return self._heaviest(one, within)

    def __len__(self) -> int:
        """Return how many things are remembered."""
        return len(self._ordered)

    def _remove(self, one: OneOfMany[W]) -> None:
        del self._ordered[bisect_left(self._ordered, one)], self._by_what[one.what]

    def _forget(self, within: timedelta) -> None:
        """Forget what can be in no window with anything that is to come: a log's records are seldom that late."""
        newest = self._ordered[-1].at
        while len(self._ordered) > MOST_IN_A_BURST or newest - self._ordered[0].at > 2 * within:
            self._remove(self._ordered[0])

    def _heaviest(self, one: OneOfMany[W], within: timedelta) -> Sequence[OneOfMany[W]]:
        if one is self._ordered[-1]:  # nearly always: then the longest window that ends with it is the heaviest
            return self._ordered[bisect_left(self._ordered, one.at - within, key=lambda each: each.at) :]
        best: tuple[int, int, int] = (0, 0, 0)  # weight, and the places where it begins and ends
        end, weight = 0, 0
        for begin, first in enumerate(self._ordered):
            if first.at > one.at:
                break
            while end < len(self._ordered) and self._ordered[end].at - first.at <= within:
                weight += self._ordered[end].weight
                end += 1
            if one.at - first.at <= within and weight > best[0]:
                best = weight, begin, end
            weight -= first.weight
        return self._ordered[best[1] : best[2]]


class Bursts(Generic[W]):
    """A burst for each key, such as a person; the key that was counted longest ago is forgotten first."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._bursts: Remembered[str, Burst[W]] = Remembered()

    def add(
        self, key: str, seen: Seen, at: datetime, what: W, within: timedelta, *, weight: int = 1
    ) -> Sequence[OneOfMany[W]]:
        """Add a thing of a key, and return the heaviest window that holds it, as `Burst.add` does."""
        burst = self._bursts[key] = self._bursts.get(key) or Burst()
        return burst.add(seen, at, what, within, weight=weight)


def total(window: Sequence[OneOfMany[W]]) -> int:
    """Return how much a window weighs."""
    return sum(one.weight for one in window)


def only_story(window: Sequence[OneOfMany[W]], story: Story) -> Story | None:
    """Return a story if all that was counted belongs to it; else None."""
    return story if all(one.seen.record.subject == story.uid for one in window) else None


def evidence(window: Sequence[OneOfMany[W]]) -> tuple[Evidence, ...]:
    """Return the places of what was counted, the last ones if there are too many."""
    return tuple(Evidence.of(one.seen) for one in window[-MOST_EVIDENCE:])
