"""Verifying a log object by object, in the order of its places, one place at a time."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from curfew.audit import faults
from curfew.audit.beginning import Beginning
from curfew.audit.broken_places import Trouble, missing, settled
from curfew.audit.candidate import Candidate
from curfew.audit.checkpoint import Verifier
from curfew.audit.damage import Damage, locate
from curfew.audit.faults import FaultList
from curfew.audit.findings import Anchor, Examined, Kind, Verified
from curfew.audit.merkle import CompactRange
from curfew.audit.places import place
from curfew.audit.segment import ChainBroken, Head, Segment
from curfew.audit.segment_summary import SegmentSummary
from curfew.audit.verified_part import VerifiedPart
from curfew.audit.witness import Witness

MOST_AT_ONE_PLACE = 16
"""How many objects that claim one place are kept in memory until all of them were seen; others are judged at once."""


class Walk:
    """Takes a log object by object, for a caller who reads it from a store. `examine` is the same in one call.

    The key may be any that has sealed a part of the log; if the log was handed over, the walk follows the keys.
    """

    def __init__(
        self,
        log: str,
        verifier: Verifier,
        anchors: Iterable[Anchor] = (),
        *,
        since: Witness | None = None,
        beginning: Beginning | None = None,
        stated: Beginning | None = None,
        accepted: Callable[[Segment], None] | None = None,
    ) -> None:
        """`accepted` is called with each segment that was found good, in order.

        With a witness, the first object to be taken is the last segment of the witness; nothing before it is checked.
        With a beginning and no witness, it is the segment after the beginning. The log must state that it may begin
        there, in the objects that are taken or in those that the witness has seen, unless `stated` already does.
        """
        self._log = log
        self._good = VerifiedPart(log, verifier, anchors, since=since, beginning=beginning, stated=stated)
        self._since = since  # until its last segment was looked for
        self._accepted = accepted
        self._slot = since.head.seq if since is not None else self._good.head.seq + 1  # the next place
        self._here: list[Candidate] = []  # the objects taken so far that claim one place
        self._troubles: list[Trouble] = []  # since the last good segment
        self._void: Head | None = None  # the head, if the place before is void
        self._faults = FaultList(log)

    @property
    def verifier(self) -> Verifier:
        """The key that must have sealed the next segment."""
        return self._good.keys.current

    @property
    def is_proven(self) -> bool:
        """Whether the trusted key has sealed a segment so far. Until it has, the whole log may be another's."""
        return self._good.keys.is_proven

    @property
    def is_stated(self) -> bool:
        """Whether the log has stated so far that it may begin where it does. Until it has, it may have been cut off."""
        return self._good.is_stated

    @property
    def is_whole(self) -> bool:
        """Whether no fault has been found so far."""
        return not self._faults

    @property
    def verified(self) -> Verified:
        """The state of the good part so far."""
        return self._good.verified

    def take(self, name: str, stored: bytes, summary: SegmentSummary | None = None) -> None:
        """Take the next object, in the order of `in_order`; with its summary, if it already has one."""
        seq = place(self._log, name)
        if seq < 0:
            self._faults.add(faults.foreign(self._log, name))
            return
        if self._here and place(self._log, self._here[0].name) != seq:
            self._judge_place()
        one = Candidate(name, stored, summary)
        if len(self._here) < MOST_AT_ONE_PLACE or name in self._expected():
            self._here.append(one)
        else:
            self._turn_away(seq, (one,))

    def finish(self) -> Examined:
        """Return the result, after all objects were taken."""
        self._judge_place()
        if self._since is not None:
            self._recall(self._since, ())
        is_whole = not self._troubles
        self._settle(None)
        self._faults.extend(self._good.left(is_whole=is_whole))
        for fault in self._good.faults():
            self._faults.add(fault)
        return Examined(self._faults.all(), self.verified)

    def _expected(self) -> tuple[str, ...]:
        """Return the names that the next segment can have."""
        return tuple(head.next_name() for head in (self._good.head, self._void) if head is not None)

    # --- one place at a time

    def _judge_place(self) -> None:
        """Judge the objects that claim one place."""
        if not self._here:
            return
        objects, self._here = self._here, []
        seq = place(self._log, objects[0].name)
        if self._since is not None:
            since, self._since = self._since, None
            objects = list(self._recall(since, objects))
            if not objects:
                return
        if seq < self._slot:
            self._turn_away(seq, objects)
            return
        if seq > self._slot:
            self._miss(seq)
        self._slot = seq + 1
        taken = self._pick_up(seq, objects) if self._troubles else self._follow(seq, objects)
        self._turn_away(seq, [one for one in objects if one is not taken])

    def _recall(self, since: Witness, objects: Sequence[Candidate]) -> Sequence[Candidate]:
        """Look for the last segment that a witness has seen, and return the objects that are not in its place."""
        head = since.head
        self._slot = head.seq + 1
        if not any(place(self._log, one.name) == head.seq for one in objects):
            self._faults.add(faults.no_longer_there(since))
            return objects
        same = [one for one in objects if one.name == since.newest and sha256(one.stored).digest() == head.object_hash]
        if not same:
            self._faults.add(faults.no_longer_the_same(since))
        self._turn_away(head.seq, [one for one in objects if one not in same])
        return ()

    def _follow(self, seq: int, objects: Sequence[Candidate]) -> Candidate | None:
        """Go on from a good segment. Return the object that was taken as the next segment, good or not."""
        head = self._good.head
        expected = head.next_name()
        for one in objects:
            if one.name == expected:
                try:
                    self._go_on(head, one)
                except ChainBroken as broken:
                    if not self._begin_anew(one):
                        self._doubt(broken, one.stored)
                return one
        for one in objects:
            if self._is_next(head, Candidate(expected, one.stored)):
                self._faults.add(faults.misplaced(seq, one.name, expected))
                return one
        for one in objects:
            if self._begin_anew(one):
                return one
        self._troubles.append(missing(seq, seq, expected))
        return None

    def _pick_up(self, seq: int, objects: Sequence[Candidate]) -> Candidate:
        """Go on after a place that is empty or holds a foreign object. Return the object that was taken as the next."""
        void, self._void = self._void, None
        good: list[tuple[Candidate, SegmentSummary, Segment]] = []
        refused: list[tuple[Candidate, ChainBroken]] = []
        for one in objects:
            if void is not None and self._is_next(void, one):
                self._good.voided.append(self._troubles.pop().name)
                return one
            try:
                good.append((one, *one.open_alone(self._good.keys.hopes(), self._log)))
            except ChainBroken as broken:
                refused.append((one, broken.with_traceback(None)))  # it would keep this frame, and everything in it
        if not good:
            one, refusal = refused[0]
            self._troubles.append(
                Trouble(
                    Kind.ALTERED, f"segment {seq} ({one.name})", refusal.why, seq, one.name, refusal.records or None
                )
            )
            return one
        one, summary, segment = good[0]
        self._settle(segment.first)
        head = self._good.head
        if segment.first < head.range.size or (head.at is not None and segment.at < head.at):
            self._faults.add(faults.not_following(one.name, segment, head))
        self._accept(summary, segment, None)
        return one

    def _is_next(self, head: Head, one: Candidate) -> bool:
        """Try to accept an object as the segment after a head. Return whether that succeeded."""
        try:
            self._go_on(head, one)
        except ChainBroken:
            return False
        return True

    def _go_on(self, head: Head, one: Candidate) -> None:
        """Accept an object as the segment after a head, or raise `ChainBroken`."""
        summary, segment = one.summary, None
        if summary is None or summary.verifier != self.verifier or self._has_to_look_into(summary):
            try:
                summary, segment = one.open(self.verifier, self._log)
            except ChainBroken:
                # The trusted key may be a later one, to which this key leads.
                named = self._good.keys.first(one.stored)
                if named is None:
                    raise
                summary, segment = one.open(named, self._log)
        summary.link.check(head)
        self._accept(summary, segment, head.range)

    def _has_to_look_into(self, summary: SegmentSummary) -> bool:
        """Whether the records of a segment are needed, and not only its summary."""
        return self._accepted is not None or self._good.anchors.speak_within(summary.link.after.range)

    def _accept(self, summary: SegmentSummary, segment: Segment | None, before: CompactRange | None) -> None:
        """Add a good segment. `before` is the tree before it, if it is known."""
        self._faults.extend(self._good.accept(summary, segment, before))
        if self._accepted is not None and segment is not None:
            self._accepted(segment)

    # --- faults

    def _miss(self, seq: int) -> None:
        """Note that the places up to `seq` are empty."""
        # After a place that is in doubt, the name of the next segment is not known.
        name = "" if self._troubles else self._good.head.next_name()
        self._troubles.append(missing(self._slot, seq - 1, name))
        self._void = None

    def _doubt(self, broken: ChainBroken, stored: bytes) -> None:
        """Note that the object in the next place does not belong there."""
        head = self._good.head
        damage = Damage("", broken.records) if broken.records else locate(head, stored, self.verifier)
        others = [verifier for verifier in self._good.keys.known() if verifier != self.verifier]
        try:
            retired = Candidate(broken.name, stored).open_alone(others, self._log)[0].verifier if others else None
        except ChainBroken:
            retired = None
        words = f"it is sealed by {retired} out of turn" if retired else damage.words
        self._troubles.append(
            Trouble(
                Kind.ALTERED,
                f"segment {broken.seq} ({broken.name})",
                f"{broken.why}; {words}" if words else broken.why,
                broken.seq,
                broken.name,
                damage.records,
                is_settled=damage.records is not None,
            )
        )
        self._void = head.voided(stored)

    def _settle(self, first: int | None) -> None:
        """Report the troubles, after it is known at which record the log goes on, or that it does not go on."""
        self._faults.extend(settled(self._troubles, self._good.head.range.size, first))
        self._troubles.clear()

    def _turn_away(self, seq: int, objects: Iterable[Candidate]) -> None:
        """Report objects that claim a place that belongs to another."""
        for one in objects:
            try:
                one.open_alone(self._good.keys.known(), self._log)
            except ChainBroken as broken:
                self._faults.add(faults.stranger(seq, one.name, broken))
            else:
                self._faults.add(faults.second(seq, one.name))

    def _begin_anew(self, one: Candidate) -> bool:
        """Whether an object, sealed by the trusted key, follows segments whose keys do not lead to that key."""
        keys = self._good.keys
        if keys.is_proven or keys.current == keys.trusted:
            return False
        try:
            summary, segment = one.open_alone((keys.trusted,), self._log)
        except ChainBroken:
            return False
        self._faults.add(faults.not_handed_over(one.name, summary, segment.first, keys, self._good.start))
        self._accept(summary, segment, None)
        return True
