"""The good part of a log: it grows by a segment at a time, and is compared with the anchors."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from curfew.audit import faults
from curfew.audit.anchors import Anchors
from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Verifier
from curfew.audit.duplicate_ids import SeenIds
from curfew.audit.findings import Anchor, Finding, Silence, Verified
from curfew.audit.merkle import CompactRange
from curfew.audit.places import place
from curfew.audit.segment import Head, Segment
from curfew.audit.segment_summary import SegmentSummary
from curfew.audit.succession import Succession
from curfew.audit.witness import Witness


@dataclass(slots=True)
class _Tally:
    segments: int = 0
    first_at: datetime | None = None
    heartbeats: int = 0
    newest: str | None = None
    note: str | None = None
    longest_silence: Silence | None = None
    unread: list[int] = field(default_factory=list)


class VerifiedPart:
    """The part of a log that is good so far. The arguments are those of `Walk`."""

    def __init__(
        self,
        log: str,
        verifier: Verifier,
        anchors: Iterable[Anchor],
        *,
        since: Witness | None,
        beginning: Beginning | None,
        stated: Beginning | None,
    ) -> None:
        self.log = log
        self.start = beginning.head if beginning is not None else Head.genesis(log)
        self.head = self.start  # after the last good segment
        self.keys = Succession(verifier, named=beginning.verifier if beginning is not None else None)
        self.anchors = Anchors(log, anchors, beginning.record if beginning is not None else 0)
        self.voided: list[str] = []
        self._before = since.segments if since is not None else 0
        self._beginning = beginning
        self._stated = stated  # the newest statement of where the log may begin
        self.is_stated = beginning is None or beginning == stated
        self._tally = _Tally()
        self._seen = SeenIds()
        if since is not None:
            self.head = since.head
            self.keys = Succession(verifier, since.keys, since.following)
            self._tally = _Tally(since.segments, since.first_at, since.heartbeats, since.newest, since.note)
            self._stated = since.stated
            self.is_stated = beginning is None or beginning == since.stated

    @property
    def verified(self) -> Verified:
        """The state of the good part so far."""
        tally = self._tally
        return Verified(
            log=self.log,
            segments=tally.segments,
            records=self.head.range.size,
            head=self.head,
            first_at=tally.first_at,
            last_at=self.head.at,
            heartbeats=tally.heartbeats,
            longest_silence=tally.longest_silence,
            anchors=self.anchors.agreed,
            voided=tuple(self.voided),
            unread=tuple(tally.unread),
            keys=tuple(self.keys.tenures),
            following=self.keys.current,
            newest=tally.newest,
            note=tally.note,
            before=self._before,
            beginning=self._beginning,
            stated=self._stated,
            anchors_before=self.anchors.before,
        )

    def accept(
        self, summary: SegmentSummary, segment: Segment | None, before: CompactRange | None
    ) -> Iterator[Finding]:
        """Add a good segment, and yield a finding for each anchor that does not agree.

        `before` is the tree before the segment, if it is known; the segment is needed if an anchor ends within it.
        """
        tally, after = self._tally, summary.link.after
        tally.segments += 1
        tally.heartbeats += not summary.link.count
        tally.newest, tally.note = summary.link.name, summary.link.note
        tally.first_at = tally.first_at or after.at
        if before is not None and self.head.at is not None and after.at is not None:
            silence = Silence(self.head.at, after.at)
            if tally.longest_silence is None or silence.length > tally.longest_silence.length:
                tally.longest_silence = silence
        tally.unread += summary.unread
        self._seen.add(summary)
        self.keys.follow(summary)
        if summary.stated:
            self._stated = summary.stated[-1]
            self.is_stated = self.is_stated or self._beginning in summary.stated
        self.head = after
        return self.anchors.compare(before, segment, after.range)

    def left(self, *, is_whole: bool) -> Iterator[Finding]:
        """Yield a finding for each anchor that covers more records than there are; `is_whole`: the end has no fault."""
        return self.anchors.left(self.head.range, is_whole=is_whole)

    def faults(self) -> Iterator[Finding]:
        """Yield the faults of the log as a whole, at its end."""
        yield from faults.other_key(self.log, self.keys, self.head.range.size)
        if self._beginning is not None and not self.is_stated:
            yield faults.unstated(self._beginning)
        for repeat in self._seen.repeats():
            yield faults.repeated(place(self.log, repeat.name), repeat)
