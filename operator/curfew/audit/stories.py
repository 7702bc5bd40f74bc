"""The story of a request, joined from its records: a record need not repeat the fields of an earlier one."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from curfew.audit.record import Record, RecordRefused, Story

Told = Mapping[str, Any]
"""A story as JSON: the `story` of a record, or of several."""

ENDS = ("grant.expired", "grant.revoked", "grant.binding_removed")
"""The events that end a grant. Each states that the binding was read back as gone."""

AFTER_CLOSED = frozenset(
    {
        *("review.submitted", "review.refused", "review.overdue"),
        *("grant.orphan_removed", "grant.removal_failed", "grant.drifted", "request.outbox_altered"),
    }
)
"""The events that may follow the end of a story: somebody keeps what is left, or etcd was restored."""

_BARE = "duration"  # a story that was read from a binding alone lacks this field


def join(told: Told, record: Record) -> Told:
    """Return a story with the fields of one more record. `record` comes after those that `told` was joined from.

    The newer record wins, with two exceptions. A story that was read from a binding alone only fills gaps: the person
    who changed the binding wrote it. And a decision, identified by its person and its kind, keeps what was first
    recorded about it.
    """
    new = record.block.get("story")
    if not isinstance(new, Mapping):
        return told
    joined = {**told, **new} if _BARE in new else {**new, **told}
    decisions: dict[tuple[str, str], Told] = {}
    for one in (*_decisions(told), *_decided(record), *_decisions(new)):
        key = one["by"], one["decision"]
        decisions[key] = {**one, **decisions.get(key, {})}
    if decisions:
        joined["decisions"] = list(decisions.values())
    return joined


def joined(records: Iterable[Record]) -> Story | None:
    """Return the story in the records of one request, in the order of the log; None if none can be read."""
    told: Told = {}
    for record in records:
        told = join(told, record)
    try:
        return read(told)
    except RecordRefused:
        return None


def read(told: Told) -> Story:
    """Read a joined story, or raise `RecordRefused`."""
    return Story.of(Record("", "", "", {"unmapped": {"curfew": {"story": told}}}))


def decision_of(record: Record) -> tuple[str, str] | None:
    """Return the person and the kind of a decision, if the record is about one; each decision has only one record."""
    detail = record.block.get("detail")
    if record.event not in ("review.submitted", "review.refused") or not isinstance(detail, Mapping):
        return None
    decision = detail.get("decision")
    return (str(record.block.get("actor", "")), decision) if isinstance(decision, str) else None


def _decided(record: Record) -> Iterator[Told]:
    """Yield the decision that a record is about: only its own record is sure to have the reason."""
    made = decision_of(record)
    if made is not None:
        by, decision = made
        detail = record.block["detail"]
        known = {name: detail[name] for name in ("stage", "reason") if name in detail}
        yield {"by": by, "decision": decision, **known, "seen_at": record.block.get("at")}


def _decisions(told: Told) -> Iterator[Told]:
    decisions = told.get("decisions")
    for one in decisions if isinstance(decisions, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("by"), str) and isinstance(one.get("decision"), str):
            yield one
