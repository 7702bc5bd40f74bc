"""A grant that is recorded late, after a restart of the monitor, is no reason to believe that nothing was done with it."""

from datetime import datetime, timedelta

from curfew.audit.record import Record
from curfew.core.activity.sessions import Sessions
from curfew.processes.monitor.late_grants import LateGrants
from tests.support.activity import announced

Hole = tuple[datetime, datetime]


def told(record: Record, *, started_at: datetime | None) -> tuple[Sessions, list[Hole]]:
    """Return what is known and lost after a record, for a process that began to take calls at `started_at`."""
    sessions, holes = Sessions(), list[Hole]()
    late = LateGrants(sessions.learn, lambda since, until, _: holes.append((since, until)))
    if started_at is not None:
        late.started(started_at)
    late.learn(record)
    return sessions, holes


def test_a_grant_from_before_the_start_that_is_recorded_now_makes_a_hole_up_to_the_start() -> None:
    record = announced()
    sessions, holes = told(record, started_at=record.at + timedelta(minutes=3))
    assert holes == [(record.at, record.at + timedelta(minutes=3))]
    assert len(sessions) == 1


def test_what_is_read_back_at_the_start_makes_none() -> None:
    sessions, holes = told(announced(), started_at=None)
    assert (len(sessions), holes) == (1, [])


def test_a_grant_that_is_recorded_at_once_makes_none() -> None:
    record = announced()
    sessions, holes = told(record, started_at=record.at - timedelta(minutes=3))
    assert (len(sessions), holes) == (1, [])
