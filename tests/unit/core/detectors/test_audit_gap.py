"""A feed or a log that is silent for twice its heartbeat is told, and ends as soon as it is heard again."""

from datetime import datetime, timedelta

import pytest

from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.activity.records import coverage_confirmed, coverage_lost
from curfew.core.detectors.alert import WhichLog
from curfew.core.detectors.detector import Hears
from tests.support.builders import NOON
from tests.support.findings import Fold, with_detail

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
LOG = "main-activity"


def confirmed(until: datetime, *, length: timedelta = MINUTE) -> Record:
    return coverage_confirmed(LOG, since=until - length, until=until, sources=["api-1"], servers=1, classes=["Get"])


def lost(since: datetime, at: datetime) -> Record:
    return coverage_lost(LOG, since=since, at=at, why="1 of 2 API servers were heard")


def recovered(seconds: int, at: datetime = NOON) -> Record:
    return make_record(
        "audit.sink_recovered",
        at=at,
        actor=CURFEW,
        message="it can be written again",
        subject="main",
        detail={"seconds": seconds, "failed": "id", "writer": "w"},
    )


# --- the feed --------------------------------------------------------------------------------------------------------


def test_a_feed_that_nobody_confirms_is_told_after_two_heartbeats() -> None:
    fold = Fold("AuditGap")
    fold.learn(confirmed(NOON))
    assert fold.look(NOON + 2 * MINUTE - SECOND) == []
    fold.look(NOON + 10 * MINUTE)

    (alert,) = fold.alerts
    assert alert.at == NOON + 2 * MINUTE
    assert alert.message == (
        "no round of test calls has confirmed the feed of audit events since 2026-11-23 12:00:00 UTC"
    )
    assert alert.trigger is None
    assert [one.log for one in alert.evidence] == [WhichLog.ACTIVITY]


def test_it_is_told_once_and_ends_with_the_next_confirmation() -> None:
    fold = Fold("AuditGap")
    fold.learn(confirmed(NOON))
    fold.look(NOON + 10 * MINUTE)
    assert fold.look(NOON + 20 * MINUTE) == []
    fold.learn(confirmed(NOON + 21 * MINUTE))
    assert (fold.ends[-1].key, fold.ends[-1].why) == ("feed", "the feed is whole again up to 2026-11-23 12:21:00 UTC")


def test_a_feed_that_is_confirmed_each_minute_is_no_gap() -> None:
    fold = Fold("AuditGap")
    for minute in range(100):
        fold.look(NOON + minute * MINUTE)
        fold.learn(confirmed(NOON + minute * MINUTE))
    assert fold.alerts == []


@pytest.mark.parametrize(("late", "heartbeats", "gaps"), [(55, 2, 0), (90, 2, 20), (90, 3, 0)], ids=str)
def test_events_may_be_late_by_less_than_a_heartbeat_unless_set_otherwise(
    late: int, heartbeats: int, gaps: int
) -> None:
    fold = Fold("AuditGap", heartbeats=heartbeats)
    for minute in range(20):
        fold.learn(confirmed(NOON + minute * MINUTE))
        fold.look(NOON + (minute + 1) * MINUTE + late * SECOND - timedelta(microseconds=1))
    assert len(fold.alerts) == gaps


def test_the_pace_is_that_of_the_feed() -> None:
    fold = Fold("AuditGap")
    fold.learn(confirmed(NOON, length=5 * MINUTE))
    assert fold.look(NOON + 10 * MINUTE - SECOND) == []
    assert len(fold.look(NOON + 10 * MINUTE)) == 1


def test_a_feed_that_was_never_confirmed_is_not_missed() -> None:
    fold = Fold("AuditGap")
    assert fold.look(NOON + timedelta(days=9)) == []


@pytest.mark.parametrize(("length", "told"), [(2 * MINUTE, 1), (2 * MINUTE - SECOND, 0)], ids=["long", "short"])
def test_a_hole_of_two_heartbeats_is_told(length: timedelta, told: int) -> None:
    fold = Fold("AuditGap")
    fold.learn(lost(NOON, NOON + length))
    assert len(fold.alerts) == told
    if told:
        assert fold.alerts[0].message == (
            "the feed of audit events is not known to be whole from 2026-11-23 12:00:00 UTC to 2026-11-23 12:02:00 UTC: "
            "1 of 2 API servers were heard"
        )


def test_one_gap_is_one_alert_by_its_key_and_an_old_confirmation_ends_nothing() -> None:
    fold = Fold("AuditGap")
    fold.learn(confirmed(NOON))
    fold.look(NOON + 5 * MINUTE)
    fold.learn(lost(NOON, NOON + 6 * MINUTE))
    assert {alert.key for alert in fold.alerts} == {"feed"}
    ends = len(fold.ends)
    fold.learn(confirmed(NOON), confirmed(NOON - MINUTE))
    assert len(fold.ends) == ends


# --- the logs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "told"), [(120, 1), (119, 0)], ids=["two heartbeats", "less"])
def test_an_outage_of_a_store_is_told_and_is_over_already(seconds: int, told: int) -> None:
    fold = Fold("AuditGap")
    fold.learn(recovered(seconds), log=WhichLog.TRAIL)
    assert (len(fold.alerts), len(fold.ends)) == (told, told)
    if told:
        assert fold.alerts[0].message == (
            "nothing could be written to the trail log for 2 min, until 2026-11-23 12:00:00 UTC"
        )


def heard(fold: Fold, at: datetime, log: WhichLog = WhichLog.TRAIL) -> None:
    assert isinstance(fold.detector, Hears)
    fold.found.extend(fold.detector.heard(log, at))


def test_a_log_that_is_not_written_is_told_and_ends_when_it_is_written_again() -> None:
    fold = Fold("AuditGap")
    heard(fold, NOON)
    heard(fold, NOON - MINUTE)
    assert fold.look(NOON + 2 * MINUTE - SECOND) == []
    fold.look(NOON + 2 * MINUTE)
    (alert,) = fold.alerts
    assert alert.message == "the trail log was not written, not even an empty segment, since 2026-11-23 12:00:00 UTC"
    heard(fold, NOON)
    assert fold.look(NOON + 9 * MINUTE) == []
    heard(fold, NOON + 9 * MINUTE)
    assert fold.ends[-1].key == alert.key


def test_the_same_place_is_no_sign_of_life() -> None:
    fold = Fold("AuditGap")
    heard(fold, NOON)
    fold.look(NOON + 2 * MINUTE)
    ends = len(fold.ends)
    heard(fold, NOON)
    assert len(fold.ends) == ends
    assert fold.look(NOON + 9 * MINUTE) == []


def test_another_heartbeat_may_be_set() -> None:
    fold = Fold("AuditGap", heartbeat="10m", heartbeats=3)
    fold.learn(confirmed(NOON))
    assert fold.look(NOON + 30 * MINUTE - SECOND) == []
    assert len(fold.look(NOON + 30 * MINUTE)) == 1


@pytest.mark.parametrize("since", ["never", 7, None, "2026-11-23T12:00:00", "9999-12-31T23:59:59-14:00"], ids=str)
def test_a_confirmation_that_cannot_be_read_confirms_nothing(since: object) -> None:
    fold = Fold("AuditGap")
    fold.learn(with_detail(confirmed(NOON), since=since))
    assert fold.found == []
