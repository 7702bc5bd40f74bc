"""Follow a whole log from its first segment to its last, and say what is wrong with it and where.

Each place in a log has exactly one name, so a listing shows what is missing and what does not belong; each segment
commits to the one before it, so nothing can be altered, exchanged or left out between two that are there. What is left is
the end: a log that was cut off there looks like one that ends there. Only an anchor shows the difference: a receipt or a
checkpoint that was kept elsewhere.
"""

import functools
import re
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from curfew.audit.anchors import Anchors
from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Verifier
from curfew.audit.damage import Damage, locate
from curfew.audit.findings import Anchor, Examined, Finding, Kind, LogRefused, Silence, Verified
from curfew.audit.gist import Gist, open_gist
from curfew.audit.merkle import CompactRange
from curfew.audit.seen import Seen
from curfew.audit.segment import SUFFIX, ChainBroken, Head, Segment, prefix
from curfew.audit.succession import Succession
from curfew.audit.trouble import Trouble, missing, settled
from curfew.audit.witness import Witness

MOST_AT_ONE_PLACE = 16
"""How many objects that claim one place are kept in memory until all of them were seen; others are judged at once."""

MOST_FINDINGS = 10_000
"""How many faults are listed; others are counted."""


def in_order(log: str, names: Iterable[str]) -> list[str]:
    """Return object names by their place in the chain, which is how they have to be verified; strangers come last."""
    return sorted(names, key=lambda name: (_rank(log, name), name))


def up_to(log: str, names: Sequence[str], seq: int) -> Sequence[str]:
    """Return those of the names, which are in order, that claim a place up to `seq`."""
    return names[: bisect_right(names, seq, key=lambda name: _rank(log, name))]


def _rank(log: str, name: str) -> int:
    return seq if (seq := place(log, name)) >= 0 else sys.maxsize


def place(log: str, name: str) -> int:
    """Return the place in the chain that a name claims, or -1 where it is not the name of a segment of this log."""
    match = _name_in(log).fullmatch(name)
    return int(match[1]) if match else -1


@functools.lru_cache(maxsize=8)
def _name_in(log: str) -> re.Pattern[str]:
    """Return what the names of a log's segments are like."""
    within = r"dt=\d{4}-\d{2}-\d{2}/(\d{12})-[0-9a-f]{16}"
    return re.compile(re.escape(prefix(log)) + within + re.escape(SUFFIX), re.ASCII)


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
class _Tally:
    segments: int = 0
    first_at: datetime | None = None
    heartbeats: int = 0
    newest: str | None = None
    note: str | None = None
    longest_silence: Silence | None = None
    voided: list[str] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Object:
    """An object of the log's folder, and its gist where it was made elsewhere."""

    name: str
    stored: bytes
    gist: Gist | None = None


class Walk:
    """Takes a log object by object, for whoever reads it from afar. `examine` is the same in one call.

    The key may be any that has sealed a part of the log; where it was handed over, that is followed.
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

        With a witness the first object to be taken is the one that it ends with; what is before is not looked at. With a
        beginning and no witness it is the one after that. The log has to state that it may begin there, in what is taken
        or in what the witness has seen, unless that is what is `stated`.
        """
        self._log = log
        self._since = since  # until its last segment was looked for
        self._before = since.segments if since is not None else 0
        self._accepted = accepted
        self._beginning = beginning
        self._stated = stated  # the newest statement of where the log may begin
        self._is_stated = beginning is None or beginning == stated
        self._keys = Succession(verifier, named=beginning.verifier if beginning is not None else None)
        self._anchors = Anchors(log, anchors, beginning.record if beginning is not None else 0)
        self._start = beginning.head if beginning is not None else Head.genesis(log)
        self._head = self._start  # after the last good segment
        self._slot = self._head.seq + 1  # the place that comes next
        self._here: list[_Object] = []  # the objects taken so far that claim one place
        self._troubles: list[Trouble] = []  # since the last good segment
        self._void: Head | None = None  # the head, if the place before is void
        self._findings: list[Finding] = []
        self._not_listed = 0  # how many findings there are besides
        self._tally = _Tally()
        self._seen = Seen()
        if since is not None:
            self._head, self._slot = since.head, since.head.seq
            self._keys = Succession(verifier, since.keys, since.following)
            self._tally = _Tally(since.segments, since.first_at, since.heartbeats, since.newest, since.note)
            self._stated = since.stated
            self._is_stated = beginning is None or beginning == since.stated

    @property
    def verifier(self) -> Verifier:
        """The key that has to have sealed what comes next."""
        return self._keys.current

    @property
    def is_proven(self) -> bool:
        """Whether the key that is trusted has sealed a segment so far. Until it has, all of it may be another's log."""
        return self._keys.is_proven

    @property
    def is_stated(self) -> bool:
        """Whether the log has stated so far that it may begin where it does. Until it has, it may have been cut off."""
        return self._is_stated

    @property
    def is_whole(self) -> bool:
        """Whether nothing has been found wrong with what was looked at so far."""
        return not self._findings

    @property
    def verified(self) -> Verified:
        """What is good of it so far."""
        tally = self._tally
        return Verified(
            log=self._log,
            segments=tally.segments,
            records=self._head.range.size,
            head=self._head,
            first_at=tally.first_at,
            last_at=self._head.at,
            heartbeats=tally.heartbeats,
            longest_silence=tally.longest_silence,
            anchors=self._anchors.agreed,
            voided=tuple(tally.voided),
            unread=tuple(tally.unread),
            keys=tuple(self._keys.tenures),
            following=self._keys.current,
            newest=tally.newest,
            note=tally.note,
            before=self._before,
            beginning=self._beginning,
            stated=self._stated,
            anchors_before=self._anchors.before,
        )

    def take(self, name: str, stored: bytes, gist: Gist | None = None) -> None:
        """Take the next object, in the order of `in_order`; with its gist, if that was made already."""
        seq = place(self._log, name)
        if seq < 0:
            self._find(Kind.FOREIGN, f"object {name}", f"does not belong to log {self._log}: no segment is named so")
            return
        if self._here and place(self._log, self._here[0].name) != seq:
            self._flush()
        one = _Object(name, stored, gist)
        if len(self._here) < MOST_AT_ONE_PLACE or name in self._expected():
            self._here.append(one)
        else:
            self._turn_away(seq, (one,))

    def finish(self) -> Examined:
        """Say what was found, all objects having been taken."""
        self._flush()
        if self._since is not None:
            self._recall(self._since, ())
        is_whole = not self._troubles
        self._settle(None)
        self._findings += self._anchors.left(self._head.range, is_whole=is_whole)
        self._judge_key()
        self._judge_beginning()
        for repeat in self._seen.repeats():
            seq = place(self._log, repeat.name)
            self._find(
                Kind.REPEATED,
                f"segment {seq} ({repeat.name})",
                f"holds record {repeat.index}, which tells of the same thing as record {repeat.earlier}: each is recorded "
                "once",
                seq=seq,
                name=repeat.name,
                records=range(repeat.index, repeat.index + 1),
            )
        if self._not_listed:
            why = f"has {self._not_listed:,} faults besides, which are not listed"
            self._findings.append(Finding(Kind.FOREIGN, f"log {self._log}", why))
        return Examined(tuple(self._findings), self.verified)

    def _expected(self) -> tuple[str, ...]:
        """Return the names that the next segment can have."""
        return tuple(head.next_name() for head in (self._head, self._void) if head is not None)

    # --- one place at a time

    def _flush(self) -> None:
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

    def _recall(self, since: Witness, objects: Sequence[_Object]) -> Sequence[_Object]:
        """Look for the segment that a witness has seen last, and return the objects that are not in its place."""
        head = since.head
        where = f"segment {head.seq} ({since.newest})"
        self._slot = head.seq + 1
        if not any(place(self._log, one.name) == head.seq for one in objects):
            why = "which is in the saved state, is missing: the log was cut off before its end, or replaced by another"
            self._find(Kind.CUT_OFF, where, why, seq=head.seq, name=since.newest)
            return objects
        same = [one for one in objects if one.name == since.newest and sha256(one.stored).digest() == head.object_hash]
        if not same:
            why = "is not the one that is in the saved state: the log was rewritten"
            self._find(Kind.REWRITTEN, where, why, seq=head.seq, name=since.newest)
        self._turn_away(head.seq, [one for one in objects if one not in same])
        return ()

    def _follow(self, seq: int, objects: Sequence[_Object]) -> _Object | None:
        """Go on from a good segment. Return the object that was taken for the next, good or not."""
        expected = self._head.next_name()
        for one in objects:
            if one.name == expected:
                try:
                    self._go_on(self._head, one)
                except ChainBroken as broken:
                    if not self._begin_anew(one):
                        self._doubt(broken, one.stored)
                return one
        for one in objects:
            if not self._is_next(self._head, _Object(expected, one.stored)):
                continue
            self._find(
                Kind.MISPLACED,
                f"segment {seq} ({one.name})",
                f"does not lie where it belongs: its name is {expected}",
                seq=seq,
                name=one.name,
                records=range(0),
            )
            return one
        for one in objects:
            if self._begin_anew(one):
                return one
        self._troubles.append(missing(seq, seq, expected))
        return None

    def _pick_up(self, seq: int, objects: Sequence[_Object]) -> _Object:
        """Go on after a place that is empty or holds what does not belong there. Return what was taken for the next."""
        void, self._void = self._void, None
        good: list[tuple[_Object, Gist, Segment]] = []
        refused: list[tuple[_Object, ChainBroken]] = []
        for one in objects:
            if void is not None and self._is_next(void, one):
                self._tally.voided.append(self._troubles.pop().name)
                return one
            try:
                good.append((one, *self._resume(one, self._keys.hopes())))
            except ChainBroken as broken:
                refused.append((one, broken.with_traceback(None)))  # which would keep this frame, and all in it
        if not good:
            one, refusal = refused[0]
            self._troubles.append(
                Trouble(
                    Kind.ALTERED, f"segment {seq} ({one.name})", refusal.why, seq, one.name, refusal.records or None
                )
            )
            return one
        one, gist, segment = good[0]
        first, at = segment.first, segment.at
        self._settle(first)
        if first < self._head.range.size or (self._head.at is not None and at < self._head.at):
            self._find(
                Kind.ALTERED,
                f"segment {seq} ({one.name})",
                f"does not go on from segment {self._head.seq}: it begins at record {first}, after "
                f"{self._head.range.size} records, and at {at}, after {self._head.at}",
                seq=seq,
                name=one.name,
            )
        self._accept(gist, segment, None)
        return one

    def _is_next(self, head: Head, one: _Object) -> bool:
        """Whether an object is the segment after a head, and accepted as that."""
        try:
            self._go_on(head, one)
        except ChainBroken:
            return False
        return True

    def _go_on(self, head: Head, one: _Object) -> None:
        """Accept an object as the segment after a head, or raise `ChainBroken`."""
        gist, segment = one.gist, None
        if gist is None or gist.verifier != self.verifier or self._has_to_look_into(gist):
            try:
                gist, segment = self._open(one, self.verifier)
            except ChainBroken:
                # The key that is trusted may be a later one, that this one leads to.
                named = self._keys.first(one.stored)
                if named is None:
                    raise
                gist, segment = self._open(one, named)
        gist.link.check(head)
        self._accept(gist, segment, head.range)

    def _open(self, one: _Object, verifier: Verifier) -> tuple[Gist, Segment]:
        return open_gist(one.name, one.stored, verifier, self._log)

    def _resume(self, one: _Object, keys: Iterable[Verifier]) -> tuple[Gist, Segment]:
        """Open an object that one of some keys has sealed, whatever is before it, or raise `ChainBroken`."""
        refusal: ChainBroken | None = None
        for verifier in keys:
            try:
                gist, segment = self._open(one, verifier)
                gist.link.check_name()
            except ChainBroken as broken:
                refusal = refusal or broken.with_traceback(None)
            else:
                return gist, segment
        try:
            raise refusal or ChainBroken(place(self._log, one.name), one.name, "has no key that could have sealed it")
        finally:
            # It would keep its frame, and with that the object, until cycles are looked for: hundreds may come before that.
            del refusal

    def _has_to_look_into(self, gist: Gist) -> bool:
        """Whether the records of a segment are wanted, and not only what comes of them."""
        return self._accepted is not None or self._anchors.speak_within(gist.link.after.range)

    def _accept(self, gist: Gist, segment: Segment | None, before: CompactRange | None) -> None:
        """Go on to a good segment. `before` is the tree before it, where that is known."""
        tally, after = self._tally, gist.link.after
        tally.segments += 1
        tally.heartbeats += not gist.link.count
        tally.newest, tally.note = gist.link.name, gist.link.note
        tally.first_at = tally.first_at or after.at
        if before is not None and self._head.at is not None and after.at is not None:
            silence = Silence(self._head.at, after.at)
            if tally.longest_silence is None or silence.length > tally.longest_silence.length:
                tally.longest_silence = silence
        tally.unread += gist.unread
        self._seen.add(gist)
        self._keys.follow(gist)
        if gist.stated:
            self._stated = gist.stated[-1]
            self._is_stated = self._is_stated or self._beginning in gist.stated
        self._findings += self._anchors.compare(before, segment, after.range)
        self._head = after
        if self._accepted is not None and segment is not None:
            self._accepted(segment)

    # --- what is wrong

    def _miss(self, seq: int) -> None:
        """Note that the places up to `seq` are empty."""
        # After a place that is in doubt, nobody can say what the next one was named.
        name = "" if self._troubles else self._head.next_name()
        self._troubles.append(missing(self._slot, seq - 1, name))
        self._void = None

    def _doubt(self, broken: ChainBroken, stored: bytes) -> None:
        """Note that the object in the next place is not what belongs there."""
        damage = Damage("", broken.records) if broken.records else locate(self._head, stored, self.verifier)
        others = [verifier for verifier in self._keys.known() if verifier != self.verifier]
        try:
            retired = self._resume(_Object(broken.name, stored), others)[0].verifier if others else None
        except ChainBroken:
            retired = None
        words = f"it is sealed by {retired}, whose turn it is not" if retired else damage.words
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
        self._void = self._head.voided(stored)

    def _settle(self, first: int | None) -> None:
        """Report the troubles, now that it is known at which record the log goes on, or that it does not."""
        self._findings += settled(self._troubles, self._head.range.size, first)
        self._troubles.clear()

    def _turn_away(self, seq: int, objects: Iterable[_Object]) -> None:
        """Report objects that claim a place that is another's."""
        for one in objects:
            try:
                self._resume(one, self._keys.known())
            except ChainBroken as broken:
                kind, why = Kind.FOREIGN, f"claims the place of segment {seq}, and {broken.why}"
            else:
                kind, why = Kind.FORKED, f"is a second segment {seq}, and signed: the log was forked here"
            self._find(kind, f"object {one.name}", why, seq=seq, name=one.name)

    def _begin_anew(self, one: _Object) -> bool:
        """Whether all before an object is another's: a history that does not lead to the trusted key, which sealed this."""
        keys = self._keys
        if keys.is_proven or keys.current == keys.trusted:
            return False
        try:
            gist, segment = self._resume(one, (keys.trusted,))
        except ChainBroken:
            return False
        self._find(
            Kind.ALTERED,
            f"what is before segment {gist.link.after.seq} ({one.name})",
            f"is sealed by {keys.current}, which has not handed the log over to {keys.trusted}",
            seq=self._start.seq + 1,
            name=self._start.next_name(),
            records=range(segment.first),
        )
        self._accept(gist, segment, None)
        return True

    def _judge_key(self) -> None:
        """Report a log that the trusted key has sealed no part of."""
        keys = self._keys
        if not keys.tenures or keys.is_proven:
            return
        if keys.current == keys.trusted:
            why = f"hands itself over to {keys.trusted} at its end, but nothing that this key has sealed follows"
        else:
            why = f"is sealed by {keys.tenures[-1].verifier}, and no part of it by {keys.trusted}"
        self._find(Kind.OTHER_KEY, f"log {self._log}", why, records=range(self._head.range.size))

    def _judge_beginning(self) -> None:
        """Report a log that is cut off at its beginning without having stated that it may be."""
        if self._beginning is None or self._is_stated:
            return
        where = f"what is before segment {self._beginning.segment}"
        why = "is missing, and nothing in the log that verifies states that it may be removed"
        self._find(Kind.UNSTATED, where, why, records=range(self._beginning.record))

    def _find(
        self, kind: Kind, what: str, why: str, *, seq: int = -1, name: str = "", records: range | None = None
    ) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(kind, what, why, seq, name, records))
        else:
            self._not_listed += 1
