"""Holding a log against what was kept of it elsewhere."""

from collections.abc import Iterable, Iterator

from curfew.audit.findings import Anchor, Finding, Kind
from curfew.audit.merkle import CompactRange
from curfew.audit.segment import Segment


class Anchors:
    """The anchors of a log, each compared when the log has grown to its size."""

    def __init__(self, log: str, anchors: Iterable[Anchor], first: int = 0) -> None:
        """Take anchors in any order. Of a log that begins with record `first`, those that speak of less are only counted."""
        self._what = f"log {log}"
        given = sorted(anchors, key=lambda anchor: anchor.size)
        self._waiting = [anchor for anchor in given if anchor.size >= first]
        self.before = len(given) - len(self._waiting)
        self.agreed = 0  # how many agree so far

    def speak_within(self, after: CompactRange) -> bool:
        """Whether an anchor that was not compared yet speaks of less than this."""
        return bool(self._waiting) and self._waiting[0].size < after.size

    def compare(self, before: CompactRange | None, segment: Segment | None, after: CompactRange) -> Iterator[Finding]:
        """Compare those that speak of no more than `after`, and yield what does not agree.

        `before` is the tree before the segment, or None where that is not known; the segment is needed where an anchor
        speaks of some of its records and not of all.
        """
        while self._waiting and self._waiting[0].size <= after.size:
            anchor = self._waiting.pop(0)
            if anchor.size == after.size:
                tree = after
            elif before is not None and segment is not None and anchor.size >= before.size:
                tree = before.extended(segment.leaves[: anchor.size - before.size])
            else:
                yield self._not_compared(anchor)
                continue
            if tree.root() == anchor.root:
                self.agreed += 1
            else:
                why = f"was rewritten: {anchor.source} covers other records among the first {anchor.size}"
                yield Finding(Kind.REWRITTEN, self._what, why, records=range(anchor.size))

    def left(self, end: CompactRange, *, is_whole: bool) -> Iterator[Finding]:
        """Yield what those show that speak of more than there is; `is_whole` says that there is no fault at the end."""
        for anchor in self._waiting:
            if is_whole:
                why = f"was cut off at its end: {anchor.source} covers {anchor.size} records, and the log has only {end.size}"
                yield Finding(Kind.CUT_OFF, self._what, why, records=range(end.size, anchor.size))
            else:
                yield self._not_compared(anchor)

    def _not_compared(self, anchor: Anchor) -> Finding:
        why = f"cannot be compared with {anchor.source}, because it is not whole up to record {anchor.size - 1}"
        return Finding(Kind.UNCOMPARED, self._what, why)
