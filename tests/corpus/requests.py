"""One request, told record by record, in the shapes that the operator writes."""

import functools
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.api.access_policy import Mode
from curfew.api.names import binding_name
from curfew.audit.canonical import digest
from curfew.audit.record import CURFEW, BindingRef, DecisionRef, Record, Story, make_record, with_end
from curfew.core.activity.session import Session
from curfew.core.risk import risks
from tests.corpus.company import Person
from tests.corpus.roles import RULES, Offer, role

WHY: Final = (
    "workers crash-loop since the last deploy",
    "the queue does not drain",
    "a job hangs and has to be looked at",
    "replicas disagree about the schema",
)

_AGREED: Final = {
    Mode.REVIEW: "review.approved",
    Mode.AUTOMATIC: "review.auto_approved",
    Mode.BREAK_GLASS: "review.break_glass_invoked",
}
_ENDED: Final = {
    "DurationElapsed": ("grant.expired", "Expired"),
    "BindingRemoved": ("grant.binding_removed", "Revoked"),
}
_MOMENT: Final = timedelta(milliseconds=20)


@dataclass(slots=True)
class Told:
    """A request and its records so far. Each method appends what happens next."""

    story: Story
    offer: Offer
    at: datetime
    records: list[Record] = field(default_factory=list)
    decided: int = 0
    agreed: int = 0

    @classmethod
    def asked(
        cls, uid: str, number: int, person: Person, offer: Offer, at: datetime, *, duration: int, why: str, **more: Any
    ) -> "Told":
        """Return a request that was made and accepted; `more` is of its story."""
        story = Story(
            uid=uid,
            namespace=offer.namespace,
            request=f"inc-{number}",
            requester=person.name,
            submitted_by=person.name,
            reason=why,
            ticket=f"INC-{4000 + number}",
            duration=duration,
            policy=offer.ref,
            role=role(offer.role),
            **more,
        )
        told = cls(story, offer, at)
        told.tell("request.created", actor=person.name)
        told.at += _MOMENT
        told.tell("request.accepted", **_needs(offer))
        told.story = replace(story, decide_by=at + offer.decide_within)
        return told

    @classmethod
    def rejected(cls, uid: str, number: int, person: Person, offer: Offer, at: datetime, *, why: str) -> "Told":
        """Return a request that could not be granted as it was written."""
        story = Story(uid, offer.namespace, f"inc-{number}", person.name, person.name, why, duration=360_000)
        told = cls(with_end(story, ended_at=at, end_reason="DurationTooLong"), offer, at)
        told.tell("request.created", actor=person.name)
        told.tell("request.rejected", end_reason="DurationTooLong")
        told.close("Failed")
        return told

    def tell(
        self, event: str, *, actor: str = CURFEW, qualifier: str = "", success: bool = True, **detail: Any
    ) -> None:
        """Append a record of this request."""
        story = self.story
        self.records.append(
            make_record(
                event,
                at=self.at,
                actor=actor,
                message=f"request {story.request} of {story.requester}: {event}",
                story=story,
                qualifier=qualifier,
                success=success,
                detail=detail,
            )
        )

    def decide(self, at: datetime, by: str, decision: str = "Approve", effect: str = "Counted", **more: str) -> None:
        """Somebody decides; `effect` is what came of it, and `more` may have a reason and a stage."""
        self.at = at
        self.decided += 1
        self.agreed += effect == "Counted"
        ref = DecisionRef(by, decision, more.get("stage"), None, at)
        whole, self.story = self.story, replace(self.story, decisions=(ref,))
        event = "review.submitted" if effect in ("Counted", "TookEffect") else "review.refused"
        detail = {"decision": decision, "effect": effect, **more}
        self.tell(event, actor=by, qualifier=f"{by}/{decision}", success=event == "review.submitted", **detail)
        self.story = replace(whole, decisions=(*whole.decisions, ref))

    def grant(self, *, starts_at: datetime | None = None) -> None:
        """The grant is agreed upon, announced, and made."""
        self.story = replace(self.story, decided_at=self.at)
        self.tell(_AGREED[self.offer.mode])
        if starts_at is not None:
            self.at = starts_at
        assert self.story.duration is not None
        begin = self.at.replace(microsecond=0)
        until = begin + timedelta(seconds=self.story.duration)
        self.story = replace(self.story, starts_at=begin, expires_at=until)
        self.tell("grant.intended", terms=digest(self.story.request), rules=RULES[self.offer.role])
        self.at += 2 * _MOMENT
        uid = self.story.uid
        self.story = replace(self.story, granted_at=self.at, binding=BindingRef(binding_name(uid), f"b-{uid}"))
        self.tell("grant.activated")

    def end(self, at: datetime, reason: str = "DurationElapsed", by: str = CURFEW) -> None:
        """The access ends."""
        self.at = at
        self.story = with_end(self.story, ended_at=at, end_reason=reason)
        event, phase = _ENDED.get(reason, ("grant.revoked", "Revoked"))
        assert self.story.expires_at is not None
        detail: dict[str, Any] = {"end_reason": reason}
        if event == "grant.expired":
            detail["late_ms"] = (at - self.story.expires_at) // timedelta(milliseconds=1)
        self.tell(event, actor=by, **detail)
        if self.offer.mode is not Mode.BREAK_GLASS:
            self.close(phase)

    def turn_down(self, at: datetime, event: str, reason: str, phase: str, by: str = CURFEW) -> None:
        """The request ends without a grant."""
        self.at = at
        self.story = with_end(self.story, ended_at=at, end_reason=reason)
        self.tell(event, actor=by, end_reason=reason)
        self.close(phase)

    def close(self, phase: str) -> None:
        """The story is complete."""
        counts: dict[str, Any] = {"decisions": self.decided, "approvals": self.agreed}
        self.tell("request.closed", phase=phase, end_reason=self.story.end_reason, **counts)

    @property
    def session(self) -> Session:
        """The grant as the monitor knows it from these records."""
        story = self.story
        assert story.requester is not None
        assert story.starts_at is not None
        assert story.expires_at is not None
        return Session(
            uid=story.uid,
            namespace=story.namespace,
            request=story.request,
            requester=story.requester,
            binding=binding_name(story.uid),
            announced_at=story.starts_at,
            expires_at=story.expires_at,
            rules=tuple(RULES[self.offer.role]),
            role=story.role,
            policy=story.policy,
            granted_at=story.granted_at,
            ended_at=story.ended_at,
            ticket=story.ticket,
        )


def _needs(offer: Offer) -> dict[str, Any]:
    """Return what the operator tells of an accepted request, for those who have to agree to it."""
    needed = {"needed": 1} if offer.mode is Mode.REVIEW else {}
    risk = _risk(offer.role)
    return {**needed, "risk": list(risk)} if risk else needed


@functools.cache
def _risk(name: str) -> tuple[str, ...]:
    return risks(RULES[name])
