"""The story of a request: what each transition writes into the status, the trail and the Events.

The word in the table is the word in the record, the reason of the condition, the Event and the docs.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from curfew.api.access_policy import Mode
from curfew.api.access_request import AccessRequest, Decision, DecisionKind, Phase, Review, Terms
from curfew.api.names import API_VERSION
from curfew.api.times import format_duration, format_time
from curfew.audit import record as audit
from curfew.audit.record import Record, Story, make_record, record_id
from curfew.core import lifecycle, wording
from curfew.core.approval import tally
from curfew.core.bindings import Binding
from curfew.core.conditions import ACTIVE, APPROVED, READY, Observation
from curfew.core.facts import Facts, Intent
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice, Regarding
from curfew.core.reasons import Reason

CURFEW = "curfew"
"""The actor of what no person did."""


def outbox(request: AccessRequest) -> tuple[Record, ...]:
    """Return the records in a request's status that are not yet known to be durable."""
    return tuple(Record.parse(body) for body in request.status.outbox)


def intent_id(request: AccessRequest) -> str:
    """Return the id of the record that announces a request's grant: one a request, whoever announces it."""
    return record_id(request.metadata.uid, "grant.intended")


# --- what people decided --------------------------------------------------------------------------------------------


def unseen(request: AccessRequest) -> tuple[Decision, ...]:
    """Return the decisions of which the status does not yet say when they were seen."""
    seen = {(review.by, review.decision) for review in request.status.reviews}
    return tuple(decision for decision in request.status.decisions if (decision.by, decision.decision) not in seen)


def new_reviews(facts: Facts) -> tuple[tuple[Decision, Review], ...]:
    """Return each decision that is seen for the first time, and what became of it."""
    return tuple(
        (
            decision,
            Review(
                by=decision.by,
                decision=decision.decision,
                stage=decision.stage,
                seen_at=facts.now,
                effect=_effect(decision, facts),
            ),
        )
        for decision in unseen(facts.request)
    )


def _effect(decision: Decision, facts: Facts) -> str:
    request = facts.request
    if decision.decision is not DecisionKind.APPROVE:
        return "TookEffect"
    if decision.by in (request.spec.requester, request.spec.submitted_by):
        return "OwnRequest"
    decide_by = request.status.decide_by
    if request.status.phase is Phase.PENDING and decide_by is not None and decide_by <= facts.now:
        return "TooLate"
    stages = {stage.name for stage in facts.policy.spec.approval.stages} if facts.policy is not None else set()
    if decision.stage and decision.stage not in stages:
        return "UnknownStage"
    return "Counted"


def reviews_patch(facts: Facts, new: tuple[tuple[Decision, Review], ...]) -> dict[str, Any]:
    """Return the part of the status that says when each decision was seen, if there is anything new in it."""
    if not new:
        return {}
    reviews = (*facts.request.status.reviews, *(review for _, review in new))
    return {"reviews": [review.model_dump(by_alias=True, exclude_none=True, mode="json") for review in reviews]}


def submitted(facts: Facts, new: tuple[tuple[Decision, Review], ...]) -> tuple[Record, ...]:
    """Return a record for each decision that is seen for the first time."""
    return tuple(
        make_record(
            "review.submitted",
            at=review.seen_at,
            actor=decision.by,
            message=_decision_sentence(facts.request, decision, review),
            story=story(facts, new),
            qualifier=f"{decision.by}/{decision.decision}",
            success=review.effect in ("Counted", "TookEffect"),
            detail={
                "decision": str(decision.decision),
                "effect": review.effect,
                **({"stage": decision.stage} if decision.stage else {}),
                **({"reason": decision.reason} if decision.reason else {}),
            },
        )
        for decision, review in new
    )


def _decision_sentence(request: AccessRequest, decision: Decision, review: Review) -> str:
    verb = {"Approve": "approved", "Deny": "denied", "Revoke": "revoked", "Cancel": "cancelled"}[decision.decision]
    stage = f" for stage {decision.stage}" if decision.stage else ""
    why = f": {decision.reason}" if decision.reason else ""
    lost = f" (it did not count: {review.effect})" if review.effect not in ("Counted", "TookEffect") else ""
    return f"{decision.by} {verb} request {request.metadata.name} of {request.spec.requester}{stage}{why}{lost}"


def review_notices(facts: Facts, new: tuple[tuple[Decision, Review], ...]) -> tuple[Notice, ...]:
    """Return an Event for each decision that is seen for the first time."""
    return tuple(
        _notice(
            facts.request,
            "Normal" if review.effect in ("Counted", "TookEffect") else "Warning",
            "ReviewSubmitted",
            "Review",
            _decision_sentence(facts.request, decision, review),
            key=f"review.submitted/{decision.by}/{decision.decision}",
        )
        for decision, review in new
    )


# --- the block that every record carries ----------------------------------------------------------------------------


def story(
    facts: Facts,
    new: tuple[tuple[Decision, Review], ...] = (),
    *,
    terms: Terms | None = None,
    binding: Binding | None = None,
    **times: Any,
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
    known: dict[str, Any] = {
        "decide_by": status.decide_by,
        "decided_at": status.decided_at,
        "starts_at": status.starts_at,
        "granted_at": status.granted_at,
        "expires_at": status.expires_at,
        "ended_at": status.ended_at,
        "end_reason": status.end_reason,
    }
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
                reason=decision.reason,
                seen_at=seen[decision.by, decision.decision].seen_at,
            )
            for decision in status.decisions
            if (decision.by, decision.decision) in seen
        ),
        **(known | times),
    )


# --- the announcement -----------------------------------------------------------------------------------------------


def announced(facts: Facts, starts_at: datetime, expires_at: datetime) -> tuple[Record, ...]:
    """Return the records that must be durable before a binding is made, the announcement last (promise P2)."""
    request, new = facts.request, new_reviews(facts)
    intended = make_record(
        "grant.intended",
        at=facts.now,
        actor=CURFEW,
        message=f"{request.spec.requester} will hold {wording.role(request)} in {request.metadata.namespace} "
        f"until {format_time(expires_at)} (request {request.metadata.name})",
        story=story(
            facts, new, decided_at=request.status.decided_at or facts.now, starts_at=starts_at, expires_at=expires_at
        ),
        detail={
            "terms": request.status.terms.digest if request.status.terms is not None else "",
            "rules": [dict(rule) for rule in facts.role.rules] if facts.role is not None else [],
        },
    )
    return (*submitted(facts, new), _approved(facts, new), intended)


def read_intent(record: Record, *, receipt: Any, is_own: bool) -> Intent:
    """Read an announcement back, as the decision about the binding needs it."""
    told = Story.of(record)
    if told.starts_at is None or told.expires_at is None:
        raise ValueError(f"record {record.id} announces a grant without its window")
    return Intent(starts_at=told.starts_at, expires_at=told.expires_at, receipt=receipt, is_own=is_own)


def _approved(facts: Facts, new: tuple[tuple[Decision, Review], ...]) -> Record:
    request = facts.request
    is_automatic = facts.policy is not None and facts.policy.spec.approval.mode is Mode.AUTOMATIC
    by = [decision.by for decision in request.status.decisions if decision.decision is DecisionKind.APPROVE]
    who = "its policy grants without review" if is_automatic else f"approved by {', '.join(by)}"
    return make_record(
        "review.auto_approved" if is_automatic else "review.approved",
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester} is approved: {who}",
        story=story(facts, new, decided_at=request.status.decided_at or facts.now),
    )


# --- a transition ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One transition of one request, and all that is written because of it."""

    facts: Facts
    event: Event
    phase: Phase
    reason: Reason | None = None  # why it is over; None while it is not
    detail: str = ""
    ended_at: datetime | None = None
    terms: Terms | None = None  # ACCEPT: what was pinned
    binding: Binding | None = None  # GRANT: the binding that was read back
    active: Observation | None = field(default=None)

    @cached_property
    def reviews(self) -> tuple[tuple[Decision, Review], ...]:
        """The decisions seen for the first time."""
        return new_reviews(self.facts)

    @property
    def is_over(self) -> bool:
        """Whether the request ends with it."""
        return self.phase in lifecycle.FINAL

    def status(self) -> dict[str, Any]:
        """Return what the transition changes in the status, but for reviews, outbox and conditions."""
        facts, request, now = self.facts, self.facts.request, self.facts.now
        status: dict[str, Any] = {"phase": str(self.phase), "observedGeneration": request.metadata.generation}
        if self.terms is not None and facts.policy is not None:
            status["decisions"] = []
            status["approvals"] = str(tally(facts.policy.spec.approval, request))
            status["terms"] = self.terms.model_dump(by_alias=True, exclude_none=True, mode="json")
            status["decideBy"] = format_time((now + facts.policy.spec.decide_within).replace(microsecond=0))
        if self.event in (Event.APPROVE, Event.GRANT):
            if facts.policy is not None:
                status["approvals"] = str(tally(facts.policy.spec.approval, request))
            if request.status.decided_at is None:
                status["decidedAt"] = format_time(now)
        if self.binding is not None and self.binding.receipt is not None:
            status["startsAt"] = format_time(self.binding.starts_at or self.binding.created_at)
            status["grantedAt"] = format_time(self.binding.created_at)
            if self.binding.expires_at is not None:
                status["expiresAt"] = format_time(self.binding.expires_at)
            status["grant"] = {
                "binding": self.binding.name,
                "uid": self.binding.uid,
                "receipt": self.binding.receipt.to_json(),
            }
        if self.is_over:
            status["endedAt"] = format_time(self.ended_at or now)
            status["endReason"] = str(self.reason)
        return status

    def observations(self) -> tuple[Observation, ...]:
        """Return what the transition makes the conditions say, but for Recorded."""
        if self.event is Event.ACCEPT:
            return (
                Observation(READY, True, "Accepted", "the request is understood and its terms are pinned"),
                Observation(APPROVED, False, "WaitingForApproval", "people have to agree"),
                Observation(ACTIVE, False, "NotGranted", "nothing is granted yet"),
            )
        if self.event is Event.REJECT:
            return (
                Observation(READY, False, str(self.reason), self.detail),
                Observation(APPROVED, False, str(self.reason), self.detail),
                Observation(ACTIVE, False, str(self.reason), "nothing was granted"),
            )
        if self.event is Event.APPROVE:
            waits = "its start" if self.facts.trail.ok else "the trail"
            return (
                Observation(APPROVED, True, "Approved", "enough people agreed"),
                Observation(ACTIVE, False, "Waiting", f"the grant waits for {waits}"),
            )
        if self.event is Event.GRANT:
            approved = Observation(APPROVED, True, "Approved", "enough people agreed")
            return (approved, self.active) if self.active is not None else (approved,)
        if self.active is not None:  # a grant is over; that people agreed stays true
            return (self.active,)
        not_active = Observation(ACTIVE, False, str(self.reason), "nothing was granted")
        if self.facts.request.status.phase is Phase.APPROVED:
            return (not_active,)
        return (Observation(APPROVED, False, str(self.reason), self.detail), not_active)

    def records(self) -> tuple[Record, ...]:
        """Return the records of the transition, in the order in which they happened."""
        before = submitted(self.facts, self.reviews)
        made: tuple[Record, ...]
        match self.event:
            case Event.ACCEPT:
                made = (self._created(), self._record("request.accepted", self._accepted_sentence()))
            case Event.REJECT:
                made = (
                    self._created(),
                    self._record("request.rejected", f"it was refused: {self.detail}", success=False),
                )
            case Event.APPROVE:
                made = (_approved(self.facts, self.reviews),)
            case Event.GRANT:
                made = (_approved(self.facts, self.reviews), self._record("grant.activated", self._active_sentence()))
            case Event.DENY:
                made = (self._record("review.denied", self.detail, actor=self._decider(DecisionKind.DENY)),)
            case Event.CANCEL:
                made = (self._record("request.cancelled", self.detail, actor=self._decider(DecisionKind.CANCEL)),)
            case Event.TIME_OUT:
                made = (self._record("request.timed_out", self.detail),)
            case Event.FAIL:
                made = (self._record("grant.activation_failed", self.detail, success=False),)
            case Event.EXPIRE:
                made = (self._record("grant.expired", self.detail, **self._lateness()),)
            case Event.REVOKE:
                made = self._revoked()
        if self.is_over and self.event is not Event.FAIL and self.facts.intent is not None and self._never_active:
            made = (
                *made,
                self._record("grant.activation_failed", "it was over before the grant was made", success=False),
            )
        return (*before, *made, self._closed()) if self.is_over else (*before, *made)

    @property
    def _never_active(self) -> bool:
        return self.facts.request.status.phase is not Phase.ACTIVE

    def _record(self, event: str, what: str, *, actor: str = CURFEW, success: bool = True, **detail: Any) -> Record:
        request = self.facts.request
        return make_record(
            event,
            at=self.facts.now,
            actor=actor,
            message=f"request {request.metadata.name} of {request.spec.requester}: {what}",
            story=self._story(),
            success=success,
            detail={"end_reason": str(self.reason), **detail} if self.reason is not None else detail,
        )

    def _story(self) -> Story:
        times: dict[str, Any] = {}
        if self.event in (Event.APPROVE, Event.GRANT):
            times["decided_at"] = self.facts.request.status.decided_at or self.facts.now
        if self.binding is not None:
            times["starts_at"] = self.binding.starts_at
            times["granted_at"] = self.binding.created_at
            times["expires_at"] = self.binding.expires_at
        if self.is_over:
            times["ended_at"] = self.ended_at or self.facts.now
            times["end_reason"] = str(self.reason)
        return story(self.facts, self.reviews, terms=self.terms, binding=self.binding, **times)

    def _created(self) -> Record:
        request, spec = self.facts.request, self.facts.request.spec
        ticket = f" (ticket {spec.ticket})" if spec.ticket else ""
        return make_record(
            "request.created",
            at=request.metadata.creation_timestamp or self.facts.now,
            actor=spec.submitted_by,
            message=f"{spec.requester} asks for AccessPolicy {spec.policy_name} in {request.metadata.namespace} "
            f"for {format_duration(spec.duration)}: {spec.reason}{ticket}",
            story=self._story(),
        )

    def _accepted_sentence(self) -> str:
        assert self.facts.policy is not None  # noqa: S101  ACCEPT needs a policy
        count = tally(self.facts.policy.spec.approval, self.facts.request)
        if not count.needed:
            return "it was accepted; its policy grants without review"
        stages = ", ".join(stage for stage in count.missing if stage)
        return f"it was accepted and needs {count.needed} to agree" + (f" (stages {stages})" if stages else "")

    def _active_sentence(self) -> str:
        request, binding = self.facts.request, self.binding
        until = format_time(binding.expires_at) if binding is not None and binding.expires_at is not None else "?"
        return f"{request.spec.requester} holds {wording.role(request)} in {request.metadata.namespace} until {until}"

    def _decider(self, kind: DecisionKind) -> str:
        return next((d.by for d in self.facts.request.status.decisions if d.decision is kind), CURFEW)

    def _lateness(self) -> dict[str, Any]:
        expires_at, ended_at = self.facts.request.status.expires_at, self.ended_at
        if expires_at is None or ended_at is None:
            return {}
        return {"late_ms": max(0, round((ended_at - expires_at).total_seconds() * 1000))}

    def _revoked(self) -> tuple[Record, ...]:
        match self.reason:
            case Reason.BINDING_REMOVED:
                return (self._record("grant.binding_removed", self.detail),)
            case Reason.BINDING_TAMPERED | Reason.EXPIRY_MISSING | Reason.BINDING_UNANNOUNCED:
                return (
                    self._record("grant.drifted", self.detail, success=False),
                    self._record("grant.revoked", f"the access was ended: {self.detail}"),
                )
            case Reason.REVOKED_BY_APPROVER:
                return (self._record("grant.revoked", self.detail, actor=self._decider(DecisionKind.REVOKE)),)
            case Reason.RELEASED_BY_REQUESTER:
                return (self._record("grant.revoked", self.detail, actor=self._decider(DecisionKind.CANCEL)),)
            case _:
                return (self._record("grant.revoked", self.detail),)

    def _closed(self) -> Record:
        status = self.facts.request.status
        reviews = (*status.reviews, *(review for _, review in self.reviews))
        return self._record(
            "request.closed",
            f"the story ends as {self.phase}",
            phase=str(self.phase),
            decisions=len(reviews),
            approvals=sum(1 for review in reviews if review.effect == "Counted"),
        )

    def notices(self) -> tuple[Notice, ...]:
        """Return the Events of the transition: on the request, and for a grant and its end on the namespace as well."""
        request = self.facts.request
        reason, action, what = _EVENTS[self.event]
        if self.event is Event.GRANT:
            note = self._active_sentence()
        elif self.event is Event.ACCEPT:
            note = f"{self._created().message}; {self._accepted_sentence()}"
        else:
            note = f"request {request.metadata.name} of {request.spec.requester} {what}" + (
                f": {self.detail}" if self.detail else ""
            )
        is_bad = self.event in (Event.REJECT, Event.FAIL) or self.reason in (
            Reason.BINDING_REMOVED,
            Reason.BINDING_TAMPERED,
            Reason.BINDING_UNANNOUNCED,
            Reason.EXPIRY_MISSING,
        )
        told = _notice(request, "Warning" if is_bad else "Normal", reason, action, note, key=str(self.event))
        if self.event not in (Event.GRANT, Event.EXPIRE, Event.REVOKE):
            return (told,)
        return (told, _on_namespace(told))


_EVENTS: dict[Event, tuple[str, str, str]] = {
    # event: reason of the Event, what Curfew did, how it is told
    Event.ACCEPT: ("Accepted", "Accept", "was accepted"),
    Event.REJECT: ("Rejected", "Reject", "can never be granted as written"),
    Event.APPROVE: ("Approved", "Approve", "was approved and waits to begin"),
    Event.GRANT: ("Granted", "Grant", "was granted"),
    Event.DENY: ("Denied", "Deny", "was denied"),
    Event.TIME_OUT: ("TimedOut", "TimeOut", "timed out"),
    Event.CANCEL: ("Cancelled", "Cancel", "was cancelled"),
    Event.FAIL: ("Failed", "Fail", "failed, and nothing is granted"),
    Event.EXPIRE: ("Expired", "Expire", "expired, and its access is gone"),
    Event.REVOKE: ("Revoked", "Revoke", "was ended early, and its access is gone"),
}


def _notice(request: AccessRequest, type_: Any, reason: str, action: str, note: str, *, key: str) -> Notice:
    meta = request.metadata
    return Notice(
        namespace=meta.namespace,
        regarding=Regarding(
            api_version=API_VERSION, kind="AccessRequest", name=meta.name, namespace=meta.namespace, uid=meta.uid
        ),
        type=type_,
        reason=reason,
        action=action,
        note=note[:1024],
        key=f"{meta.uid}/{key}",
    )


def _on_namespace(notice: Notice) -> Notice:
    return Notice(
        namespace=notice.namespace,
        regarding=Regarding(
            api_version="v1", kind="Namespace", name=notice.namespace, namespace=notice.namespace, uid=""
        ),
        type=notice.type,
        reason=notice.reason,
        action=notice.action,
        note=notice.note,
        key=f"{notice.key}/namespace",
    )


def trail_notice(facts: Facts) -> Notice:
    """Return the Event that says that a request waits for the trail, once an outage."""
    return _notice(
        facts.request,
        "Warning",
        facts.trail.reason,
        "Wait",
        f"request {facts.request.metadata.name} waits: {facts.trail.message}",
        key=f"trail/{format_time(facts.trail.since)}",
    )


# --- what has no status to stand in ---------------------------------------------------------------------------------


def deleted(facts: Facts) -> tuple[Record, ...]:
    """Return the last records of a request that was deleted before its story was over."""
    status = facts.request.status
    if status.phase is None or status.phase in lifecycle.FINAL:
        return ()
    return gone(story(facts), at=facts.now, was_granted=_was_granted(facts))


def _was_granted(facts: Facts) -> bool:
    return facts.request.status.phase is Phase.ACTIVE or facts.lost is not None or facts.binding is not None


def gone(told: Story, *, at: datetime, was_granted: bool) -> tuple[Record, ...]:
    """Return the records that close the story of a request that is no longer there."""
    ended = audit.with_end(told, ended_at=at, end_reason=str(Reason.REQUEST_DELETED))

    def tell(event: str, what: str) -> Record:
        return make_record(
            event,
            at=at,
            actor=CURFEW,
            message=f"request {told.request} of {told.requester}: {what}",
            story=ended,
            detail={"end_reason": str(Reason.REQUEST_DELETED)},
        )

    records = [tell("request.deleted", "it was deleted")]
    if was_granted:
        records.append(tell("grant.revoked", "its access ended with it"))
    records.append(tell("request.closed", "the story ends with its deletion"))
    return tuple(records)


def orphan_removed(binding: Binding, *, at: datetime, why: str) -> Record:
    """Return the record of a binding that carried our label and had no right to exist."""
    return make_record(
        "grant.orphan_removed",
        at=at,
        actor=CURFEW,
        message=f"RoleBinding {binding.name} in {binding.namespace} was removed: {why}",
        story=Story(
            uid=binding.request_uid,
            namespace=binding.namespace,
            request=binding.request,
            requester=", ".join(name for _, name in binding.subjects) or None,
            binding=audit.BindingRef(name=binding.name, uid=binding.uid),
        ),
        qualifier=binding.uid,
        detail={"role": " ".join(binding.role), "subjects": [" ".join(subject) for subject in binding.subjects]},
    )


def orphan_notice(binding: Binding, why: str) -> Notice:
    """Return the Event about a binding that carried our label and had no right to exist."""
    return Notice(
        namespace=binding.namespace,
        regarding=Regarding(
            api_version="v1", kind="Namespace", name=binding.namespace, namespace=binding.namespace, uid=""
        ),
        type="Warning",
        reason="OrphanRemoved",
        action="Remove",
        note=f"RoleBinding {binding.name} was removed: {why}"[:1024],
        key=f"orphan/{binding.uid}",
    )
