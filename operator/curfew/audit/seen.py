"""The ids of all records of a log, packed, to tell whether one thing is recorded twice."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from curfew.audit.gist import ID_BYTES, Gist

_AT_ONCE = 2**18  # ids that are looked at together, which takes a hundred bytes for each


@dataclass(frozen=True, slots=True)
class Repeat:
    """A record that tells of the same thing as an earlier one, and the segment that holds it."""

    name: str
    index: int
    earlier: int


class Seen:
    """Takes sixteen bytes for a record and some more for a segment."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._ids = bytearray()
        self._names: list[str] = []  # of the segments
        self._places = array("Q")  # of each segment's first record among the ids
        self._firsts = array("Q")  # and in the log, where some may be missing

    def add(self, gist: Gist) -> None:
        """Take in a segment."""
        self._names.append(gist.link.name)
        self._places.append(len(self._ids) // ID_BYTES)
        self._firsts.append(gist.link.first)
        self._ids += gist.ids

    def repeats(self) -> Iterator[Repeat]:
        """Yield each record that has the id of an earlier one, in order."""
        # Half of an id, as a number, tells most of them apart; only where it does not the whole is looked at.
        halves = memoryview(self._ids).cast("Q")[::2]
        parts = 1 + len(halves) // _AT_ONCE
        doubted: set[int] = set()
        for part in range(parts):
            here = [half for half in halves if half % parts == part]
            if len(set(here)) < len(here):
                doubted.update(half for half, times in Counter(here).items() if times > 1)
        first: dict[bytes, int] = {}
        for place in (place for place, half in enumerate(halves) if doubted and half in doubted):
            id_ = bytes(self._ids[place * ID_BYTES : (place + 1) * ID_BYTES])
            earlier = first.setdefault(id_, place)
            if earlier != place:
                segment, index = self._where(place)
                yield Repeat(self._names[segment], index, self._where(earlier)[1])

    def _where(self, place: int) -> tuple[int, int]:
        """Return which segment a record was in, and its index in the log."""
        segment = bisect_right(self._places, place) - 1
        return segment, self._firsts[segment] + place - self._places[segment]
