"""The answer to "was anything changed?", from the counts of a session and the coverage of the feed.

Opaque is not No, and silence is not No: the answer is No only if the feed was known to be whole for the whole session and
nothing that was seen hides a change.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from curfew.api.activity import MOST_REASONS, Activity, Changes
from curfew.api.characters import LONGEST_NAME
from curfew.audit.wording import count, in_utc
from curfew.core.activity.coverage import UNCONFIRMED, Coverage, Hole
from curfew.core.activity.session import Session
from curfew.core.activity.summary import connections, summary
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.wording import cut, listed

ROUND: Final = timedelta(seconds=150)
"""How long the end of a window that is still open may be unconfirmed: rounds of test calls come each minute."""

LONGEST_REASON: Final = 256
_MOST_HOLES: Final = 4  # that are named one by one


def assess(session: Session, tally: SessionTally, coverage: Coverage, now: datetime, *, given_up: bool) -> Activity:
    """Return what was done in a session, and whether anything was changed.

    `given_up` means that nothing more is waited for: then the answer is final although something is missing.
    """
    until, kept = session.ended_at or now, session.kept
    remains = tally.remains.since(kept.at if kept is not None else None)
    is_kept = kept is not None and remains < len(tally.remains)
    holes = _holes(session, coverage, until)
    reasons = tuple(_reasons(session, tally, holes, given_up=given_up))
    changes = Changes.YES if tally.writes else Changes.UNKNOWN if reasons else Changes.NO
    is_complete = not holes and not tally.streams.open and not tally.streams.more
    return Activity(
        changes=changes,
        summary=summary(tally, is_whole=not holes, remains=remains),
        reasons=_bounded(reasons) if changes is Changes.UNKNOWN else (),
        reads=tally.reads,
        writes=tally.writes,
        denied=tally.denied,
        opaque=tally.opaque,
        derived=tally.derived,
        standing=tally.standing,
        changed=tally.objects_changed.shown,
        sensitive=tuple(sorted(map(str, tally.sensitive))),
        sources=tally.sources.shown,
        remains=remains,
        kept_by=cut(kept.by, LONGEST_NAME) if kept is not None and is_kept else None,
        kept_reason=cut(kept.reason, LONGEST_REASON) if kept is not None and is_kept else None,
        first_at=tally.first_at,
        last_at=tally.last_at,
        final=given_up or (session.is_over and is_complete),
        as_of=now,
    )


def _holes(session: Session, coverage: Coverage, until: datetime) -> tuple[Hole, ...]:
    """Return the holes in a session. While it lasts, a last piece that the next round may confirm is none."""
    holes = coverage.holes(session.announced_at, until)
    if session.is_over or not holes:
        return holes
    last = holes[-1]
    is_due = last.until == until and last.why == UNCONFIRMED and last.until - last.since <= ROUND
    return holes[:-1] if is_due else holes


def _reasons(session: Session, tally: SessionTally, holes: tuple[Hole, ...], *, given_up: bool) -> Iterator[str]:
    """Yield why the answer cannot be No, each as a clause."""
    hidden = connections(tally.streams)
    if hidden:
        yield f"no change through the API; {listed(hidden)} cannot be seen into"
    if tally.unsure:
        yield (
            "1 call may have changed something; its event does not show whether it did"
            if tally.unsure == 1
            else f"{tally.unsure:,} calls may have changed something; their events do not show whether they did"
        )
    outputs = tally.streams.outputs
    if outputs:
        yield f"{count(outputs, 'stream')} that only {'reads' if outputs == 1 else 'read'} {_is(outputs)} still open"
    if tally.streams.more:
        yield f"{count(tally.streams.more, 'connection')} began when too many were open to follow them"
    if tally.unreadable:
        yield f"{count(tally.unreadable, 'record')} of calls cannot be read by this version"
    if given_up and not session.is_over:
        yield "the trail does not hold the end of the access"
    yield from _of_holes(holes)


def _of_holes(holes: tuple[Hole, ...]) -> Iterator[str]:
    for hole in holes[:_MOST_HOLES]:
        yield f"the feed of audit events is not known to be whole from {in_utc(hole.since)} to {in_utc(hole.until)}: {hole.why}"
    if len(holes) > _MOST_HOLES:
        yield f"nor in {count(len(holes) - _MOST_HOLES, 'more interval')}"


def _bounded(reasons: tuple[str, ...]) -> tuple[str, ...]:
    kept = reasons if len(reasons) <= MOST_REASONS else (*reasons[: MOST_REASONS - 1], "and more")
    return tuple(cut(reason, LONGEST_REASON) for reason in kept)


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
