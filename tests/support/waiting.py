"""A quarter in which requests wait for all that there is to wait for: people who sleep, second stages, a start, the record."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from curfew.audit.record import BindingRef, Record, Story, with_end
from tests.support.logs import ALog, opened
from tests.support.quarter import BEGIN, END, RULES, Company, Quarter, Timed, about_log, tell

_APPROVERS: Final = 3
"""How many people approve under each policy."""

_ENDS: Final = (
    ("granted", 60),
    ("two stages", 14),
    ("later start", 8),
    ("automatic", 5),
    ("break glass", 3),
    ("denied", 5),
    ("cancelled", 3),
    ("rejected", 2),
    ("revoked before it began", 2),
)


class WaitingCompany(Company):
    """People who decide on working days from 8 to 18 UTC, a few for each policy."""

    def journey(self, at: datetime) -> Iterator[Timed]:
        """Yield the records of one request."""
        chance, story = self.chance, self.story(at)
        ways, weights = zip(*_ENDS, strict=True)
        way = chance.choices(ways, weights)[0]
        if way == "later start":
            story = replace(story, not_before=at + timedelta(hours=chance.uniform(0.1, 60)))
        yield tell("request.created", at, story, actor=story.requester)
        if way == "rejected":
            yield tell("request.rejected", at, story)
            yield tell("request.closed", at, story, phase="Failed")
            return
        stages = ["owners", "security"] if way == "two stages" else ["owners"]
        at += timedelta(milliseconds=chance.randrange(3, 90_000 if chance.random() < 0.05 else 40))
        yield tell("request.accepted", at, story, needed=len(stages), stages=stages)
        if way in ("automatic", "break glass"):
            event = "review.auto_approved" if way == "automatic" else "review.break_glass_invoked"
            yield tell(event, at, story)
            yield from self._held(at, story)
            return
        if way == "cancelled":
            at += timedelta(minutes=chance.uniform(0, 300))
            yield tell("review.submitted", at, story, actor=story.requester, decision="Cancel", effect="TookEffect")
            yield tell("request.cancelled", at, story)
            yield tell("request.closed", at, story, phase="Cancelled")
            return
        limit = story.decide_by
        assert limit is not None
        if chance.random() < 0.04:
            refused = at + timedelta(seconds=20)
            yield tell("review.refused", refused, story, actor=story.requester, decision="Approve", effect="OwnRequest")
        for stage, by in zip(stages, self._approvers(story), strict=False):
            at = self._at_work(at) + timedelta(seconds=min(40_000, chance.lognormvariate(6, 1.5)))
            if at >= limit:
                yield tell("request.timed_out", limit, story)
                yield tell("request.closed", limit, story, phase="TimedOut")
                return
            if way == "denied":
                yield tell("review.submitted", at, story, actor=by, decision="Deny", effect="TookEffect", stage=stage)
                yield tell("review.denied", at, story)
                yield tell("request.closed", at, story, phase="Denied")
                return
            yield tell("review.submitted", at, story, actor=by, decision="Approve", effect="Counted", stage=stage)
        yield tell("review.approved", at, story)
        if way == "revoked before it began":
            yield tell("request.closed", at + timedelta(minutes=chance.uniform(0, 90)), story, phase="Revoked")
            return
        yield from self._held(at, story)

    def _held(self, at: datetime, story: Story) -> Iterator[Timed]:
        chance = self.chance
        assert story.duration is not None
        begin = max(at, story.not_before or at)
        end = begin + timedelta(seconds=story.duration)
        story = replace(story, starts_at=begin, expires_at=end)
        yield tell("grant.intended", at, story, rules=RULES)
        begin += timedelta(milliseconds=chance.randrange(5, 600_000 if chance.random() < 0.05 else 50))
        if chance.random() < 0.02:
            yield tell("grant.activation_failed", begin, story)
            return
        story = replace(story, granted_at=begin, binding=BindingRef(f"curfew-{story.uid}", f"binding-{story.uid}"))
        yield tell("grant.activated", begin, story)
        story = with_end(story, ended_at=end, end_reason="DurationElapsed")
        yield tell("grant.expired", end, story, end_reason="DurationElapsed")
        yield tell("request.closed", end, story, phase="Expired")

    def _approvers(self, story: Story) -> list[str]:
        """Return those who may approve, in the order in which they look."""
        assert story.policy is not None
        chosen = random.Random(f"{story.namespace}/{story.policy.name}")  # noqa: S311  the same each time
        known = [one for one in chosen.sample(self.people, _APPROVERS + 1) if one != story.requester]
        return self.chance.sample(known, len(known))

    @staticmethod
    def _at_work(at: datetime) -> datetime:
        """Return the next time at which somebody is at work."""
        while at.weekday() > 4 or not 8 <= at.hour < 18:
            at = (at + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        return at


def a_waiting_quarter(requests: int, seed: int = 1) -> Quarter:
    """Return a quarter with so many requests; some of the last ones are still open."""
    people = WaitingCompany(seed)
    told: list[Timed] = [(BEGIN, about_log("audit.attested", BEGIN, {"evidence": "lock", "sufficient": True}))]
    seconds = (END - BEGIN).total_seconds()
    for _ in range(requests):
        told += people.journey(BEGIN + timedelta(seconds=people.chance.random() * seconds))
    cut = sorted((one for one in told if one[0] <= END), key=lambda one: one[0])
    return Quarter(_sealed(cut), [], requests)


def _sealed(told: list[Timed]) -> ALog:
    log = ALog()
    log.append([opened(log.signer)], BEGIN)
    for place in range(0, len(told), 400):
        records: list[Record] = [record for _, record in told[place : place + 400]]
        log.append(records, told[min(place + 399, len(told) - 1)][0])
    return log
