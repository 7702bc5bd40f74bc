"""Stories of requests, as a busy company would make them: who asks for what, who agrees, how it ends.

All is drawn from one seed, so that a log can be had again. What a story says is what the operator's own records say.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from curfew.audit.record import (
    CURFEW,
    BindingRef,
    DecisionRef,
    PolicyRef,
    Record,
    RoleRef,
    Story,
    make_record,
    with_end,
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "alice amira bao ben carla chidi dana dmitri elif emeka farah finn gita hana henrik ines ivan jamal jana kenji lars "
    "leila lin maja malik mei nadia nils noor olga omar pia priya quentin rosa sami sara tariq tomas uma vera wei yara zoe"
)
_LAST = _words(
    "abadi adeyemi andersson bauer bianchi chen costa dubois eriksen fischer garcia haddad hansen ito ivanova jensen kim "
    "kowalski lopez martin mbeki meyer moreau nakamura nguyen novak okafor olsen patel petrov rossi sato schmidt silva "
    "singh sorensen tanaka torres weber yilmaz"
)
_TEAMS = _words(
    "payments checkout search catalog ledger fraud identity mail media maps orders pricing queue risk shipping stock support "
    "tax vault web"
)
_PLACES = ("prod", "staging", "eu", "us")
_ROLES = ("debug", "read", "exec", "restart", "migrate", "secrets")
_SYMPTOMS = (
    "workers crash-loop",
    "the queue does not drain",
    "requests time out",
    "a migration hangs",
    "memory grows without end",
    "the cache serves old prices",
    "a customer sees somebody else's order",
    "the nightly job failed",
    "certificates are about to expire",
    "replicas disagree",
)
_SINCE = (
    "the 14:00 deploy",
    "the failover",
    "this morning",
    "the last release",
    "the node upgrade",
    "the schema change",
)
_WHY = ("on call", "agreed in the channel", "I know the ticket", "looks right", "incident is open", None)
_NO = ("use the read-only role", "not during the freeze", "ask the owners first", "no ticket")
_VERBS = {"Approve": "approved", "Deny": "denied", "Revoke": "revoked", "Cancel": "cancelled"}
_ENDS = {"Expired": 80, "Released": 6, "Denied": 5, "TimedOut": 4, "Cancelled": 3, "Revoked": 2}
"""How stories end, and how many of a hundred end so."""

DURATIONS = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 60, 120, 240))
_RULES = (
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete", "get", "list"]},
)

Timed = tuple[datetime, Record]

PEOPLE = tuple(f"{first}.{last}@example.com" for first in _FIRST for last in _LAST)
"""Everybody who might ask or agree."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A namespace with one policy and its role."""

    namespace: str
    policy: PolicyRef
    role: RoleRef
    rules: tuple[dict[str, Any], ...]
    has_two_stages: bool


class Company:
    """People, policies and what happens between them, all drawn from one seed."""

    def __init__(self, seed: int, people: int = 400) -> None:
        """Hire so many people and give each team its policies."""
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311  to be had again, not secret
        self.people = tuple(self._chance.sample(PEOPLE, people))
        self._places = tuple(
            self._place(f"{team}-{where}", role) for team in _TEAMS for where in _PLACES for role in _ROLES
        )
        self._part = self._number = 0
        self.begin(0)

    def begin(self, part: int) -> None:
        """Draw anew, for a part of the time whose stories are others than those of any other part."""
        self._chance = random.Random(f"{self._seed}/{part}")  # noqa: S311  the same
        self._part, self._number = part, 0

    def story(
        self, at: datetime, shift: timedelta = timedelta(0), duration: timedelta = timedelta(hours=1)
    ) -> Sequence[Timed]:
        """Return the records of one request that is made at an instant, each with its time, in order.

        `shift` is how long people take to decide, and to give back early, beyond what they always take.
        """
        requester, approver, second = self._chance.sample(self.people, 3)
        place = self._chance.choice(self._places)
        telling = self._ask(place, requester, duration, at)
        at = telling.at + shift + self._moment(200)
        match self._chance.choices(tuple(_ENDS), tuple(_ENDS.values()))[0]:
            case "TimedOut":
                telling.end("request.timed_out", "TimedOut", "NotDecidedInTime", telling.decide_by, "nobody decided")
            case "Denied":
                no = self._chance.choice(_NO)
                telling.decide(approver, "Deny", at, why=no)
                telling.end("review.denied", "Denied", "DeniedByApprover", at, f"{approver} said no: {no}", approver)
            case "Cancelled":
                telling.decide(requester, "Cancel", at)
                telling.end("request.cancelled", "Cancelled", "CancelledByRequester", at, "withdrawn", requester)
            case "Revoked":
                self._grant(telling, place, at, (approver, second))
                self._end_early(telling, approver, "RevokedByApprover", min(shift, duration * 0.9))
            case "Released":
                self._grant(telling, place, at, (approver, second))
                self._end_early(telling, requester, "ReleasedByRequester", min(shift, duration * 0.9))
            case _:
                over = self._grant(telling, place, at, (approver, second)) + self._moment(60)
                telling.end("grant.expired", "Expired", "DurationElapsed", over, "its time is over")
        return telling.records

    def _ask(self, place: _Place, requester: str, duration: timedelta, at: datetime) -> "_Telling":
        """Begin a story: it is asked for and understood."""
        self._number += 1
        telling = _Telling(
            Story(
                uid=self._uuid(),
                namespace=place.namespace,
                request=f"inc-{self._part}-{self._number}",
                requester=requester,
                submitted_by=requester,
                reason=f"{place.policy.name}: {self._chance.choice(_SYMPTOMS)} since {self._chance.choice(_SINCE)}",
                ticket=f"INC-{self._chance.randrange(1000, 99999)}",
                duration=int(duration.total_seconds()),
                policy=place.policy,
                role=place.role,
            )
        )
        asks = f"{requester} asks for AccessPolicy {place.policy.name} in {place.namespace}: {telling.story.reason}"
        telling.tell("request.created", at, asks, requester)
        at += self._moment(40)
        telling.learn(decide_by=at + timedelta(hours=1))
        telling.tell("request.accepted", at, f"{telling.what}: its terms are pinned; people have to agree")
        return telling

    def _grant(self, telling: "_Telling", place: _Place, at: datetime, approvers: tuple[str, str]) -> datetime:
        """Let people agree and the access begin; return when it is over."""
        by = approvers if place.has_two_stages else approvers[:1]
        for approver, stage in zip(by, ("owners", "security"), strict=False):
            telling.decide(approver, "Approve", at, stage, self._chance.choice(_WHY))
            at += self._moment(200)
        telling.learn(decided_at=at)
        telling.tell("review.approved", at, f"{telling.what} is approved by {', '.join(by)}")
        story = telling.story
        expires_at = at.replace(microsecond=0) + timedelta(seconds=story.duration or 0)
        telling.learn(starts_at=at, expires_at=expires_at)
        held = f"{place.role.kind} {place.role.name} in {place.namespace} until {expires_at:%H:%M:%S}"
        detail = {"terms": sha256(story.uid.encode()).hexdigest(), "rules": list(place.rules)}
        sentence = f"{story.requester} will hold {held} (request {story.request})"
        telling.tell("grant.intended", at, sentence, detail=detail)
        at += self._moment(60)
        telling.learn(granted_at=at, binding=BindingRef(f"curfew-{story.uid}", self._uuid()))
        telling.tell("grant.activated", at, f"{telling.what}: {story.requester} holds {held}")
        return expires_at

    def _end_early(self, telling: "_Telling", by: str, reason: str, after: timedelta) -> None:
        at = telling.at + after + self._moment(200)
        telling.decide(by, "Revoke", at)
        telling.end("grant.revoked", "Revoked", reason, at, "the access was ended early", by)

    def _moment(self, most: int) -> timedelta:
        return timedelta(milliseconds=self._chance.randrange(3, most))

    def _place(self, namespace: str, role: str) -> _Place:
        rules = tuple(self._chance.sample(_RULES, self._chance.randrange(1, 4)))
        digest = sha256(repr(rules).encode()).hexdigest()
        return _Place(
            namespace,
            PolicyRef(role, self._uuid(), self._chance.randrange(1, 9)),
            RoleRef("ClusterRole", f"{namespace}-{role}", self._uuid(), digest),
            rules,
            has_two_stages=self._chance.random() < 0.3,
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


class _Telling:
    """One story while it is told: what is known by now, and the records so far."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.what = f"request {story.request} of {story.requester}"
        self.records: list[Timed] = []

    @property
    def at(self) -> datetime:
        """When the last thing happened."""
        return self.records[-1][0]

    @property
    def decide_by(self) -> datetime:
        """Until when people may decide."""
        return self.story.decide_by or self.at

    def learn(self, **known: Any) -> None:
        """Let all further records say this too."""
        self.story = replace(self.story, **known)

    def tell(self, event: str, at: datetime, sentence: str, actor: str = CURFEW, **more: Any) -> None:
        """Tell what happens."""
        self.records.append((at, make_record(event, at=at, actor=actor, message=sentence, story=self.story, **more)))

    def decide(self, by: str, decision: str, at: datetime, stage: str | None = None, why: str | None = None) -> None:
        """Tell what somebody decides."""
        self.learn(decisions=(*self.story.decisions, DecisionRef(by, decision, stage, why, at)))
        effect = "Counted" if decision == "Approve" else "TookEffect"
        detail = {"decision": decision, "effect": effect, "stage": stage, "reason": why}
        sentence = f"{by} {_VERBS[decision]} {self.what}"
        sentence += (f" for stage {stage}" if stage else "") + (f": {why}" if why else "")
        known = {name: value for name, value in detail.items() if value}
        self.tell("review.submitted", at, sentence, by, qualifier=f"{by}/{decision}", detail=known)

    def end(self, event: str, phase: str, reason: str, at: datetime, why: str, actor: str = CURFEW) -> None:
        """Tell how it ends, and that there is no more to tell."""
        self.story = with_end(self.story, ended_at=at, end_reason=reason)
        self.tell(event, at, f"{self.what}: {why}", actor, detail={"end_reason": reason})
        decisions = [one.decision for one in self.story.decisions]
        counts = {"decisions": len(decisions), "approvals": decisions.count("Approve")}
        detail = {"phase": phase, "end_reason": reason, **counts}
        self.tell("request.closed", at, f"{self.what}: the story ends as {phase}", detail=detail)
