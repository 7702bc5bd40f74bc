"""The faults that a walk through a log finds, each as one finding: its kind, where it is, and a sentence."""

from collections.abc import Iterable, Iterator

from curfew.audit.beginning import Beginning
from curfew.audit.duplicate_ids import Repeat
from curfew.audit.findings import Finding, Kind
from curfew.audit.segment import ChainBroken, Head, Segment
from curfew.audit.segment_summary import SegmentSummary
from curfew.audit.succession import Succession
from curfew.audit.witness import Witness

MOST_FINDINGS = 10_000
"""How many faults are listed; any further ones are counted."""


class FaultList:
    """The findings in order. After `MOST_FINDINGS` they are only counted."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._listed: list[Finding] = []
        self._not_listed = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._listed)

    def add(self, finding: Finding) -> None:
        """Add a finding of a kind that anybody can cause without limit, for example an object beside the log."""
        if len(self._listed) < MOST_FINDINGS:
            self._listed.append(finding)
        else:
            self._not_listed += 1

    def extend(self, findings: Iterable[Finding]) -> None:
        """Add findings that are listed however many there are."""
        self._listed += findings

    def all(self) -> tuple[Finding, ...]:
        """Return the findings and, at the end, how many are not listed."""
        if not self._not_listed:
            return tuple(self._listed)
        why = f"has {self._not_listed:,} more faults, which are not listed"
        return (*self._listed, Finding(Kind.FOREIGN, f"log {self._log}", why))


def foreign(log: str, name: str) -> Finding:
    """Return the finding that an object's name is none of this log's."""
    return Finding(Kind.FOREIGN, f"object {name}", f"does not belong to log {log}: no segment has a name like that")


def misplaced(seq: int, name: str, expected: str) -> Finding:
    """Return the finding that a good segment has another name than its own."""
    why = f"is not where it belongs: its name has to be {expected}"
    return Finding(Kind.MISPLACED, f"segment {seq} ({name})", why, seq, name, range(0))


def second(seq: int, name: str) -> Finding:
    """Return the finding that a place has two signed segments."""
    why = f"is a second segment {seq}, and signed: the log was forked here"
    return Finding(Kind.FORKED, f"object {name}", why, seq, name)


def stranger(seq: int, name: str, refusal: ChainBroken) -> Finding:
    """Return the finding that an object claims a place that belongs to another."""
    return Finding(Kind.FOREIGN, f"object {name}", f"claims the place of segment {seq}, and {refusal.why}", seq, name)


def no_longer_there(since: Witness) -> Finding:
    """Return the finding that the last segment that a witness has seen is missing."""
    seq, name = since.head.seq, since.newest
    why = "which is in the saved state, is missing: the log was cut off before its end, or replaced by another"
    return Finding(Kind.CUT_OFF, f"segment {seq} ({name})", why, seq, name)


def no_longer_the_same(since: Witness) -> Finding:
    """Return the finding that another segment has replaced the last one that a witness has seen."""
    seq, name = since.head.seq, since.newest
    why = "differs from the one in the saved state: the log was rewritten"
    return Finding(Kind.REWRITTEN, f"segment {seq} ({name})", why, seq, name)


def not_following(name: str, segment: Segment, head: Head) -> Finding:
    """Return the finding that a segment after a gap begins before the end of the good part."""
    why = (
        f"does not continue segment {head.seq}: it begins at record {segment.first} after {head.range.size} records, "
        f"and at {segment.at} after {head.at}"
    )
    return Finding(Kind.ALTERED, f"segment {segment.seq} ({name})", why, segment.seq, name)


def not_handed_over(name: str, summary: SegmentSummary, first: int, keys: Succession, start: Head) -> Finding:
    """Return the finding that the key of earlier segments does not lead to the trusted key, which sealed this one."""
    return Finding(
        Kind.ALTERED,
        f"what is before segment {summary.link.after.seq} ({name})",
        f"is sealed by {keys.current}, which has not handed the log over to {keys.trusted}",
        seq=start.seq + 1,
        name=start.next_name(),
        records=range(first),
    )


def other_key(log: str, keys: Succession, records: int) -> Iterator[Finding]:
    """Yield a finding if the trusted key sealed no part of the log."""
    if not keys.tenures or keys.is_proven:
        return
    if keys.current == keys.trusted:
        why = f"hands itself over to {keys.trusted} at its end, but no segment sealed by this key follows"
    else:
        why = f"is sealed by {keys.tenures[-1].verifier}, and no part of it by {keys.trusted}"
    yield Finding(Kind.OTHER_KEY, f"log {log}", why, records=range(records))


def unstated(beginning: Beginning) -> Finding:
    """Return the finding that the beginning of a log is missing, and the log has not stated that it may be."""
    where = f"what is before segment {beginning.segment}"
    why = "is missing, and no verified record states that it may be removed"
    return Finding(Kind.UNSTATED, where, why, records=range(beginning.record))


def repeated(seq: int, repeat: Repeat) -> Finding:
    """Return the finding that one thing is recorded twice."""
    why = f"holds record {repeat.index}, which repeats record {repeat.earlier}: each thing is recorded only once"
    at_fault = range(repeat.index, repeat.index + 1)
    return Finding(Kind.REPEATED, f"segment {seq} ({repeat.name})", why, seq, repeat.name, at_fault)
