"""The company: its teams in their time zones, its people, and from where and with what they work."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tests.corpus.roles import Offer, offers_of

TEAMS: Final = (
    "payments",
    "checkout",
    "ledger",
    "search",
    "identity",
    "shipping",
    "mail",
    "catalog",
    "pricing",
    "fraud",
    "reports",
    "billing",
    "media",
    "mobile",
    "partner",
    "support",
    "storage",
    "queue",
    "edge",
    "platform",
)
ZONES: Final = ("Europe/Berlin", "America/New_York", "Europe/Lisbon", "Asia/Kolkata", "America/Los_Angeles")
"""Three of four people work in Europe; the zone of a team is a fact that its detectors are told."""

_FIRST: Final = (
    "anna",
    "ben",
    "carla",
    "dario",
    "eva",
    "finn",
    "gina",
    "hugo",
    "ines",
    "jan",
    "kira",
    "leo",
    "mia",
    "noah",
    "olga",
    "paul",
    "rosa",
    "sven",
    "tara",
    "udo",
)
_LAST: Final = ["adler", "brandt", "costa", "dietz", "evers", "falk", "graf", "haas", "imhof", "jung"]

PEOPLE_OF_A_TEAM: Final = len(_LAST)


@dataclass(frozen=True, slots=True)
class Laptop:
    """A machine of somebody: what it calls with."""

    number: int
    user_agent: str
    has_certificate: bool  # else its token is new each day


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works here."""

    name: str
    number: int
    team: str
    joined: date
    requests_a_week: float
    laptops: tuple[Laptop, ...]

    @property
    def renews_each_hour(self) -> bool:
        """Whether their tokens are new each hour, also in the middle of a grant."""
        return self.number % 7 == 0

    @property
    def office(self) -> str:
        """The address of the team's office: one for all who are there."""
        return f"80.80.80.{TEAMS.index(self.team) + 1}"

    @property
    def home(self) -> str:
        """The address of their home: a network for each."""
        return f"81.{10 + self.number // 100}.{self.number % 100}.17"

    def credential(self, laptop: Laptop, day: date) -> str:
        """Return what a laptop authenticates with on a day: a certificate for a quarter year, or a token for a day."""
        if laptop.has_certificate:
            serial = f"{self.number}-{laptop.number}-{(day.toordinal() + 7 * self.number) // 90}"
            return f"X509SHA256={serial.encode().hex():0<64}"
        return f"JTI=00000000-0000-4000-8000-{self.number:04d}{laptop.number:02d}{day:%y%m%d}"


@dataclass(slots=True)
class Team:
    """A team: its namespace has its name."""

    name: str
    zone: ZoneInfo
    people: list[Person]
    offers: dict[str, Offer]

    def at_work(self, day: date) -> list[Person]:
        """Return who had joined by a day."""
        return [person for person in self.people if person.joined <= day]

    def on_call(self, day: date) -> Person:
        """Return who is on call in the week of a day."""
        people = self.people[:6]
        return people[day.toordinal() // 7 % len(people)]

    def local(self, day: date, hour: float) -> datetime:
        """Return an instant of a day by the team's clock."""
        midnight = datetime.combine(day, time(), self.zone)
        return (midnight + timedelta(hours=hour)).astimezone(UTC)


UTC: Final = ZoneInfo("UTC")


class Company:
    """All teams. Equal seeds are equal companies."""

    def __init__(self, chance: random.Random, begin: date, days: int, size: int) -> None:
        """`size` is how many people there are; of them, one in 25 joins between `begin` and `days` later."""
        self.teams: dict[str, Team] = {}
        names = [f"{first}.{last}@example.com" for first in _FIRST for last in _LAST]
        for index in range(size // PEOPLE_OF_A_TEAM):
            name = TEAMS[index]
            zone = ZoneInfo(ZONES[(0, 0, 1, 0, 2, 0, 3, 0, 1, 4)[index % 10]])
            people = []
            for place in range(PEOPLE_OF_A_TEAM):
                number = index * PEOPLE_OF_A_TEAM + place
                is_new = number % 25 == 24
                people.append(
                    Person(
                        names[number],
                        number,
                        name,
                        begin + timedelta(days=days // 3 + number % (days // 2)) if is_new else begin,
                        chance.choice((0.2, 0.3, 0.5, 1.0, 1.5, 2.5)),
                        _laptops(number),
                    )
                )
            self.teams[name] = Team(name, zone, people, offers_of(name))

    @property
    def people(self) -> Iterator[Person]:
        """Everybody."""
        return (person for team in self.teams.values() for person in team.people)


def _laptops(number: int) -> tuple[Laptop, ...]:
    """Return the machines of somebody; one in twenty has two."""
    agents = ("kubectl/v1.36.1 (darwin/arm64)", "kubectl/v1.37.2 (linux/amd64)", "k9s/v0.50.9")
    one = Laptop(1, agents[number % 3], has_certificate=number % 5 == 0)
    return (one, Laptop(2, agents[(number + 1) % 3], has_certificate=False)) if number % 20 == 3 else (one,)
