"""One transition of one request: what happened, and what all its records, conditions and Events have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from curfew.api.access_policy import Mode
from curfew.api.access_request import DecisionKind, Phase, Terms
from curfew.audit.record import CURFEW, Record, Story, make_record, with_end
from curfew.core import lifecycle
from curfew.core.approval import find_decision
from curfew.core.bindings import Binding
from curfew.core.conditions import Observation
from curfew.core.counting import TallyKey
from curfew.core.facts import Facts
from curfew.core.lifecycle import Event
from curfew.core.reasons import Reason
from curfew.core.reviews import NewReviews, new_reviews
from curfew.core.stories import story


@dataclass(frozen=True)
class Change:
    """One transition of one request."""

    facts: Facts
    event: Event
    reason: Reason | None = None  # why it is over; None while it is not
    detail: str = ""
    ended_at: datetime | None = None
    terms: Terms | None = None  # ACCEPT: what was pinned
    binding: Binding | None = None  # GRANT: the binding that was read back
    counted: TallyKey | None = None  # REJECT: the count that the request is in, instead of having records of its own
    active: Observation | None = None  # what condition Active shows for a grant, or for one that waits

    @cached_property
    def phase(self) -> Phase:
        """The phase that the transition leads to. Raise `IllegalTransition` if the table does not allow the event there."""
        return lifecycle.advance(self.facts.request.status.phase, self.event)

    @cached_property
    def reviews(self) -> NewReviews:
        """The decisions seen for the first time."""
        return new_reviews(self.facts)

    @property
    def is_over(self) -> bool:
        """Whether the request ends with this transition."""
        return self.phase in lifecycle.FINAL

    @property
    def breaks_glass(self) -> bool:
        """Whether the request breaks the glass: nobody has to approve it before, and somebody has to review it afterwards."""
        terms = self.facts.request.status.terms
        return terms is not None and terms.mode is Mode.BREAK_GLASS

    def decider(self, *kinds: DecisionKind) -> str:
        """Return who made the first decision of these kinds, or Curfew if nobody did."""
        decision = find_decision(self.facts.request, *kinds)
        return decision.by if decision is not None else CURFEW

    def record(
        self,
        event: str,
        what: str,
        *,
        actor: str = CURFEW,
        success: bool = True,
        detail: Mapping[str, Any] | None = None,
    ) -> Record:
        """Return a record of what happened to the request. `what` completes the sentence that begins with its name."""
        request = self.facts.request
        why = {"end_reason": str(self.reason)} if self.reason is not None else {}
        return make_record(
            event,
            at=self.facts.now,
            actor=actor,
            message=f"request {request.metadata.name} of {request.spec.requester}: {what}",
            story=self.story(),
            success=success,
            detail={**why, **(detail or {})},
        )

    @property
    def decide_by(self) -> datetime | None:
        """When the time to decide is over, for a request that is accepted by this transition."""
        if self.terms is None or self.facts.policy is None:
            return None
        return (self.facts.now + self.facts.policy.spec.decide_within).replace(microsecond=0)

    def story(self) -> Story:
        """Return the story of the request, including what the transition adds."""
        told = story(self.facts, self.reviews, terms=self.terms, binding=self.binding)
        if self.decide_by is not None:
            told = replace(told, decide_by=self.decide_by)
        if self.phase in (Phase.APPROVED, Phase.ACTIVE):
            told = replace(told, decided_at=self.facts.decided_at)
        if self.binding is not None:
            told = replace(
                told,
                starts_at=self.binding.starts_at,
                granted_at=self.binding.created_at,
                expires_at=self.binding.expires_at,
            )
        if self.is_over:
            told = with_end(told, ended_at=self.ended_at or self.facts.now, end_reason=str(self.reason))
        return told
