"""Ordinary days: who asks for what, how it is decided, and how it ends."""

import random
from datetime import date, datetime, timedelta
from typing import Final

from curfew.api.access_policy import Mode
from tests.corpus.company import Person, Team
from tests.corpus.life import Life
from tests.corpus.requests import Told
from tests.corpus.roles import Offer

_WANTED: Final = {"logs": 32, "debug": 27, "scale": 12, "jobs": 12, "secrets": 8, "admin": 9}
"""What is asked for, and how many in a hundred ask for it."""

SELDOM: Final = frozenset({"admin"})
"""What only one of five people ever asks for, and what is decided soon."""


def day(life: Life, team: Team, day: date) -> None:
    """Let a team work for a day; nothing happens on weekends, and on days off."""
    if day.weekday() >= 5:
        return
    chance = life.chance
    for lead in team.people[:4]:
        if chance.random() < 0.6:  # they look whether somebody waits for them
            at = team.local(day, chance.uniform(8.5, 17))
            life.seen(lead.name, at, life.place(lead, at))
    for person in team.at_work(day):
        if (person.number * 7 + day.toordinal() // 5) % 9 == 0 or chance.random() > person.requests_a_week / 5:
            continue
        hour = min(18.5, max(8.0, chance.gauss(13, 2.6)))
        for _ in range(chance.choice((1, 1, 1, 1, 2))):
            request(life, team, person, wanted(team, person, chance), team.local(day, hour))
            hour = min(19.0, hour + chance.uniform(1.2, 4))


def night(life: Life, team: Team, day: date) -> None:
    """Let whoever is on call be woken up, now and then."""
    chance, is_weekend = life.chance, day.weekday() >= 5
    if chance.random() > (0.22 if is_weekend else 0.14):
        return
    person = team.on_call(day)
    at = team.local(day, chance.uniform(9, 30) if is_weekend else chance.uniform(22, 30))
    # Now and then they take what they use by day.
    offer = team.offers["oncall" if chance.random() < 0.88 else chance.choice(("debug", "logs"))]
    request(life, team, person, offer, at, woken=team.people[(team.people.index(person) + 1) % 6])


def wanted(team: Team, person: Person, chance: random.Random) -> Offer:
    """Return what somebody asks for."""
    while True:
        (name,) = chance.choices(list(_WANTED), list(_WANTED.values()))
        if name not in SELDOM or person.number % 5 == 0:
            return team.offers[name]


def request(
    life: Life,
    team: Team,
    person: Person,
    offer: Offer,
    at: datetime,
    *,
    woken: Person | None = None,
    apart: timedelta = timedelta(hours=2),
) -> None:
    """Somebody asks for access, and it takes its usual course. At night, `woken` decides, and both are at home.

    Nothing happens if they have asked for something else within the time that their requests are `apart`.
    """
    chance = life.chance
    if not life.is_free(person, at, apart):
        return
    way = chance.random()
    if way < 0.015:
        life.reject(person, offer, at)
        return
    place = life.place(person, at, at_home=woken is not None)
    told = life.ask(person, offer, at, place=place)
    if offer.mode is Mode.REVIEW and not _agree(life, team, person, told, way, woken):
        life.trail += told.records
        return
    told.grant()
    _end(life, told, person, team)
    is_idle = chance.random() < 0.01
    life.use(told, person, (lambda session, place: ()) if is_idle else None, place=place)


def _agree(life: Life, team: Team, person: Person, told: Told, way: float, woken: Person | None) -> bool:
    """Whether a request is agreed to; if it is not, it has ended."""
    chance, asked = life.chance, told.at
    if way < 0.035:
        at = asked + timedelta(minutes=chance.uniform(1, 20))
        told.decide(at, person.name, "Cancel", "TookEffect")
        told.turn_down(at, "request.cancelled", "CancelledByRequester", "Cancelled", person.name)
        return False
    is_urgent = woken is not None or told.offer.name in SELDOM
    wait = timedelta(minutes=chance.lognormvariate(1.4, 0.9) if is_urgent else chance.lognormvariate(1.9, 1.1))
    if way < 0.05 or wait >= told.offer.decide_within:
        told.turn_down(asked + told.offer.decide_within, "request.timed_out", "NobodyDecided", "TimedOut")
        return False
    by = woken or approver(life, team, person)
    at = asked + wait
    life.seen(by.name, at, life.place(by, at, at_home=woken is not None))
    if way < 0.08:
        told.decide(at, by.name, "Deny", "TookEffect", reason="the dashboard shows it")
        told.turn_down(at, "review.denied", "DeniedByApprover", "Denied", by.name)
        return False
    told.decide(at, by.name)
    return True


def approver(life: Life, team: Team, person: Person) -> Person:
    """Return who of the leads of a team looks at the request of somebody; some look more often than others."""
    leads = [one for one in team.people[:4] if one is not person]
    return life.chance.choices(leads, [4, 3, 2, 2][: len(leads)])[0]


def _end(life: Life, told: Told, person: Person, team: Team) -> None:
    """End an access in one of the usual ways."""
    chance, story = life.chance, told.story
    assert story.expires_at is not None
    way = chance.random()
    if way < 0.72:
        told.end(story.expires_at + timedelta(seconds=min(4, chance.lognormvariate(-4, 1.2))))
        return
    at = told.at + (story.expires_at - told.at) * chance.uniform(0.3, 0.9)
    if way < 0.97:
        told.decide(at, person.name, "Cancel", "TookEffect")
        told.end(at, "ReleasedByRequester", person.name)
    else:
        by = approver(life, team, person).name
        told.decide(at, by, "Revoke", "TookEffect", reason="done")
        told.end(at, "RevokedByApprover", by)
