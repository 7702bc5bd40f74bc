"""One transition of one request, and all that is written because of it: status, conditions, records, Events.

The word in the table is the word in the record, the reason of the condition, the Event and the docs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from curfew.api.access_policy import Mode
from curfew.api.access_request import DecisionKind, Phase, Terms
from curfew.api.times import format_duration, format_time
from curfew.audit.record import CURFEW, Record, Story, make_record
from curfew.core import lifecycle, wording
from curfew.core.announcing import approved
from curfew.core.approval import find_decision, owes_review, tally
from curfew.core.bindings import Binding
from curfew.core.conditions import ACTIVE, APPROVED, READY, REVIEWED, STALLED, Observation
from curfew.core.counting import TallyKey
from curfew.core.facts import Facts
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice, about_request, on_namespace
from curfew.core.reasons import Reason
from curfew.core.reviews import NewReviews, closed, new_reviews, submitted
from curfew.core.stories import role_changed, story

REVIEW_WITHIN = timedelta(hours=24)
"""How soon after breaking the glass somebody else has to have looked at it."""

REVIEW_OWED = "somebody who may approve has to look at it and add a Review decision within 24 hours"


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
    counted: TallyKey | None = None  # REJECT: the count that it is in, instead of having records of its own
    active: Observation | None = None  # what condition Active says of a grant, or of one that waits

    @cached_property
    def reviews(self) -> NewReviews:
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
                status["decidedAt"] = format_time(facts.decided_at)
        if self.binding is not None and (self.binding.receipt is not None or self.binding.is_unrecorded):
            status["startsAt"] = format_time(self.binding.starts_at or self.binding.created_at)
            status["grantedAt"] = format_time(self.binding.created_at)
            if self._breaks_glass:
                status["reviewBy"] = format_time(self.binding.created_at + REVIEW_WITHIN)
            if self.binding.expires_at is not None:
                status["expiresAt"] = status["activeUntil"] = format_time(self.binding.expires_at)
            status["grant"] = {
                "binding": self.binding.name,
                "uid": self.binding.uid,
                **({"receipt": self.binding.receipt.to_json()} if self.binding.receipt is not None else {}),
            }
        if self.counted is not None:
            status["countedIn"] = format_time(self.counted.hour)
            if self.counted.is_others:
                status["countedWithOthers"] = True
        if self.is_over:
            status["activeUntil"] = None  # a merge patch removes it
            status["endedAt"] = format_time(self.ended_at or now)
            status["endReason"] = str(self.reason)
        return status

    def observations(self) -> tuple[Observation, ...]:
        """Return what the transition makes the conditions say, but for Recorded."""
        if self.event is Event.ACCEPT:
            return (
                Observation(READY, True, "Accepted", "the request is understood and its terms are pinned"),
                Observation(APPROVED, False, "WaitingForApproval", "people have to agree"),
                Observation(ACTIVE, False, "NotGranted", "waits for people to agree"),
            )
        if self.event is Event.REJECT:
            return (
                Observation(READY, False, str(self.reason), self.detail),
                Observation(APPROVED, False, str(self.reason), self.detail),
                Observation(ACTIVE, False, str(self.reason), f"nothing was granted: {self.detail}"),
                Observation(STALLED, True, str(self.reason), self.detail),
            )
        if self.event is Event.APPROVE:
            approved = Observation(APPROVED, True, "Approved", "enough people agreed")
            return (approved, self.active) if self.active is not None else (approved,)
        if self.event is Event.GRANT:
            observed = [Observation(APPROVED, True, "Approved", "enough people agreed")]
            if self._breaks_glass:
                observed[0] = Observation(APPROVED, True, "BreakGlass", "nobody was asked: the glass was broken")
                observed.append(Observation(REVIEWED, False, "ReviewOwed", REVIEW_OWED))
            return (*observed, self.active) if self.active is not None else tuple(observed)
        if self.active is not None:  # a grant is over; that people agreed stays true
            return (self.active,)
        observed = [Observation(ACTIVE, False, str(self.reason), f"nothing was granted: {self.detail}")]
        if self.event is Event.FAIL:
            observed.append(Observation(STALLED, True, str(self.reason), self.detail))
        if self.facts.request.status.phase is not Phase.APPROVED:
            observed.append(Observation(APPROVED, False, str(self.reason), self.detail))
        return tuple(observed)

    def records(self) -> tuple[Record, ...]:
        """Return the records of the transition, in the order in which they happened; none for one that is counted."""
        if self.counted is not None:
            return ()
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
                made = (approved(self.facts, self.reviews),)
            case Event.GRANT:
                made = (self._record("grant.activated", self._active_sentence()),)
                if self.facts.request.status.phase is Phase.PENDING:  # else it was told when it became Approved
                    made = (approved(self.facts, self.reviews), *made)
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
        is_told = self.is_over and not owes_review(self.facts.request)  # a broken glass is closed by its review
        return (
            (*before, *made, closed(self.facts, self.reviews, str(self.phase), self._story()))
            if is_told
            else (*before, *made)
        )

    @property
    def _breaks_glass(self) -> bool:
        terms = self.facts.request.status.terms
        return terms is not None and terms.mode is Mode.BREAK_GLASS

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
            times["decided_at"] = self.facts.decided_at
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

    def _decider(self, *kinds: DecisionKind) -> str:
        decision = find_decision(self.facts.request, *kinds)
        return decision.by if decision is not None else CURFEW

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
            case Reason.ROLE_CHANGED | Reason.ROLE_IS_PERMANENT:
                seen = self.facts.role_seen
                return (
                    role_changed(self.facts, self.detail, seen.rules_digest if seen is not None else ""),
                    self._record("grant.revoked", f"the access was ended: {self.detail}"),
                )
            case Reason.REVOKED_BY_APPROVER:
                decider = self._decider(DecisionKind.REVOKE, DecisionKind.DENY)  # a no may race the binding
                return (self._record("grant.revoked", self.detail, actor=decider),)
            case Reason.RELEASED_BY_REQUESTER:
                return (self._record("grant.revoked", self.detail, actor=self._decider(DecisionKind.CANCEL)),)
            case _:
                return (self._record("grant.revoked", self.detail),)

    def notices(self) -> tuple[Notice, ...]:
        """Return the Events of the transition: on the request, and for a grant and its end on the namespace as well."""
        if self.reason is Reason.SELF_TEST:
            return ()  # it is nobody's request, and nothing is wrong with it
        request = self.facts.request
        reason, action, what = _EVENTS[self.event]
        if self.event is Event.ACCEPT:
            note = f"{self._created().message}; {self._accepted_sentence()}"
        else:
            detail = self._active_sentence() if self.event is Event.GRANT else self.detail
            note = f"request {request.metadata.name} of {request.spec.requester} {what}" + (
                f": {detail}" if detail else ""
            )
        is_bad = self.event in (Event.REJECT, Event.FAIL) or self.reason in (
            Reason.BINDING_REMOVED,
            Reason.BINDING_TAMPERED,
            Reason.BINDING_UNANNOUNCED,
            Reason.EXPIRY_MISSING,
            Reason.ROLE_CHANGED,
            Reason.ROLE_IS_PERMANENT,
            Reason.STORY_CLOSED,
        )
        if self.event is Event.GRANT and self._breaks_glass:
            reason, action = "BreakGlassInvoked", "BreakGlass"
            note = f"{request.spec.requester} broke the glass: {note}; {REVIEW_OWED}"
            is_bad = True
        told = about_request(request, "Warning" if is_bad else "Normal", reason, action, note, key=str(self.event))
        if self.event not in (Event.GRANT, Event.EXPIRE, Event.REVOKE):
            return (told,)
        return (told, on_namespace(told))


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
