"""For which time the feed was known to be whole."""

from datetime import datetime, timedelta

import pytest

from curfew.audit.record import Record
from curfew.core.activity import coverage as coverage_module
from curfew.core.activity.coverage import UNCONFIRMED, Coverage, Hole
from curfew.core.activity.records import coverage_confirmed, coverage_lost
from tests.support.builders import NOON

LOG = "main-activity"


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def confirmed(since: float, until: float) -> Record:
    """Return the record of a confirmed interval, in minutes."""
    return coverage_confirmed(LOG, since=at(since), until=at(until), sources=["node-1"], servers=1, classes=["Get"])


def lost(since: float, until: float, why: str = "12 events were dropped") -> Record:
    """Return the record of a loss, in minutes."""
    return coverage_lost(LOG, since=at(since), at=at(until), why=why)


def covered(*told: Record) -> Coverage:
    """Return what these records cover."""
    coverage = Coverage()
    for record in told:
        coverage.learn(record)
    return coverage


def holes(coverage: Coverage, since: float, until: float) -> list[tuple[float, float, str]]:
    """Return the holes of an interval, in minutes."""
    return [
        ((hole.since - NOON).total_seconds() / 60, (hole.until - NOON).total_seconds() / 60, hole.why)
        for hole in coverage.holes(at(since), at(until))
    ]


def test_without_any_record_nothing_is_whole() -> None:
    assert holes(covered(), 0, 5) == [(0, 5, UNCONFIRMED)]
    assert holes(covered(), 5, 5) == [(5, 5, UNCONFIRMED)]


def test_rounds_that_touch_are_one_interval() -> None:
    rounds = covered(confirmed(0, 1), confirmed(1, 2), confirmed(2, 3))

    assert holes(rounds, 0, 3) == holes(rounds, 0.5, 2.5) == holes(rounds, 1, 1) == []
    assert rounds.whole_until(at(0.5)) == at(3)


def test_a_window_is_whole_only_inside_a_confirmed_interval() -> None:
    assert holes(covered(confirmed(1, 2)), 0, 3) == [(0, 1, UNCONFIRMED), (2, 3, UNCONFIRMED)]
    assert holes(covered(confirmed(1, 2)), 2, 3) == [(2, 3, UNCONFIRMED)]
    assert holes(covered(confirmed(1, 2)), 5, 6) == [(5, 6, UNCONFIRMED)]


def test_a_round_that_is_missing_is_a_hole() -> None:
    assert holes(covered(confirmed(0, 1), confirmed(2, 3), confirmed(4, 5)), 0, 5) == [
        (1, 2, UNCONFIRMED),
        (3, 4, UNCONFIRMED),
    ]


def test_what_was_lost_counts_also_if_it_had_been_confirmed() -> None:
    known = covered(confirmed(0, 1), confirmed(1, 2), lost(0.5, 2), confirmed(2, 3))

    assert holes(known, 0, 3) == [(0.5, 2, "12 events were dropped")]
    assert known.whole_until(at(0)) == at(0.5)
    assert holes(known, 2.5, 3) == []


def test_the_reason_of_a_loss_stands_for_the_hole() -> None:
    assert holes(covered(confirmed(0, 1), lost(1, 2, "no source was heard"), confirmed(2, 3)), 0, 3) == [
        (1, 2, "no source was heard")
    ]


def test_it_is_whole_until_the_first_hole() -> None:
    assert covered(confirmed(0, 2)).whole_until(at(2)) is None
    assert covered(confirmed(0, 2)).whole_until(at(3)) is None
    assert covered(confirmed(0, 2), lost(0, 1)).whole_until(at(0)) is None
    assert covered(confirmed(0, 2), lost(0, 1)).whole_until(at(1.5)) == at(2)


@pytest.mark.parametrize(
    "detail",
    [
        None,
        {},
        {"since": "2026-11-23T12:00:00Z"},
        {"since": "noon", "until": "2026-11-23T12:05:00Z"},
        {"since": "2026-11-23T12:00:00", "until": "2026-11-23T12:05:00"},
        {"since": 7, "until": 8},
        {"since": "2026-11-23T12:05:00Z", "until": "2026-11-23T12:00:00Z"},
    ],
)
def test_a_record_that_cannot_be_read_confirms_nothing(detail: object) -> None:
    record = confirmed(0, 5)
    body = {**record.body, "unmapped": {"curfew": {**record.block, "detail": detail}}}

    assert holes(covered(Record(record.id, record.event, record.subject, body)), 0, 5) == [(0, 5, UNCONFIRMED)]


def test_a_loss_whose_beginning_cannot_be_read_takes_all_that_was_confirmed_before() -> None:
    record = lost(3, 4)
    body = {**record.body, "unmapped": {"curfew": {**record.block, "detail": {"why": "it stopped"}}}}

    known = covered(confirmed(0, 5), Record(record.id, record.event, record.subject, body))

    assert holes(known, 0, 5) == [(0, 4, "it stopped")]


def test_what_is_forgotten_is_not_confirmed_any_more() -> None:
    known = covered(confirmed(0, 1), lost(1, 2), confirmed(2, 3))

    known.forget(at(2.5))

    assert holes(known, 0, 1) == [(0, 1, UNCONFIRMED)]
    assert holes(known, 2, 3) == []


def test_a_feed_that_flutters_needs_no_memory_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_module, "MOST_INTERVALS", 10)
    known = covered(*(record for n in range(0, 60, 2) for record in (confirmed(n, n + 1), lost(n + 0.5, n + 0.75))))

    assert len(known._confirmed) <= 10
    assert len(known._lost) <= 10
    assert holes(known, 0, 1) == [(0, 1, UNCONFIRMED)]
    assert holes(known, 58, 59) == [(58.5, 58.75, "12 events were dropped")]


def test_holes_come_in_order() -> None:
    found = covered(lost(4, 5), confirmed(0, 10), lost(1, 2)).holes(at(0), at(10))

    assert found == (
        Hole(at(1), at(2), "12 events were dropped"),
        Hole(at(4), at(5), "12 events were dropped"),
    )
