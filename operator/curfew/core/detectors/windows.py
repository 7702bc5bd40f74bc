"""What was seen lately of each key. Bounded, whatever the records hold."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from curfew.core.remembered import MOST_KEYS, Remembered

K = TypeVar("K")
V = TypeVar("V")


@dataclass(order=True, frozen=True, slots=True)
class Moment(Generic[V]):
    """Something that was seen, and when."""

    at: datetime
    number: int  # in the order of arrival
    what: V = field(compare=False)


class Lately(Generic[K, V]):
    """What was seen of each key in a length of time. Things may arrive out of order.

    Of one key, at most `most_each` things are kept, the newest; of keys, at most `most`.
    """

    def __init__(self, within: timedelta, *, most: int = MOST_KEYS, most_each: int = 1000) -> None:
        """Remember what happens `within` a length of time, both ends included."""
        self._within = within
        self._most_each = most_each
        self._seen: Remembered[K, list[Moment[V]]] = Remembered(most)
        self._number = 0

    @property
    def forgotten(self) -> int:
        """How many keys had to go."""
        return self._seen.forgotten

    def __len__(self) -> int:
        """Return how many keys are known."""
        return len(self._seen)

    def add(self, key: K, at: datetime, what: V, *, within: timedelta | None = None) -> Sequence[V]:
        """Add something, and return what was seen in the fullest stretch of time that holds it, itself included.

        `within` is the length of the stretch if it is another (shorter) one than usual.
        """
        length = self._within if within is None else within
        seen = self._seen.get(key)
        seen = seen if seen is not None else []
        self._number += 1
        insort(seen, Moment(at, self._number, what))
        del seen[: max(bisect_left(seen, seen[-1].at - 2 * self._within, key=_at), len(seen) - self._most_each)]
        self._seen[key] = seen
        first = bisect_left(seen, at - length, key=_at)
        if at >= seen[-1].at:  # the usual case: it is the newest
            return [one.what for one in seen[first:]]
        stretches = ((begin, bisect_right(seen, seen[begin].at + length, key=_at)) for begin in range(first, len(seen)))
        holding = [(end - begin, -begin) for begin, end in stretches if seen[begin].at <= at]
        if not holding:  # it was too old to be kept
            return (what,)
        count, begin = max(holding)
        return [one.what for one in seen[-begin : -begin + count]]

    def of(self, key: K, since: datetime, until: datetime) -> Sequence[V]:
        """Return what was seen of a key in a stretch of time, both ends included."""
        seen = self._seen.get(key) or []
        return [one.what for one in seen[bisect_left(seen, since, key=_at) : bisect_right(seen, until, key=_at)]]

    def forget(self, key: K) -> None:
        """Forget all that was seen of a key."""
        self._seen.pop(key)


def _at(moment: Moment[V]) -> datetime:
    return moment.at
