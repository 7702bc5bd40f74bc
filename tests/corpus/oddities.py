"""What is odd, and still nothing to raise an alarm about."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from curfew.core.activity.call import Call
from curfew.core.activity.session import Session
from tests.corpus.calls import Did, Place, at_place
from tests.corpus.company import TEAMS, Person
from tests.corpus.life import Doing, Life, Odd
from tests.corpus.ordinary import request
from tests.corpus.roles import Offer


def plan_travels(life: Life) -> None:
    """Some people work from a hotel for some days."""
    for number, person in enumerate(life.company.people):
        if number % 29 == 11:
            begin = life.begin + timedelta(days=20 + number * 3 % (life.days - 35))
            life.travels[person.name] = begin, begin + timedelta(days=4), f"82.51.{number % 100}.40"
            _label(life, "travel", begin, 5, person)


def label_new_people(life: Life) -> None:
    """Some people join in the middle, and all they do is new."""
    for person in life.company.people:
        if person.joined > life.begin:
            _label(life, "new people", person.joined, 30, person)


def incident_week(life: Life) -> None:
    """A team has a bad week: four people ask for access all day, and into the evening."""
    team = life.company.teams["search" if "search" in life.company.teams else "payments"]
    monday = _monday(life.begin + timedelta(days=44))
    _label(life, "a busy incident week", monday, 5, *team.people[:4])
    for number in range(5):
        day = monday + timedelta(days=number)
        for place, person in enumerate(team.people[:4]):
            for hour in range(9, 21, 3):
                name = ("debug", "logs", "scale", "jobs")[(place + hour // 3) % 4]
                at = team.local(day, hour + place / 4 + life.chance.uniform(0, 0.2))
                request(life, team, person, team.offers[name], at, apart=timedelta(minutes=70))


def migration(life: Life) -> None:
    """On a Saturday that was agreed upon days before, twelve people migrate everything at once."""
    saturday = _monday(life.begin + timedelta(days=58)) + timedelta(days=5)
    teams = list(life.company.teams.values())
    for number in range(12):
        team = teams[number % len(teams)]
        person, lead = team.people[4 + number % 4], team.people[number % 4]
        _label(life, "a migration that was agreed upon", saturday - timedelta(days=3), 4, person)
        offer = Offer(team.name, "migrate", "migrate")
        asked = team.local(saturday - timedelta(days=3), 10 + number / 3)
        starts_at = team.local(saturday, 9 + number % 3 / 10)
        told = life.ask(
            person, offer, asked, duration=4 * 3600, why="migration of the databases, CHG-77", not_before=starts_at
        )
        told.decide(asked + timedelta(minutes=5 + number), lead.name)
        told.grant(starts_at=starts_at)
        assert told.story.expires_at is not None
        told.end(told.story.expires_at + timedelta(milliseconds=40))
        life.use(told, person, _migrate)


def night_shift(life: Life) -> None:
    """Two people of one team look after everything at night, for two weeks each."""
    team = life.company.teams[TEAMS[1]]
    _label(life, "a night shift", life.begin, life.days, *team.people[4:6])
    for number in range(life.days - 7):
        day = life.begin + timedelta(days=number)
        person = team.people[4 + number // 14 % 2]
        if day.weekday() < 5 and life.chance.random() < 0.8:
            at = team.local(day, life.chance.uniform(22.5, 27))
            request(life, team, person, team.offers["logs"], at, woken=team.people[9 - team.people.index(person)])


def two_laptops(life: Life) -> None:
    """Somebody goes on with another laptop in the middle of a grant, and does not come back to the first."""
    team = next(team for team in life.company.teams.values() if any(len(one.laptops) > 1 for one in team.people))
    person = next(one for one in team.people if len(one.laptops) > 1)
    for number in range(6):
        day = _monday(life.begin + timedelta(days=16 + 11 * number))
        _label(life, "two laptops", day, 1, person)
        told = life.ask(person, team.offers["logs"], team.local(day, 10), duration=7200)
        told.grant()
        assert told.story.expires_at is not None
        told.end(told.story.expires_at + timedelta(milliseconds=30))
        desk, couch = (life.place(person, told.at, laptop=laptop) for laptop in person.laptops)
        life.use(told, person, _moves(desk, couch), place=desk)


_LOOKS_LIKE: Final = {
    "travel": "UnfamiliarPlace TwoCredentials OffHours",
    "new people": "UnfamiliarPlace FirstPrivilegedRole OffHours",
    "a busy incident week": "ManyRequests SameRoleAgain OffHours DeniedThenElsewhere RubberStamping ReciprocalApproval",
    "a migration that was agreed upon": "OffHours PrivilegedSpike FirstPrivilegedRole ManyRequests MassDeletion",
    "a night shift": "OffHours SameRoleAgain ReciprocalApproval RubberStamping",
    "two laptops": "TwoCredentials",
}
"""Which detectors might take each for an incident."""


def _label(life: Life, what: str, begin: date, days: int, *people: Person) -> None:
    since = datetime.combine(begin, time(), UTC)
    names, detectors = frozenset(person.name for person in people), frozenset(_LOOKS_LIKE[what].split())
    life.odd.append(Odd(what, detectors, since, since + timedelta(days=days), names))


def _moves(desk: Place, couch: Place) -> Doing:
    def calls(session: Session, _: Place) -> list[Call]:
        begin = session.announced_at
        return [
            at_place(session, ("get", "pods/log", "web-1"), begin + timedelta(minutes=5 + 9 * number), place)
            for number, place in enumerate([desk] * 5 + [couch] * 5)
        ]

    return calls


def _migrate(session: Session, place: Place) -> list[Call]:
    begin = session.announced_at
    does: tuple[Did, ...] = (
        ("get", "secrets", "db"),
        ("get", "deployments.apps", "web"),
        ("patch", "deployments.apps", "web"),
        ("patch", "deployments.apps", "worker"),
        ("delete", "deployments.apps", "old"),
    )
    return [
        at_place(session, did, begin + timedelta(minutes=4 + 17 * number + 1.5 * place_), place)
        for number in range(3)
        for place_, did in enumerate(does)
    ]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
