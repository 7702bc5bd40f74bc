"""Follow a whole log from its first segment to its last, and say what is wrong with it and where.

Each place in a log has exactly one name, so a listing shows what is missing and what does not belong; each segment
commits to the one before it, so nothing can be altered, exchanged or left out between two that are there. What is left is
the end: a log that was cut off there looks like one that ends there. Only an anchor shows the difference: a receipt or a
checkpoint that was kept elsewhere.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from curfew.audit.checkpoint import Verifier
from curfew.audit.damage import Damage, in_words, locate
from curfew.audit.findings import Anchor, Examined, Finding, Kind, LogRefused, Silence, Verified
from curfew.audit.merkle import CompactRange, leaf_hash
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import SUFFIX, ChainBroken, Head, Segment, follow, prefix, resume


def in_order(log: str, names: Iterable[str]) -> list[str]:
    """Return object names by their place in the chain, which is how they have to be verified; strangers come last."""
    places = {name: place(log, name) for name in names}
    return sorted(places, key=lambda name: (places[name] < 0, places[name], name))


def place(log: str, name: str) -> int:
    """Return the place in the chain that a name claims, or -1 where it is not the name of a segment of this log."""
    match = _NAME.fullmatch(name.removeprefix(prefix(log))) if name.startswith(prefix(log)) else None
    return int(match[1]) if match else -1


_NAME = re.compile(r"dt=\d{4}-\d{2}-\d{2}/(\d{12})-[0-9a-f]{16}" + re.escape(SUFFIX), re.ASCII)


def verify(
    log: str, objects: Iterable[tuple[str, bytes]], verifier: Verifier, anchors: Iterable[Anchor] = ()
) -> Verified:
    """Return what a log holds, or raise `LogRefused` if anything at all is wrong with it.

    `objects` are the names and stored bytes of all that lies under the log's prefix, in the order of `in_order`.
    """
    examined = examine(log, objects, verifier, anchors)
    if examined.findings:
        raise LogRefused(examined)
    return examined.verified


def examine(
    log: str, objects: Iterable[tuple[str, bytes]], verifier: Verifier, anchors: Iterable[Anchor] = ()
) -> Examined:
    """Return all that is wrong with a log, and what is good. The arguments are those of `verify`."""
    walk = Walk(log, verifier, anchors)
    for name, stored in objects:
        walk.take(name, stored)
    return walk.finish()


@dataclass(slots=True)
class _Trouble:
    """A place that is empty or holds what does not belong there, until it is known what follows it."""

    kind: Kind
    what: str
    why: str
    seq: int
    name: str
    records: range | None
    settled: bool = False  # the sentence says already which records are at fault


@dataclass(slots=True)
class _Tally:
    segments: int = 0
    first_at: datetime | None = None
    heartbeats: int = 0
    longest_silence: Silence | None = None
    anchors: int = 0
    voided: list[str] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    ids: dict[bytes, int] = field(default_factory=dict)


class Walk:
    """Takes a log object by object, for whoever reads it from afar. `examine` is the same in one call."""

    def __init__(
        self,
        log: str,
        verifier: Verifier,
        anchors: Iterable[Anchor] = (),
        *,
        accepted: Callable[[Segment], None] | None = None,
    ) -> None:
        """`accepted` is called with each segment that was found good, in order."""
        self._log = log
        self._accepted = accepted
        self._verifier = verifier
        self._anchors = sorted(anchors, key=lambda anchor: anchor.size)
        self._head = Head.genesis(log)  # after the last good segment
        self._slot = 0  # the place that comes next
        self._here: list[tuple[str, bytes]] = []  # the objects taken so far that claim one place
        self._troubles: list[_Trouble] = []  # since the last good segment
        self._void: Head | None = None  # the head, if the place before is void
        self._findings: list[Finding] = []
        self._tally = _Tally()

    def take(self, name: str, stored: bytes) -> None:
        """Take the next object, in the order of `in_order`."""
        seq = place(self._log, name)
        if seq < 0:
            self._find(Kind.FOREIGN, f"object {name}", f"does not belong to log {self._log}: no segment is named so")
            return
        if self._here and place(self._log, self._here[0][0]) != seq:
            self._flush()
        self._here.append((name, stored))

    @property
    def is_whole(self) -> bool:
        """Whether nothing has been found wrong with what was looked at so far."""
        return not self._findings

    def finish(self) -> Examined:
        """Say what was found, all objects having been taken."""
        self._flush()
        is_whole = not self._troubles
        self._settle(None)
        for anchor in self._anchors:
            if is_whole:
                self._find(
                    Kind.CUT_OFF,
                    f"log {self._log}",
                    f"was cut off at its end: {anchor.source} has seen {anchor.size} records, and there are "
                    f"{self._head.range.size}",
                    records=range(self._head.range.size, anchor.size),
                )
            else:
                self._cannot_compare(anchor)
        tally = self._tally
        verified = Verified(
            log=self._log,
            segments=tally.segments,
            records=self._head.range.size,
            head=self._head,
            first_at=tally.first_at,
            last_at=self._head.at,
            heartbeats=tally.heartbeats,
            longest_silence=tally.longest_silence,
            anchors=tally.anchors,
            voided=tuple(tally.voided),
            unread=tuple(tally.unread),
        )
        return Examined(tuple(self._findings), verified)

    # --- one place at a time

    def _flush(self) -> None:
        """Judge the objects that claim one place."""
        if not self._here:
            return
        objects, self._here = self._here, []
        seq = place(self._log, objects[0][0])
        if seq < self._slot:
            self._turn_away(seq, objects)
            return
        if seq > self._slot:
            self._miss(seq)
        self._slot = seq + 1
        if self._troubles:
            self._pick_up(seq, objects)
        else:
            self._follow(seq, objects)

    def _follow(self, seq: int, objects: Sequence[tuple[str, bytes]]) -> None:
        """Go on from a good segment."""
        expected = self._head.next_name()
        strangers = [(name, stored) for name, stored in objects if name != expected]
        for stored in (stored for name, stored in objects if name == expected):
            try:
                segment, after = follow(self._head, expected, stored, self._verifier)
            except ChainBroken as broken:
                self._doubt(broken, stored)
            else:
                self._accept(segment, after, self._head.range)
            self._turn_away(seq, strangers)
            return
        for name, stored in strangers:
            try:
                segment, after = follow(self._head, expected, stored, self._verifier)
            except ChainBroken:
                continue
            self._find(
                Kind.MISPLACED,
                f"segment {seq} ({name})",
                f"does not lie where it belongs: its name is {expected}",
                seq=seq,
                name=name,
                records=range(0),
            )
            self._accept(segment, after, self._head.range)
            self._turn_away(seq, [(other, stored) for other, stored in strangers if other != name])
            return
        self._troubles.append(_Trouble(Kind.MISSING, f"segment {seq} ({expected})", "is missing", seq, expected, None))
        self._turn_away(seq, strangers)

    def _pick_up(self, seq: int, objects: Sequence[tuple[str, bytes]]) -> None:
        """Go on after a place that is empty or holds what does not belong there."""
        void, self._void = self._void, None
        good: list[tuple[str, Segment, Head]] = []
        refused: list[tuple[str, bytes, ChainBroken]] = []
        for name, stored in objects:
            try:
                if void is not None and name == void.next_name():
                    segment, after = follow(void, name, stored, self._verifier)
                    self._tally.voided.append(self._troubles.pop().name)
                    self._accept(segment, after, void.range)
                    self._turn_away(seq, [(other, stored) for other, stored in objects if other != name])
                    return
                good.append((name, *resume(name, stored, self._verifier, self._log)))
            except ChainBroken as broken:
                refused.append((name, stored, broken))
        if not good:
            name, _, refusal = refused[0]
            self._troubles.append(
                _Trouble(Kind.ALTERED, f"segment {seq} ({name})", refusal.why, seq, name, refusal.records or None)
            )
            self._turn_away(seq, [(name, stored) for name, stored, _ in refused[1:]])
            return
        name, segment, after = good[0]
        self._settle(segment.first)
        if segment.first < self._head.range.size or (self._head.at is not None and segment.at < self._head.at):
            self._find(
                Kind.ALTERED,
                f"segment {seq} ({name})",
                f"does not go on from segment {self._head.seq}: it begins at record {segment.first}, after "
                f"{self._head.range.size} records, and at {segment.at}, after {self._head.at}",
                seq=seq,
                name=name,
            )
        self._accept(segment, after, None)
        self._turn_away(seq, [one for one in objects if one[0] != name])

    def _accept(self, segment: Segment, after: Head, before: CompactRange | None) -> None:
        """Go on to a good segment. `before` is the tree before it, where that is known."""
        tally = self._tally
        tally.segments += 1
        tally.heartbeats += not segment.lines
        tally.first_at = tally.first_at or segment.at
        if before is not None and self._head.at is not None:
            silence = Silence(self._head.at, segment.at)
            if tally.longest_silence is None or silence.length > tally.longest_silence.length:
                tally.longest_silence = silence
        for index, body in enumerate(segment.bodies, segment.first):
            try:
                id_ = hashlib.sha256(Record.parse(body).id.encode()).digest()[:16]
            except RecordRefused:
                tally.unread.append(index)
                continue
            first = tally.ids.setdefault(id_, index)
            if first != index:
                self._find(
                    Kind.REPEATED,
                    f"segment {segment.seq} ({segment.name})",
                    f"holds record {index}, which tells of the same thing as record {first}: each is recorded once",
                    seq=segment.seq,
                    name=segment.name,
                    records=range(index, index + 1),
                )
        while self._anchors and self._anchors[0].size <= after.range.size:
            anchor = self._anchors.pop(0)
            if anchor.size == after.range.size:
                tree = after.range
            elif before is not None and anchor.size >= before.size:
                tree = before.extended(map(leaf_hash, segment.lines[: anchor.size - before.size]))
            else:
                self._cannot_compare(anchor)
                continue
            if tree.root() == anchor.root:
                tally.anchors += 1
            else:
                self._find(
                    Kind.REWRITTEN,
                    f"log {self._log}",
                    f"was rewritten: {anchor.source} has seen other records among the first {anchor.size}",
                    records=range(anchor.size),
                )
        self._head = after
        if self._accepted is not None:
            self._accepted(segment)

    # --- what is wrong

    def _miss(self, seq: int) -> None:
        """Note that the places up to `seq` are empty."""
        first, last = self._slot, seq - 1
        # After a place that is in doubt, nobody can say what the next one was named.
        name = "" if self._troubles else self._head.next_name()
        where = f" ({name})" if name else ""
        if first == last:
            trouble = _Trouble(Kind.MISSING, f"segment {first}{where}", "is missing", first, name, None)
        else:
            what = f"segments {first}{where} to {last}"
            trouble = _Trouble(Kind.MISSING, what, "are missing", first, name, None)
        self._troubles.append(trouble)
        self._void = None

    def _doubt(self, broken: ChainBroken, stored: bytes) -> None:
        """Note that the object in the next place is not what belongs there."""
        damage = Damage("", broken.records) if broken.records else locate(self._head, stored, self._verifier)
        self._troubles.append(
            _Trouble(
                Kind.ALTERED,
                f"segment {broken.seq} ({broken.name})",
                f"{broken.why}; {damage.words}" if damage.words else broken.why,
                broken.seq,
                broken.name,
                damage.records,
                settled=damage.records is not None,
            )
        )
        self._void = self._head.voided(stored)

    def _settle(self, first: int | None) -> None:
        """Report the troubles, now that it is known at which record the log goes on, or that it does not."""
        start = self._head.range.size
        lost = range(start, first) if first is not None and first >= start else None
        alone = len(self._troubles) == 1
        for trouble in self._troubles:
            why, records = trouble.why, trouble.records
            if not trouble.settled:
                records = records if records is not None else lost
                if lost is None:
                    why += f"; no good segment follows it, and the log is good up to its first {start} records"
                elif alone:
                    why += f"; {'they' if trouble.why.startswith('are') else 'it'} held {in_words(lost)}"
                else:
                    why += f"; the segments at fault here held {in_words(lost)} together"
            self._find(trouble.kind, trouble.what, why, seq=trouble.seq, name=trouble.name, records=records)
        self._troubles.clear()

    def _turn_away(self, seq: int, objects: Sequence[tuple[str, bytes]]) -> None:
        """Report objects that claim a place that is another's."""
        for name, stored in objects:
            try:
                resume(name, stored, self._verifier, self._log)
            except ChainBroken as broken:
                kind, why = Kind.FOREIGN, f"claims the place of segment {seq}, and {broken.why}"
            else:
                kind, why = Kind.FORKED, f"is a second segment {seq}, and signed: the log was forked here"
            self._find(kind, f"object {name}", why, seq=seq, name=name)

    def _cannot_compare(self, anchor: Anchor) -> None:
        self._find(
            Kind.UNCOMPARED,
            f"log {self._log}",
            f"cannot be compared with {anchor.source}, because it is not whole up to record {anchor.size - 1}",
        )

    def _find(
        self, kind: Kind, what: str, why: str, *, seq: int = -1, name: str = "", records: range | None = None
    ) -> None:
        self._findings.append(Finding(kind, what, why, seq, name, records))
