"""One grant, and one decision, as the records of a log show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.audit.record import Story
from curfew.audit.stories import ENDS


@dataclass(frozen=True, slots=True)
class Mention:
    """A record of the log: its index, its id, its event, and the time of that event (aware, UTC)."""

    index: int
    id: str
    event: str
    at: datetime


class GrantMode(StrEnum):
    """How a grant came about."""

    REVIEW = "review"
    AUTOMATIC = "automatic"
    BREAK_GLASS = "break glass"
    UNKNOWN = "not recorded"


EFFECTIVE = ("Counted", "TookEffect")
"""The words for a decision that has an effect. Every other word is the reason why it has none."""

_MODES = {
    "review.break_glass_invoked": GrantMode.BREAK_GLASS,
    "review.auto_approved": GrantMode.AUTOMATIC,
    "review.approved": GrantMode.REVIEW,
}


@dataclass(frozen=True, slots=True)
class Said:
    """One person's decision, and the index of the record that shows it first.

    `effect` is the effect of the decision. It is empty if the log begins after the decision's own record.
    """

    by: str
    decision: str
    stage: str
    effect: str
    index: int

    @property
    def counted(self) -> bool:
        """Whether the decision had an effect. True also if the log begins later and has the decision only in a story."""
        return self.effect in ("", *EFFECTIVE)


@dataclass(frozen=True, slots=True)
class ReviewedGrant:
    """Access that one person was given for a time.

    `story` is joined from all records about the grant. `mentions` holds the first record of each event about it. `said` holds
    the decisions. `reviewed` is the first review of a broken glass by somebody else, if there was one.
    """

    story: Story
    mentions: Mapping[str, Mention]
    said: tuple[Said, ...] = ()
    reviewed: Mention | None = None

    @property
    def activated(self) -> Mention:
        """The record that reports the creation of the binding. Every grant has this record."""
        return self.mentions["grant.activated"]

    @property
    def end(self) -> Mention | None:
        """The record that reports the end of the grant, or None if the log holds none."""
        return end_of(self.mentions)

    @property
    def mode(self) -> GrantMode:
        """How the grant came about."""
        return next((mode for event, mode in _MODES.items() if event in self.mentions), GrantMode.UNKNOWN)

    @property
    def asked_at(self) -> datetime | None:
        """When the access was asked for."""
        created = self.mentions.get("request.created")
        return created.at if created is not None else None

    @property
    def began_at(self) -> datetime:
        """When the binding was made."""
        return self.story.granted_at or self.activated.at

    @property
    def ended_at(self) -> datetime | None:
        """When the binding was gone, or None if the log has no record of that."""
        if self.end is None:
            return None
        return self.story.ended_at or self.end.at

    @property
    def lateness(self) -> timedelta | None:
        """How long after its promised end the grant ended; negative if it ended early; None while it has not ended."""
        if self.ended_at is None or self.story.expires_at is None:
            return None
        return self.ended_at - self.story.expires_at

    @property
    def time_to_decision(self) -> timedelta | None:
        """How long people took to agree; None if nobody had to, or if it is not known."""
        if self.mode is not GrantMode.REVIEW or self.asked_at is None or self.story.decided_at is None:
            return None
        return self.story.decided_at - self.asked_at

    @property
    def announced(self) -> Mention:
        """The record that announced the grant. If it was not announced before, the record that it began with."""
        intended = self.mentions.get("grant.intended", self.activated)
        return min(intended, self.activated, key=_index)

    @property
    def approvals(self) -> tuple[Said, ...]:
        """The approvals that counted before the grant was announced, without those of the requester and the submitter.

        The order of the log decides what came before: the order is signed, and clocks are not.
        """
        involved = {self.story.requester, self.story.submitted_by}
        return tuple(
            one
            for one in self.said
            if one.decision == "Approve"
            and one.counted
            and one.by not in involved
            and one.index <= self.announced.index
        )

    @property
    def approvers(self) -> tuple[str, ...]:
        """The people who approved the grant, each once."""
        return tuple(dict.fromkeys(one.by for one in self.approvals))

    @property
    def role(self) -> str:
        """The role as `kind/name`."""
        role = self.story.role
        return f"{role.kind}/{role.name}" if role is not None else "not recorded"

    @property
    def policy(self) -> str:
        """The policy as `name (generation)`."""
        policy = self.story.policy
        return f"{policy.name} ({policy.generation})" if policy is not None else "not recorded"

    @property
    def records(self) -> tuple[Mention, ...]:
        """The records about the grant, in the order of the log."""
        told = {mention.index: mention for mention in self.mentions.values()}
        if self.reviewed is not None:
            told[self.reviewed.index] = self.reviewed
        return tuple(told[index] for index in sorted(told))


@dataclass(frozen=True, slots=True)
class ReviewedDecision:
    """One person's decision about one request, and its effect. `took` is the time since the request."""

    record: Mention
    by: str
    decision: str
    stage: str
    reason: str
    effect: str
    namespace: str
    request: str
    requester: str
    role: str
    took: timedelta | None

    @property
    def counted(self) -> bool:
        """Whether the decision had an effect."""
        return self.effect in EFFECTIVE

    @property
    def outcome(self) -> str:
        """The effect of the decision, in words."""
        return outcome_of(self.effect)


_OUTCOMES = {
    "Counted": "counted",
    "TookEffect": "took effect",
    "OwnRequest": "did not count: it is their own request",
    "TooLate": "did not count: it came too late",
    "UnknownStage": "did not count: the policy has no stage of that name",
}


def outcome_of(effect: str) -> str:
    """Return the effect of a decision, in words."""
    return _OUTCOMES.get(effect, f"did not count: {effect}")


def end_of(mentions: Mapping[str, Mention]) -> Mention | None:
    """Return the first record of an end of access, from the first records of each event; None if there is none."""
    return min((mentions[event] for event in ENDS if event in mentions), default=None, key=_index)


def _index(mention: Mention) -> int:
    return mention.index
