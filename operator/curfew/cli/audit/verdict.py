"""The output of `curfew audit verify`: the result of a verification, for people and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Examined, Finding, Verified
from curfew.audit.wording import NO_ANCHOR, NO_KEY, count, in_utc, printable, sentence
from curfew.reader.beginnings import in_words, meaning

RESUMED = (
    "The segments in the saved state were not read again. This does not show that they are still there unchanged, or "
    "that no new record repeats one of theirs. Verify without --resume to check both."
)


@dataclass(frozen=True, slots=True)
class Report:
    """One verification. `examined` is None if it ended before the first segment could be looked at."""

    log: str
    location: str
    findings: tuple[Finding, ...]
    examined: Examined | None
    verifier: Verifier | None
    key_was_given: bool
    anchored: int | None  # how many records the anchors and the saved state cover; None without both

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        verified = self.examined.verified if self.examined else None
        return {
            "verified": self.is_good,
            "log": self.log,
            "location": self.location,
            "findings": [_finding_to_json(finding) for finding in self.findings],
            "read": _verified_to_json(verified) if verified else None,
            "key": str(self.verifier) if self.verifier else None,
            "keyWasGiven": self.key_was_given,
            "anchoredRecords": self.anchored,
            "notes": list(self.notes()),
        }

    def to_text(self, *, show_all: bool) -> str:
        """Return the report for people, with all findings if `show_all`, otherwise only the first."""
        return "\n".join(printable(line) for line in self._lines(show_all=show_all))

    def notes(self) -> Iterator[str]:
        """Yield what the result does not show."""
        if self.verifier is not None and not self.key_was_given:
            yield NO_KEY
        if self.anchored is None:
            yield NO_ANCHOR
        verified = self.examined.verified if self.examined else None
        if verified is None:
            return
        if verified.beginning is not None and self.is_good:
            yield meaning(verified.beginning)
        if verified.anchors_before:
            yield (
                f"{count(verified.anchors_before, 'anchor')} could not be compared, because the records that they "
                "cover were removed. Give newer anchors."
            )
        if self.anchored is not None and self.is_good and (after := verified.records - self.anchored) > 0:
            yield (
                f"The anchors cover the first {count(self.anchored, 'record')}. If the {count(after, 'record')} after "
                "them were cut off, nothing would show it. A newer receipt covers more."
            )
        if verified.before and self.is_good:
            yield RESUMED
        for name in verified.voided:
            yield f"{name} does not belong to the log; the log itself states that it is void and continues after it."
        if verified.unread:
            yield (
                f"{count(len(verified.unread), 'record')} from index {verified.unread[0]} on are signed, but this "
                "version cannot read them. Use a newer version."
            )

    def _lines(self, *, show_all: bool) -> Iterator[str]:
        verified = self.examined.verified if self.examined else None
        yield f"{'Verified' if self.is_good else 'NOT VERIFIED'}: log {self.log} at {self.location}"
        if not self.is_good:
            shown = self.findings if show_all else self.findings[:1]
            yield ""
            yield from (f"  {sentence(str(finding))}" for finding in shown)
            if left := len(self.findings) - len(shown):
                yield f"  {count(left, 'more problem')}; use --all to show them."
            yield ""
        if verified is not None and self.is_good:
            yield from _summary(verified)
            yield from _keys(verified)
        elif verified is not None:
            yield f"  Good     {count(verified.segments, 'segment')}, each checked by itself"
        if self.verifier is not None and not (self.is_good and verified is not None and len(verified.keys) > 1):
            yield f"  Key      {self.verifier}"
        if verified is not None and verified.anchors and self.is_good:
            yield f"  Anchors  {verified.anchors:,}; the newest covers {count(self.anchored or 0, 'record')}"
        for note in self.notes():
            yield ""
            yield f"Note: {note}"


def _summary(verified: Verified) -> Iterator[str]:
    head = verified.head
    yield f"  Holds    {count(verified.records - verified.first, 'record')} in {count(verified.segments, 'segment')}"
    if verified.beginning is not None:
        yield f"  Begins   {in_words(verified.beginning)}"
    if verified.before:
        yield f"  Read     {count(verified.segments - verified.before, 'segment')} now; the others were verified before"
    if verified.first_at is not None and verified.last_at is not None:
        yield f"  Sealed   from {in_utc(verified.first_at)} to {in_utc(verified.last_at)}"
    if verified.heartbeats:
        yield f"  Alive    {count(verified.heartbeats, 'segment')} without records, written as a sign of life"
    if (silence := verified.longest_silence) is not None:
        seconds = (silence.until - silence.since).total_seconds()
        yield f"  Silence  at most {seconds:,.0f} s, from {in_utc(silence.since)}"
    yield f"  Head     segment {head.seq}, root {head.range.root().hex()}"


def _keys(verified: Verified) -> Iterator[str]:
    """Yield, for each key, the segments that it has sealed, if there are several keys."""
    ends = [tenure.segment - 1 for tenure in verified.keys[1:]] + [verified.head.seq]
    for tenure, end in zip(verified.keys, ends, strict=True) if len(ends) > 1 else ():
        yield f"  Key      {tenure.verifier}, segments {tenure.segment} to {end}"


def _verified_to_json(verified: Verified) -> dict[str, Any]:
    head = verified.head
    silence = verified.longest_silence
    return {
        "segments": verified.segments,
        "records": verified.records,
        "heartbeats": verified.heartbeats,
        "firstAt": verified.first_at.isoformat() if verified.first_at else None,
        "lastAt": verified.last_at.isoformat() if verified.last_at else None,
        "longestSilence": (
            {
                "seconds": (silence.until - silence.since).total_seconds(),
                "since": silence.since.isoformat(),
                "until": silence.until.isoformat(),
            }
            if silence
            else None
        ),
        "begins": _beginning_to_json(verified.beginning),
        "head": {"segment": head.seq, "size": head.range.size, "root": head.range.root().hex()},
        "anchors": verified.anchors,
        "keys": [
            {"key": str(one.verifier), "fromSegment": one.segment, "fromRecord": one.record} for one in verified.keys
        ],
        "segmentsVerifiedBefore": verified.before,
        "voided": list(verified.voided),
    }


def _beginning_to_json(beginning: Beginning | None) -> dict[str, Any] | None:
    """Return where the log begins if its oldest segments were removed, or None."""
    if beginning is None or beginning.head.at is None:
        return None
    return {"segment": beginning.segment, "record": beginning.record, "after": beginning.head.at.isoformat()}


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "segment": finding.seq if finding.seq >= 0 else None,
        "object": finding.name or None,
        "records": [finding.records[0], finding.records[-1]] if finding.records else None,
        "message": sentence(str(finding)),
    }
