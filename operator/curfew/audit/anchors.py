"""Comparing a log with its anchors, which were kept elsewhere."""

from collections.abc import Iterable, Iterator

from curfew.audit.findings import Anchor, Finding, Kind
from curfew.audit.merkle import CompactRange
from curfew.audit.segment import Segment


class Anchors:
    """The anchors of a log, each compared when the log has grown to its size."""

    def __init__(self, log: str, anchors: Iterable[Anchor], first: int = 0) -> None:
        """Take anchors in any order. If the log begins with record `first`, smaller anchors are only counted."""
        self._what = f"log {log}"
        given = sorted(anchors, key=lambda anchor: anchor.size)
        self._waiting = [anchor for anchor in given if anchor.size >= first]
        self.before = len(given) - len(self._waiting)
        self.agreed = 0  # how many agree so far

    def speak_within(self, after: CompactRange) -> bool:
        """Whether an anchor that was not compared yet covers fewer records than `after`."""
        return bool(self._waiting) and self._waiting[0].size < after.size

    def compare(self, before: CompactRange | None, segment: Segment | None, after: CompactRange) -> Iterator[Finding]:
        """Compare the anchors that cover no more than `after`, and yield a finding for each that does not agree.

        `before` is the tree before the segment, or None if it is not known; the segment is needed if an anchor covers
        some of its records but not all.
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
        """Yield a finding for each anchor that covers more records than there are; `is_whole`: the end has no fault."""
        for anchor in self._waiting:
            if is_whole:
                why = f"was cut off at its end: {anchor.source} covers {anchor.size} records, and the log has only {end.size}"
                yield Finding(Kind.CUT_OFF, self._what, why, records=range(end.size, anchor.size))
            else:
                yield self._not_compared(anchor)

    def _not_compared(self, anchor: Anchor) -> Finding:
        why = f"cannot be compared with {anchor.source}, because it is not whole up to record {anchor.size - 1}"
        return Finding(Kind.UNCOMPARED, self._what, why)
