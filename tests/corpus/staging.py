"""Where and when an incident happens: a team, some of its people, and a day on which they do nothing else."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from curfew.api.access_policy import Mode
from curfew.core.activity.effect import How
from tests.corpus.company import Person, Team
from tests.corpus.life import Doing, Life, Planted
from tests.corpus.requests import Told
from tests.corpus.roles import Offer

SOON: Final = timedelta(minutes=4)


@dataclass
class Stage:
    """One incident: `person` does it, and `lead` is an approver of the team."""

    life: Life
    team: Team
    day: date
    person: Person
    lead: Person
    other: Person
    since: datetime = field(init=False)

    def __post_init__(self) -> None:
        """It begins in the morning."""
        self.since = self.at(7)

    def keep_free(self, days: int, *people: Person) -> None:
        """Let people do nothing else for some days before and after."""
        for person in people:
            self.life.away.setdefault(person.name, []).append((self.at(0, -days), self.at(24, days)))

    def at(self, hour: float, days: int = 0) -> datetime:
        """Return an instant by the team's clock, so many days later."""
        return self.team.local(self.day + timedelta(days=days), hour)

    def workday(self, number: int) -> int:
        """Return in how many days the so-many-th working day from here is."""
        days = [days for days in range(60) if (self.day + timedelta(days=days)).weekday() < 5]
        return days[number]

    def asks(
        self, name: str, at: datetime, *, person: Person | None = None, team: Team | None = None, **more: Any
    ) -> Told:
        """Somebody asks for what a policy offers, and for nothing else around that time."""
        person = person or self.person
        self.life.is_free(person, at)
        return self.life.ask(person, (team or self.team).offers[name], at, **more)

    def granted(
        self,
        name: str,
        at: datetime,
        *,
        person: Person | None = None,
        by: Person | None = None,
        after: timedelta = SOON,
        doing: Doing | None = None,
        how: How = How.BINDING,
        **more: Any,
    ) -> Told:
        """Somebody asks, is granted it, uses it, and it ends."""
        told = self.asks(name, at, person=person, **more)
        if told.offer.mode is Mode.REVIEW:
            told.decide(at + after, (by or self.lead).name)
        told.grant()
        self.ended(told, person=person, doing=doing, how=how)
        return told

    def ended(
        self, told: Told, *, person: Person | None = None, doing: Doing | None = None, how: How = How.BINDING
    ) -> None:
        """End what was granted at its time, and let it be used before that."""
        assert told.story.expires_at is not None
        told.end(told.story.expires_at + timedelta(milliseconds=30))
        self.life.use(told, person or self.person, doing, how=how)

    def unanswered(self, told: Told) -> None:
        """Let the time of a request run out."""
        assert told.story.decide_by is not None
        told.turn_down(told.story.decide_by, "request.timed_out", "NobodyDecided", "TimedOut")
        self.life.trail += told.records

    def denied(self, told: Told, at: datetime) -> None:
        """Deny a request."""
        told.decide(at, self.lead.name, "Deny", "TookEffect", reason="not today")
        told.turn_down(at, "review.denied", "DeniedByApprover", "Denied", self.lead.name)
        self.life.trail += told.records

    def label(
        self,
        detector: str,
        what: str,
        *people: Person,
        until: datetime | None = None,
        since: datetime | None = None,
        offer: Offer | None = None,
        also: str = "",
    ) -> None:
        """Label it: this detector has to raise an alert about these people, or about this policy, in that time."""
        self.life.planted.append(
            Planted(
                detector,
                what,
                since or self.since,
                until or self.at(31),
                tuple(person.name for person in people),
                (offer.namespace, offer.name) if offer is not None else ("", ""),
                frozenset(also.split()),
            )
        )
