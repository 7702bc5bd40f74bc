"""The tables of a report as CSV (RFC 4180): what an auditor loads into a tool of their own.

A cell that a spreadsheet would treat as a formula gets an apostrophe in front: people write reasons and tickets.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from curfew.evidence.account import Account
from curfew.evidence.attributes import ATTRIBUTES, verdict
from curfew.evidence.exception_kinds import Exceptional
from curfew.evidence.figures import Figures
from curfew.evidence.frameworks import Framework
from curfew.evidence.grants import Mention, ReviewedDecision, ReviewedGrant
from curfew.evidence.sampling import SampledGrant

Row = Mapping[str, str | int | None]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Return a table as CSV. The header is always included."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(row.get(name)) for name in columns} for row in rows)
    return text.getvalue()


def _cell(value: str | int | None) -> str | int:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else value


GRANT_COLUMNS = (
    "index",
    "id",
    "requester",
    "submitted_by",
    "role",
    "namespace",
    "policy",
    "request",
    "request_uid",
    "reason",
    "ticket",
    "how",
    "asked_at",
    "decided_at",
    "approved_by",
    "approved_for_stages",
    "seconds_to_decision",
    "began_at",
    "promised_end",
    "ended_at",
    "seconds_late",
    "ended_by",
    "end_reason",
    "began_before_period",
    "records",
)
"""The columns of the population. `index` and `id` are those of the grant.activated record; times RFC 3339 in UTC."""


def grant_row(grant: ReviewedGrant, account: Account) -> Row:
    """Return a grant as a row of the population."""
    story = grant.story
    return {
        "index": grant.activated.index,
        "id": grant.activated.id,
        "requester": story.requester,
        "submitted_by": story.submitted_by,
        "role": grant.role,
        "namespace": story.namespace,
        "policy": grant.policy,
        "request": story.request,
        "request_uid": story.uid,
        "reason": story.reason,
        "ticket": story.ticket,
        "how": str(grant.mode),
        "asked_at": rfc3339(grant.asked_at),
        "decided_at": rfc3339(story.decided_at),
        "approved_by": "; ".join(one.by for one in grant.approvals),
        "approved_for_stages": "; ".join(one.stage for one in grant.approvals),
        "seconds_to_decision": _seconds(grant.time_to_decision),
        "began_at": rfc3339(grant.began_at),
        "promised_end": rfc3339(story.expires_at),
        "ended_at": rfc3339(grant.ended_at),
        "seconds_late": _seconds(grant.lateness),
        "ended_by": grant.end.event if grant.end is not None else None,
        "end_reason": story.end_reason,
        "began_before_period": "yes" if grant.began_at < account.period.begin else "no",
        "records": _records(grant.records),
    }


DECISION_COLUMNS = (
    "index",
    "id",
    "event",
    "at",
    "by",
    "decision",
    "stage",
    "reason",
    "effect",
    "namespace",
    "request",
    "requester",
    "role",
    "seconds_after_request",
)
"""The columns of the decisions."""


def decision_row(decision: ReviewedDecision) -> Row:
    """Return a decision as a row."""
    return {
        "index": decision.record.index,
        "id": decision.record.id,
        "event": decision.record.event,
        "at": rfc3339(decision.record.at),
        "by": decision.by,
        "decision": decision.decision,
        "stage": decision.stage,
        "reason": decision.reason,
        "effect": decision.effect,
        "namespace": decision.namespace,
        "request": decision.request,
        "requester": decision.requester,
        "role": decision.role,
        "seconds_after_request": _seconds(decision.took),
    }


EXCEPTION_COLUMNS = (
    "number",
    "severity",
    "kind",
    "at",
    "what",
    "who",
    "namespace",
    "request",
    "role",
    "records",
    "ids",
)
"""The columns of the exceptions."""


def exception_row(number: int, one: Exceptional) -> Row:
    """Return an exception as a row; `number` is its number in the report."""
    return {
        "number": number,
        "severity": str(one.kind.severity),
        "kind": str(one.kind),
        "at": rfc3339(one.at),
        "what": one.what,
        "who": one.who,
        "namespace": one.namespace,
        "request": one.request,
        "role": one.role,
        "records": _records(one.records),
        "ids": " ".join(record.id for record in one.records),
    }


SAMPLE_COLUMNS = ("draw", "rank", *GRANT_COLUMNS, *(attribute.letter for attribute in ATTRIBUTES))
"""The columns of the samples: the draw, the grant, and the outcome of each attribute."""


def sample_row(draw: int, sample: SampledGrant, account: Account) -> Row:
    """Return a sample as a row; `draw` is its place in the draw, from 1."""
    return {
        "draw": draw,
        "rank": sample.rank,
        **grant_row(sample.grant, account),
        **{attribute.letter: outcome(verdict(attribute, sample.grant, account)) for attribute in ATTRIBUTES},
    }


def outcome(passed: bool | None) -> str:
    """Return the outcome of an attribute in a word."""
    return {True: "passed", False: "failed", None: "not due"}[passed]


CONTROL_COLUMNS = ("control", "title", "asks", "shows", "tables", "exceptions", "exception_kinds", "cannot_show")
"""The columns of the controls."""


def control_rows(framework: Framework, figures: Figures) -> Iterable[Row]:
    """Yield the controls of a framework as rows, and then the controls for which the log shows nothing."""
    for control in framework.controls:
        yield {
            "control": control.id,
            "title": control.title,
            "asks": control.asks,
            "shows": " ".join(control.shows(figures)),
            "tables": "; ".join(control.tables),
            "exceptions": sum(figures.by_kind[kind] for kind in control.kinds),
            "exception_kinds": "; ".join(str(kind) for kind in control.kinds if figures.by_kind[kind]),
            "cannot_show": " ".join(control.cannot),
        }
    for id_, why in framework.silent:
        yield {"control": id_, "shows": "nothing", "cannot_show": why}


def _records(mentions: Iterable[Mention]) -> str:
    return " ".join(f"{mention.index}:{mention.event}" for mention in mentions)


def rfc3339(at: datetime | None) -> str | None:
    """Return an instant as RFC 3339 in UTC, or None."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def _seconds(length: timedelta | None) -> str | None:
    if length is None:
        return None
    return f"{length.total_seconds():.3f}".rstrip("0").rstrip(".")
