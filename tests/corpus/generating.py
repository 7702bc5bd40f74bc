"""The corpus: both logs in the order in which they are read, and what was planted in them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from curfew.audit.record import Record
from curfew.core.detectors.records import configured
from tests.corpus import incidents, oddities, ordinary
from tests.corpus.carrying import with_carried
from tests.corpus.company import Company
from tests.corpus.life import Life, Planted
from tests.support.watching import ACTIVITY

BEGIN: Final = date(2026, 8, 3)
DAYS: Final = 90
PEOPLE: Final = 200


@dataclass(frozen=True, slots=True)
class Corpus:
    """Ninety days: each log in the order of time, the incidents, and for how many days how many people were there."""

    trail: tuple[Record, ...]
    activity: tuple[Record, ...]
    planted: tuple[Planted, ...]
    life: Life
    begin: datetime
    end: datetime

    @property
    def person_days(self) -> int:
        """How many days all people together were there, days off included, without those of an incident's people."""
        end = self.end.date()
        return sum((end - person.joined).days for person in self.life.company.people) - len(self.planted)


def generate(seed: int, *, days: int = DAYS, people: int = PEOPLE, heartbeat: timedelta = timedelta(hours=1)) -> Corpus:
    """Return a corpus. `heartbeat` is how often the feed is confirmed: rarely, and the detectors are told, to keep it small."""
    chance = random.Random(seed)  # noqa: S311  to be had again, not secret
    company = Company(chance, BEGIN, days, people)
    life = Life(chance, company, BEGIN, days)
    begin = datetime.combine(BEGIN, time(), UTC)
    end = begin + timedelta(days=days)
    incidents.plan_gaps(life)
    life.cover(begin - timedelta(hours=12), end + timedelta(hours=12), heartbeat, life.holes)
    for number, team in enumerate(company.teams.values()):
        for offer in team.offers.values():
            life.offer(offer, begin + timedelta(seconds=number))
    life.activity.append(configured(ACTIVITY, detectors={}, policies={}, off=[], changed=[], at=begin))
    oddities.plan_travels(life)
    oddities.label_new_people(life)
    incidents.plant(life)
    oddities.incident_week(life)
    oddities.migration(life)
    oddities.night_shift(life)
    oddities.two_laptops(life)
    for team in company.teams.values():
        for number in range(days):
            ordinary.day(life, team, BEGIN + timedelta(days=number))
            ordinary.night(life, team, BEGIN + timedelta(days=number))
    trail = tuple(with_carried(_in_order(life.trail, end), begin))
    return Corpus(trail, _in_order(life.activity, end), tuple(life.planted), life, begin, end)


def _in_order(records: Sequence[Record], end: datetime) -> tuple[Record, ...]:
    """Return the records of a log by time, each once; what happens after the end is not in it."""
    known = {record.id: record for record in records if record.at < end}
    return tuple(sorted(known.values(), key=lambda record: record.body["time"]))
