"""The section on sessions: why an answer is unknown, and sums that show when a part is missing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.api.activity import Activity, Changes
from curfew.evidence.grants import ReviewedGrant
from curfew.evidence.sessions import (
    ANSWER_COLUMNS,
    GrantAnswer,
    SessionFigures,
    SessionLedger,
    WhyUnknown,
    answer_row,
    unknown_answer,
)
from tests.support.watching import a_call, the_calls, the_session, the_watch
from tests.unit.evidence.telling import NOON, PERIOD, granted, told

UNKNOWN = Activity(changes=Changes.UNKNOWN)


@pytest.fixture(scope="module")
def grant() -> ReviewedGrant:
    """Return one grant."""
    (one,) = told(granted()).population
    return one


def answered(grant: ReviewedGrant, answer: Activity = UNKNOWN, *, holes: int = 0, streams: int = 0) -> GrantAnswer:
    """Return an answer for a grant."""
    return GrantAnswer(grant, answer, holes, streams, None, None, (), ())


def figures(
    *answers: GrantAnswer, outcomes: dict[str, int] | None = None, others: int = 0, records: int = 0
) -> SessionFigures:
    """Return the numbers of a section."""
    return SessionFigures("main-activity", "file:///", "key", "00", 7, answers, outcomes or {}, others, (), records)


def test_an_unknown_answer_has_each_of_its_reasons(grant: ReviewedGrant) -> None:
    opaque = Activity(changes=Changes.UNKNOWN, opaque=2)

    assert answered(grant, holes=1).why == (WhyUnknown.FEED,)
    assert answered(grant, opaque).why == (WhyUnknown.OPAQUE,)
    assert answered(grant, opaque, holes=1, streams=1).why == (WhyUnknown.FEED, WhyUnknown.OPAQUE, WhyUnknown.STREAM)
    assert answered(grant).why == (WhyUnknown.OTHER,)


@pytest.mark.parametrize("changes", [Changes.YES, Changes.NO])
def test_an_answer_that_is_known_has_no_reason(changes: Changes, grant: ReviewedGrant) -> None:
    assert answered(grant, Activity(changes=changes, opaque=1), holes=1).why == ()


def test_a_grant_that_the_trail_does_not_announce_is_unknown_for_that_alone(grant: ReviewedGrant) -> None:
    one = replace(answered(grant, unknown_answer(NOON), holes=1), is_announced=False)

    assert one.why == (WhyUnknown.NOT_ANNOUNCED,)
    assert answer_row(one)["changes"] == "Unknown"


def test_the_answers_add_up_to_the_grants(grant: ReviewedGrant) -> None:
    section = figures(*(answered(grant, Activity(changes=one)) for one in (*Changes, Changes.NO)))

    assert section.by_changes == {Changes.YES: 1, Changes.NO: 2, Changes.UNKNOWN: 1}
    assert section.is_whole


@pytest.mark.parametrize(("outcomes", "others", "is_whole"), [(2, 1, True), (2, 0, False), (3, 1, False)])
def test_calls_that_are_in_no_sum_or_in_two_are_noticed(outcomes: int, others: int, is_whole: bool) -> None:
    assert figures(outcomes={"Read": outcomes}, others=others, records=3).is_whole is is_whole


def test_each_column_is_filled(grant: ReviewedGrant) -> None:
    assert set(answer_row(answered(grant))) == set(ANSWER_COLUMNS)


def test_calls_and_alerts_of_other_grants_and_times_are_kept_apart() -> None:
    watch = the_watch()
    about = the_session(watch)
    watch.see(*the_calls(watch), a_call(about, "get", "secrets", about.until + timedelta(seconds=20), name="db"))
    ours, others = SessionLedger(PERIOD, frozenset({about.uid})), SessionLedger(PERIOD, frozenset())
    for index, record in enumerate(watch.records):
        outcome = record.block.get("detail", {}).get("effect")
        ours.take(index, record, outcome)
        others.take(index, record, outcome)

    assert sum(ours.outcomes.values()) == others.others == ours.records == 6
    assert (ours.others, others.outcomes) == (0, {})
    assert [alert.record.event for alert in ours.alerts] == ["alert.used_after_end"]
    assert others.alerts == []  # neither of its grants nor of its period
