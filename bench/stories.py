"""Stories of requests, as a busy company would make them: who asks for what, who agrees, how it ends.

All is drawn from one seed, so that a log can be had again. What a story says is what the operator's own records say.
"""

import random
import uuid
from collections.abc import Iterator
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
DURATIONS = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 60, 120, 240))
_RULES = (
    {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete", "get", "list"]},
)

PEOPLE = tuple(f"{first}.{last}@example.com" for first in _FIRST for last in _LAST)
"""Everybody who might ask or agree."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A namespace with one policy and its role."""

    namespace: str
    policy: PolicyRef
    role: RoleRef
    rules: tuple[dict[str, Any], ...]


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
    ) -> Iterator[tuple[datetime, Record]]:
        """Yield the records of one request that is made at an instant, each with its time, in order.

        `shift` is how long people take to decide, and to give back early, beyond what they always take.
        """
        chance = self._chance
        self._number += 1
        requester, approver, second = chance.sample(self.people, 3)
        place = chance.choice(self._places)
        name = f"inc-{self._part}-{self._number}"
        told = Story(
            uid=self._uuid(),
            namespace=place.namespace,
            request=name,
            requester=requester,
            submitted_by=requester,
            reason=f"{place.policy.name}: {chance.choice(_SYMPTOMS)} since {chance.choice(_SINCE)}",
            ticket=f"INC-{chance.randrange(1000, 99999)}",
            duration=int(duration.total_seconds()),
            policy=place.policy,
            role=place.role,
        )
        what = f"request {name} of {requester}"

        def tell(
            event: str, when: datetime, sentence: str, actor: str = CURFEW, **more: Any
        ) -> tuple[datetime, Record]:
            return when, make_record(event, at=when, actor=actor, message=sentence, story=told, **more)

        def decide(by: str, decision: str, when: datetime, stage: str | None, why: str | None) -> Iterator[Any]:
            nonlocal told
            told = replace(told, decisions=(*told.decisions, DecisionRef(by, decision, stage, why, when)))
            verb = {"Approve": "approved", "Deny": "denied", "Revoke": "revoked", "Cancel": "cancelled"}[decision]
            detail = {"decision": decision, "effect": "Counted" if decision == "Approve" else "TookEffect"}
            detail |= {key: value for key, value in (("stage", stage), ("reason", why)) if value}
            sentence = f"{by} {verb} {what}" + (f" for stage {stage}" if stage else "") + (f": {why}" if why else "")
            yield tell("review.submitted", when, sentence, by, qualifier=f"{by}/{decision}", detail=detail)

        def close(phase: str, when: datetime) -> Iterator[tuple[datetime, Record]]:
            approvals = sum(one.decision == "Approve" for one in told.decisions)
            counts = {"phase": phase, "decisions": len(told.decisions), "approvals": approvals}
            detail = {**counts, "end_reason": told.end_reason}
            yield tell("request.closed", when, f"{what}: the story ends as {phase}", detail=detail)

        def end(event: str, phase: str, reason: str, when: datetime, why: str, actor: str = CURFEW) -> Iterator[Any]:
            nonlocal told
            told = with_end(told, ended_at=when, end_reason=reason)
            yield tell(event, when, f"{what}: {why}", actor, detail={"end_reason": reason})
            yield from close(phase, when)

        sentence = f"{requester} asks for AccessPolicy {place.policy.name} in {place.namespace}: {told.reason}"
        yield tell("request.created", at, sentence, requester)
        at += timedelta(milliseconds=chance.randrange(3, 40))
        told = replace(told, decide_by=at + timedelta(hours=1))
        yield tell("request.accepted", at, f"{what}: it is understood and its terms are pinned; people have to agree")

        ends = chance.random()
        if ends < 0.04 and told.decide_by is not None:
            yield from end(
                "request.timed_out", "TimedOut", "NotDecidedInTime", told.decide_by, "nobody decided in time"
            )
            return
        at += shift + timedelta(milliseconds=chance.randrange(0, 200))
        if ends < 0.09:
            no = chance.choice(_NO)
            yield from decide(approver, "Deny", at, None, no)
            yield from end("review.denied", "Denied", "DeniedByApprover", at, f"{approver} said no: {no}", approver)
            return
        if ends < 0.12:
            yield from decide(requester, "Cancel", at, None, None)
            yield from end("request.cancelled", "Cancelled", "CancelledByRequester", at, "withdrawn", requester)
            return
        yield from decide(approver, "Approve", at, "owners", chance.choice(_WHY))
        by = approver
        if place.policy.generation % 3 == 0:
            at += timedelta(milliseconds=chance.randrange(0, 200))
            yield from decide(second, "Approve", at, "security", chance.choice(_WHY))
            by = f"{approver}, {second}"
        told = replace(told, decided_at=at)
        yield tell("review.approved", at, f"{what} is approved by {by}")
        told = replace(told, starts_at=at, expires_at=at.replace(microsecond=0) + duration)
        held = f"{place.role.kind} {place.role.name} in {place.namespace} until {told.expires_at:%H:%M:%S}"
        detail = {"terms": sha256(told.uid.encode()).hexdigest(), "rules": list(place.rules)}
        yield tell("grant.intended", at, f"{requester} will hold {held} (request {name})", detail=detail)
        at += timedelta(milliseconds=chance.randrange(8, 60))
        told = replace(told, granted_at=at, binding=BindingRef(f"curfew-{told.uid}", self._uuid()))
        yield tell("grant.activated", at, f"{what}: {requester} holds {held}")
        assert told.expires_at is not None
        if ends < 0.20:
            early = at + min(shift, duration * 0.9) + timedelta(milliseconds=chance.randrange(0, 200))
            who, reason = (approver, "RevokedByApprover") if ends < 0.14 else (requester, "ReleasedByRequester")
            yield from decide(who, "Revoke", early, None, None)
            yield from end("grant.revoked", "Revoked", reason, early, "the access was ended early", who)
            return
        over = told.expires_at + timedelta(milliseconds=chance.randrange(3, 60))
        yield from end("grant.expired", "Expired", "DurationElapsed", over, "its time is over")

    def _place(self, namespace: str, role: str) -> _Place:
        rules = tuple(self._chance.sample(_RULES, self._chance.randrange(1, 4)))
        digest = sha256(repr(rules).encode()).hexdigest()
        return _Place(
            namespace,
            PolicyRef(role, self._uuid(), self._chance.randrange(1, 9)),
            RoleRef("ClusterRole", f"{namespace}-{role}", self._uuid(), digest),
            rules,
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
