"""The ids of all records of a log, packed, to find out whether one thing is recorded twice."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curfew.audit.segment_summary import SegmentSummary

_AT_ONCE = 2**17  # ids that are compared together, which takes a hundred bytes for each
_PARTS = 16  # the most parts made in one pass through all ids, which takes eight bytes for each


@dataclass(frozen=True, slots=True)
class Repeat:
    """A record of the same thing as an earlier record, and the segment that holds it."""

    name: str
    index: int
    earlier: int


class SeenIds:
    """All ids seen so far: sixteen bytes for a record, and some more for a segment."""

    def __init__(self) -> None:
        """Start without any ids."""
        self._heads = array("Q")  # the first half of each id, as a number
        self._tails = array("Q")  # and the second half
        self._names: list[str] = []  # the names of the segments
        self._places = array("Q")  # for each segment, the position of its first record among the ids
        self._firsts = array("Q")  # and in the log, which may have gaps

    def add(self, summary: SegmentSummary) -> None:
        """Add the ids of a segment."""
        self._names.append(summary.link.name)
        self._places.append(len(self._heads))
        self._firsts.append(summary.link.first)
        halves = array("Q", summary.ids)
        self._heads += halves[::2]
        self._tails += halves[1::2]

    def repeats(self) -> Iterator[Repeat]:
        """Yield each record that has the id of an earlier one, in order."""
        # Half of an id distinguishes nearly all of them; the whole id is compared only if the halves are equal.
        doubted: set[int] = set()
        for part in self._parted():
            if len(set(part)) < len(part):
                doubted.update(head for head, times in Counter(part).items() if times > 1)
        first: dict[tuple[int, int], int] = {}
        for place in (place for place, head in enumerate(self._heads) if doubted and head in doubted):
            earlier = first.setdefault((self._heads[place], self._tails[place]), place)
            if earlier != place:
                segment, index = self._where(place)
                yield Repeat(self._names[segment], index, self._where(earlier)[1])

    def _parted(self) -> Iterator[Sequence[int]]:
        """Yield the heads in parts of about `_AT_ONCE`, so that equal ones are in the same part."""
        goes = 1 + len(self._heads) // (_PARTS * _AT_ONCE)
        for go in range(goes):
            parts = [array("Q") for _ in range(1 + len(self._heads) // (goes * _AT_ONCE))]
            put = [part.append for part in parts]
            for head in self._heads:
                if head % goes == go:
                    put[head // goes % len(put)](head)
            yield from parts

    def _where(self, place: int) -> tuple[int, int]:
        """Return which segment a record was in, and its index in the log."""
        segment = bisect_right(self._places, place) - 1
        return segment, self._firsts[segment] + place - self._places[segment]
