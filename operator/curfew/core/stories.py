"""The story of a request: what every record about the request contains, and the records without a status to be put in."""

from collections.abc import Iterable
from datetime import datetime

from curfew.api.access_request import Decision, Phase, Review, Terms
from curfew.api.times import format_time
from curfew.audit import record as audit
from curfew.audit.record import CURFEW, Record, Story, make_record
from curfew.core import lifecycle, wording
from curfew.core.approval import owes_review
from curfew.core.bindings import Binding
from curfew.core.facts import Facts
from curfew.core.locked_out import counting
from curfew.core.notices import Notice, about_deleted
from curfew.core.reasons import Reason
from curfew.core.seals import Strange

GRANTED = ("grant.intended", "grant.activated")
"""The last milestones of a story in which somebody had, or may have, access."""


def story(
    facts: Facts,
    new: tuple[tuple[Decision, Review], ...] = (),
    *,
    terms: Terms | None = None,
    binding: Binding | None = None,
) -> Story:
    """Return who, what, when, where, why and who agreed, as known now."""
    request, status = facts.request, facts.request.status
    meta, spec = request.metadata, request.spec
    terms = terms or status.terms
    seen = {(review.by, review.decision): review for review in (*status.reviews, *(review for _, review in new))}
    binding = binding or facts.binding or facts.lost
    if binding is not None:
        bound = audit.BindingRef(name=binding.name, uid=binding.uid)
    elif status.grant is not None:
        bound = audit.BindingRef(name=status.grant.binding, uid=status.grant.uid)
    else:
        bound = None
    return Story(
        uid=meta.uid,
        namespace=meta.namespace,
        request=meta.name,
        requester=spec.requester,
        submitted_by=spec.submitted_by,
        reason=spec.reason,
        ticket=spec.ticket,
        duration=int(spec.duration.total_seconds()),
        not_before=spec.not_before,
        not_after=spec.not_after,
        policy=audit.PolicyRef(name=terms.policy.name, uid=terms.policy.uid, generation=terms.policy.generation)
        if terms is not None
        else None,
        role=audit.RoleRef(
            kind=str(terms.role.kind), name=terms.role.name, uid=terms.role.uid, rules_digest=terms.role.rules_digest
        )
        if terms is not None
        else None,
        binding=bound,
        decisions=tuple(
            audit.DecisionRef(
                by=decision.by,
                decision=str(decision.decision),
                stage=decision.stage,
                reason=None,  # only the decision's own record has it: a status has to hold many records
                seen_at=seen[decision.by, decision.decision].seen_at,
            )
            for decision in status.decisions
            if (decision.by, decision.decision) in seen
        ),
        decide_by=status.decide_by,
        decided_at=status.decided_at,
        starts_at=status.starts_at,
        granted_at=status.granted_at,
        expires_at=status.expires_at,
        ended_at=status.ended_at,
        end_reason=status.end_reason,
    )


def deleted(facts: Facts) -> tuple[Record, ...]:
    """Return the last records of a request that was deleted before its story was over."""
    status = facts.request.status
    if status.phase is None or (status.phase in lifecycle.FINAL and not owes_review(counting(facts))):
        return ()
    return gone(story(facts), at=facts.now, was_granted=_was_granted(facts))


def deleted_notices(facts: Facts) -> tuple[Notice, ...]:
    """Return the Event about access that ended because its request was deleted."""
    if facts.request.status.phase in lifecycle.FINAL or not _was_granted(facts):
        return ()
    return (about_deleted(story(facts)),)


def _was_granted(facts: Facts) -> bool:
    phase = facts.request.status.phase
    return phase not in lifecycle.FINAL and (
        phase is Phase.ACTIVE or facts.lost is not None or facts.binding is not None
    )


def gone(told: Story, *, at: datetime, was_granted: bool) -> tuple[Record, ...]:
    """Return the records that close the story of a request that is no longer there."""
    what = [("request.deleted", f"it was deleted; {wording.shown_by_audit_log(told.uid)}")]
    if was_granted:
        what.append(("grant.revoked", "its access ended with it"))
    return _ended(told, (*what, ("request.closed", "the story ends with its deletion")), Reason.REQUEST_DELETED, at)


def unreadable(last: Record, *, at: datetime) -> tuple[Record, ...]:
    """Return the records that close the story of a request that cannot be read any more. `last` is its last record in the log.

    If that record cannot be read either, nothing can be closed.
    """
    try:
        told = Story.of(last)
    except audit.RecordRefused:
        return ()
    what = [("grant.revoked", "the access was ended: the request cannot be read")] if last.event in GRANTED else []
    return _ended(told, (*what, ("request.closed", "the story ends unreadable")), Reason.REQUEST_UNREADABLE, at)


def _ended(told: Story, what: Iterable[tuple[str, str]], reason: Reason, at: datetime) -> tuple[Record, ...]:
    """Return a record for each event and sentence, about a story that is over."""
    return tuple(
        make_record(
            event,
            at=at,
            actor=CURFEW,
            message=f"request {told.request} of {told.requester}: {sentence}",
            story=audit.with_end(told, ended_at=at, end_reason=str(reason)),
            detail={"end_reason": str(reason)},
        )
        for event, sentence in what
    )


def outbox_altered(facts: Facts, strange: Strange) -> Record:
    """Return the record of outbox entries that are not believed: one per hour, because anything may be put there."""
    request = facts.request
    return make_record(
        "request.outbox_altered",
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester}: status.outbox held entries that did not "
        f"come from Curfew and were left out ({strange.entries}): {strange.why}",
        story=story(facts),
        qualifier=f"{facts.now:%Y-%m-%dT%H}",
        success=False,
        detail={"entries": strange.entries, "digest": strange.digest, "why": strange.why},
    )


def role_changed(facts: Facts, how: str, rules_digest: str) -> Record:
    """Return the record of a role whose rules were changed during a grant."""
    request = facts.request
    return make_record(
        "grant.role_changed",
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester}: {how} during the grant",
        story=story(facts),
        qualifier=rules_digest,
        detail={"rules_digest": rules_digest},
    )


def of_binding(binding: Binding) -> Story:
    """Return the story that a binding contains about the request that it claims to be for."""
    return Story(
        uid=binding.claim,
        namespace=binding.namespace,
        request=binding.request,
        requester=binding.subjects[0][1] if len(binding.subjects) == 1 else None,
        binding=audit.BindingRef(name=binding.name, uid=binding.uid),
        expires_at=binding.expires_at,
    )


def removal_failed(
    told: Story, binding: Binding, reason: Reason, *, since: datetime, at: datetime, problem: str
) -> Record:
    """Return the record of a binding that should have been removed at `since` and still exists: one for each binding."""
    seconds = round((at - since).total_seconds())
    return make_record(
        "grant.removal_failed",
        at=at,
        actor=CURFEW,
        message=f"RoleBinding {binding.name} in {binding.namespace} has to be removed, but this has failed for "
        f"{seconds} s; Curfew tries again: {problem}",
        story=told,
        qualifier=binding.uid,
        success=False,
        detail={"end_reason": str(reason), "since": format_time(since), "seconds": seconds, "problem": problem},
    )


def orphan_removed(binding: Binding, *, at: datetime, why: str) -> Record:
    """Return the record of a binding that carried our label and had no right to exist."""
    return make_record(
        "grant.orphan_removed",
        at=at,
        actor=CURFEW,
        message=f"RoleBinding {binding.name} in {binding.namespace} was removed: {why}",
        story=of_binding(binding),
        qualifier=f"{binding.uid}/{format_time(at)}",  # a restored etcd brings it back with the same UID
        detail={"role": " ".join(binding.role), "subjects": [" ".join(subject) for subject in binding.subjects]},
    )
