"""All exceptions of a period, from its account."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from curfew.audit.wording import duration
from curfew.evidence.account import Account, Gap, Happening
from curfew.evidence.attributes import examine
from curfew.evidence.exception_kinds import Exceptional, ExceptionKind
from curfew.evidence.grants import Mention, ReviewedDecision, ReviewedGrant, Said, outcome_of
from curfew.evidence.wording import instant

UNATTESTED_START = timedelta(minutes=15)
"""How long a new log may go without its first attestation: the distance between two."""

_BY_EVENT = {
    "grant.binding_removed": ExceptionKind.BINDING_REMOVED,
    "grant.drifted": ExceptionKind.DRIFTED,
    "grant.orphan_removed": ExceptionKind.ORPHAN,
    "grant.removal_failed": ExceptionKind.REMOVAL_FAILED,
    "grant.role_changed": ExceptionKind.ROLE_CHANGED,
    "policy.weakened": ExceptionKind.POLICY_WEAKENED,
    "request.rejections_counted": ExceptionKind.REFUSALS_COUNTED,
    "audit.verification_failed": ExceptionKind.VERIFICATION_FAILED,
    "audit.writer_changed": ExceptionKind.WRITER_CHANGED,
}


def find(account: Account, *, now: datetime) -> tuple[Exceptional, ...]:
    """Return the exceptions of a period, worst kind first, then by place in the log. `now` is when the report is made."""
    found = [
        *_of_grants(account),
        *(_of_decision(one) for one in account.decisions if not one.counted),
        *(_of_event(_BY_EVENT[one.record.event], one) for one in account.happenings if one.record.event in _BY_EVENT),
        *_of_the_log(account, now),
    ]
    order = {kind: place for place, kind in enumerate(ExceptionKind)}
    severities = {kind.severity: order[kind] for kind in reversed(ExceptionKind)}
    return tuple(sorted(found, key=lambda one: (severities[one.kind.severity], order[one.kind], _place(one))))


def _place(one: Exceptional) -> int:
    """Return where in the log an exception belongs. An exception about the whole log comes first."""
    return one.records[0].index if one.records else -1


def _of_grants(account: Account) -> Iterator[Exceptional]:
    for tested in examine(account):
        for grant in tested.failed:
            due = tested.attribute.due(grant)
            yield Exceptional(
                tested.attribute.kind,
                due or grant.began_at,
                _about_grant(tested.attribute.kind, grant),
                who=grant.story.requester or "",
                namespace=grant.story.namespace,
                request=grant.story.request,
                role=grant.role,
                records=_evidence(tested.attribute.kind, grant),
            )


def _about_grant(kind: ExceptionKind, grant: ReviewedGrant) -> str:
    story = grant.story
    promised = f"promised end {instant(story.expires_at)}" if story.expires_at is not None else "no end was promised"
    match kind:
        case ExceptionKind.LATE_END:
            late = duration(grant.lateness) if grant.lateness is not None else "an unknown time"
            return f"Ended {late} late: {promised}, gone at {instant(grant.ended_at)}"
        case ExceptionKind.END_MISSING:
            return f"No end in the log: {promised}"
        case ExceptionKind.NOT_REVIEWED if grant.reviewed is not None:
            return f"Taken at {instant(grant.began_at)}; reviewed only after {duration(grant.reviewed.at - grant.began_at)}"
        case ExceptionKind.NOT_REVIEWED:
            return f"Taken at {instant(grant.began_at)}; no review by anybody else in the log"
        case ExceptionKind.LONGER_THAN_ASKED:
            asked = duration(timedelta(seconds=story.duration)) if story.duration is not None else "nothing"
            return f"Asked for {asked}; {promised}, from {instant(story.starts_at or grant.began_at)}"
        case ExceptionKind.UNAPPROVED:
            approved = [f"{one.by} ({_why_not(one, grant)})" for one in grant.said if one.decision == "Approve"]
            return (
                f"Granted with no approval but by {', '.join(approved)}"
                if approved
                else "Granted with no approval in the log"
            )
        case _:
            return kind.meaning


def _why_not(one: Said, grant: ReviewedGrant) -> str:
    if one.by in (grant.story.requester, grant.story.submitted_by):
        return outcome_of("OwnRequest")
    return outcome_of(one.effect) if not one.counted else "recorded after the announcement"


def _evidence(kind: ExceptionKind, grant: ReviewedGrant) -> tuple[Mention, ...]:
    """Return the records that show an exception. For a grant that went wrong at its end: its beginning and its end."""
    records = [grant.activated]
    if kind is ExceptionKind.LATE_END and grant.end is not None:
        records.append(grant.end)
    if kind is ExceptionKind.NOT_REVIEWED:
        records += [grant.reviewed] if grant.reviewed is not None else []
        records += [mention for event, mention in grant.mentions.items() if event == "review.overdue"]
    return tuple(records)


def _of_decision(decision: ReviewedDecision) -> Exceptional:
    is_own = decision.effect == "OwnRequest"
    stage = f" for stage {decision.stage}" if decision.stage else ""
    return Exceptional(
        ExceptionKind.SELF_APPROVAL if is_own else ExceptionKind.DECISION_REFUSED,
        decision.record.at,
        f"{decision.by} decided {decision.decision or 'something'}{stage} on request {decision.request} of "
        f"{decision.requester}: {decision.outcome}",
        who=decision.by,
        namespace=decision.namespace,
        request=decision.request,
        role=decision.role,
        records=(decision.record,),
    )


def _of_event(kind: ExceptionKind, happening: Happening) -> Exceptional:
    return Exceptional(
        kind,
        happening.record.at,
        happening.message,
        who=happening.requester or happening.actor,
        namespace=happening.namespace or str(happening.detail.get("namespace", "")),
        request=happening.request,
        role=happening.role or str(happening.detail.get("role", "")),
        records=(happening.record,),
    )


# --- the log itself


def _of_the_log(account: Account, now: datetime) -> Iterator[Exceptional]:
    yield from _uncovered(account, now)
    outages = tuple(_outages(account))
    for since, until, told in outages:
        records = tuple(one.record for one in told)
        yield Exceptional(
            ExceptionKind.OUTAGE, since, f"{told[0].message} It lasted {duration(until - since)}.", records=records
        )
    for gap in account.gaps:
        if not any(since <= gap.until and until >= gap.since for since, until, _ in outages):
            yield _silent(gap)
    yield from _unattested(account)
    if account.unread:
        yield Exceptional(
            ExceptionKind.UNREAD,
            account.period.begin,
            f"{len(account.unread)} signed lines of the log cannot be read, the first at index {account.unread[0]}",
        )


def _uncovered(account: Account, now: datetime) -> Iterator[Exceptional]:
    period = account.period
    until = min(period.end, now)
    first = account.first_at
    if first is None or account.last_at is None or first > until:
        yield Exceptional(ExceptionKind.NOT_COVERED, period.begin, "The log does not cover the period")
        return
    if first > period.begin:
        yield Exceptional(
            ExceptionKind.NOT_COVERED,
            period.begin,
            f"The log begins at {instant(first)}, {duration(first - period.begin)} after the start of the period",
            records=(account.first,) if account.first is not None else (),
        )
    if account.last_at < until - account.longest_allowed:
        since = max(account.last_at, period.begin)
        yield Exceptional(
            ExceptionKind.NOT_COVERED,
            since,
            f"The given log ends at {instant(account.last_at)}: it does not cover the {duration(until - since)} up to "
            f"{instant(until)}",
            records=(account.last,) if account.last is not None else (),
        )


def _outages(account: Account) -> Iterator[tuple[datetime, datetime, tuple[Happening, ...]]]:
    """Yield the outages in the log: begin, end, and both records of each."""
    recovered = {
        str(one.detail.get("failed")): one for one in account.happenings if one.record.event == "audit.sink_recovered"
    }
    for one in account.happenings:
        if one.record.event == "audit.sink_failed":
            end = recovered.get(one.record.id)
            yield (
                one.record.at,
                end.record.at if end is not None else min(account.last_at or one.record.at, account.period.end),
                (one, end) if end is not None else (one,),
            )


def _silent(gap: Gap) -> Exceptional:
    return Exceptional(
        ExceptionKind.SILENCE,
        gap.since,
        f"No segment for {duration(gap.until - gap.since)}, between segment {gap.before} ({instant(gap.since)}) and "
        f"segment {gap.after} ({instant(gap.until)})",
        records=gap.records,
    )


def _unattested(account: Account) -> Iterator[Exceptional]:
    """Yield the times of the period when the store was not proved to be write-once."""
    if account.first_at is None or account.last_at is None:
        return
    begin, end = account.period.begin, min(account.last_at, account.period.end)
    open_since: datetime | None = account.first_at
    why: tuple[Happening, ...] = ()
    for told in account.attestations:
        if told.detail.get("sufficient") is True:
            if open_since is not None:
                yield from _stretch(max(open_since, begin), min(told.record.at, end), why, told)
            open_since, why = None, ()
        else:
            open_since = open_since or told.record.at
            why = (*why, told)
    if open_since is not None:
        yield from _stretch(max(open_since, begin), end, why, None)


def _stretch(
    since: datetime, until: datetime, why: tuple[Happening, ...], ended_by: Happening | None
) -> Iterator[Exceptional]:
    if until <= since or (not why and until - since <= UNATTESTED_START):
        return
    last = f"{why[-1].message}" if why else "The log has no attestation."
    records = tuple(one.record for one in (*why, *((ended_by,) if ended_by is not None else ())))
    yield Exceptional(ExceptionKind.NOT_WRITE_ONCE, since, f"For {duration(until - since)}: {last}", records=records)
