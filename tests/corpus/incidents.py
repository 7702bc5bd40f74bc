"""All incidents, each with its team and its day: no two of them share either person or day."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Final

from tests.corpus import asking, guarding, using
from tests.corpus.company import UTC
from tests.corpus.life import Life
from tests.corpus.staging import Stage

INCIDENTS: Final[tuple[Callable[[Stage], None], ...]] = (
    asking.by_one_alone,
    asking.nobody_asks,
    asking.many_requests,
    asking.many_privileged,
    asking.spike,
    asking.again_and_again,
    asking.denied_elsewhere,
    asking.denied_often,
    asking.off_hours,
    asking.first_time,
    asking.without_looking,
    asking.you_scratch_my_back,
    asking.waits,
    asking.waits_for_hours,
    asking.nobody_decides,
    using.glass_broken,
    using.glass_broken,
    using.glass_broken,
    using.not_reviewed,
    using.removed_late,
    using.not_removed,
    using.tampered,
    using.unused,
    using.two_credentials,
    using.a_robot,
    using.left_behind,
    using.reads_secrets,
    using.deletes,
    using.probes,
    using.unfamiliar,
    guarding.own_request,
    guarding.bound_outside,
    guarding.used_by_hand,
    guarding.weakened,
    guarding.guards_off,
    guarding.sink_changed,
    guarding.switched_off,
    guarding.bucket_away,
    guarding.feed_cut,
)

_FIRST_DAY: Final = 21
_HOLE_DAY: Final = 66


def plan_gaps(life: Life) -> None:
    """Plan when the feed of audit events is cut for long: this comes first, because all answers depend on it."""
    begin = datetime.combine(life.begin + timedelta(days=_HOLE_DAY * life.days // 90), time(2), UTC)
    life.holes.append((begin, begin + timedelta(hours=5)))


def plant(life: Life) -> None:
    """Plant all incidents: one on each working day, in one team after the other."""
    teams = list(life.company.teams.values())
    days = [life.begin + timedelta(days=number) for number in range(_FIRST_DAY * life.days // 90, life.days - 3)]
    working = [day for day in days if day.weekday() < 4]
    for number, incident in enumerate(INCIDENTS):
        team = teams[number % len(teams)]
        place = (7, 9)[number // len(teams) % 2]
        day = working[number * len(working) // len(INCIDENTS)] if number else days[0]
        incident(Stage(life, team, day, team.people[place], team.people[number % 4], team.people[8]))
