"""What a log tells of a period: which grants belong to it, and what is kept of the rest."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import Story
from curfew.evidence.figures import Figures
from tests.support.builders import ALICE
from tests.support.quarter import a_count, company, tell
from tests.unit.evidence.telling import NOON, PERIOD, attested, exceptions, granted, told


def test_the_population_is_what_was_in_force_at_any_time_in_the_period() -> None:
    people = company()
    hours = timedelta(hours=1)
    reaches_in, inside, reaches_out = (
        list(people.granted(at, longer=12 * 3600)) for at in (PERIOD.begin - 8 * hours, NOON, PERIOD.end - 9 * hours)
    )
    before, after = (list(people.granted(at)) for at in (PERIOD.begin - 10 * hours, PERIOD.end + hours))

    account = told([*before, *reaches_in, *inside, *reaches_out, *after])

    assert {grant.story.request for grant in account.population} == {"inc-1", "inc-2", "inc-3"}
    assert {grant.story.request for grant in account.began} == {"inc-2", "inc-3"}
    assert "inc-5" not in {grant.story.request for grant in account.grants}  # of what came after, nothing is kept


def test_nothing_is_kept_of_requests_that_were_over_before_the_period() -> None:
    people = company()
    over = [one for _ in range(5) for one in people.granted(PERIOD.begin - timedelta(days=3))]

    assert told(over, begin=PERIOD.begin - timedelta(days=4)).grants == ()


def test_of_the_attestations_before_the_period_the_last_is_kept() -> None:
    hours = timedelta(hours=1)
    earlier, last, inside = (attested(at) for at in (PERIOD.begin - 9 * hours, PERIOD.begin - hours, NOON))

    kept = told([earlier, last, inside]).attestations

    assert [one.record.at for one in kept] == [last[0], inside[0]]


def test_requests_are_counted_by_how_they_ended() -> None:
    people = company()
    records = [
        *people.turned_down(NOON, "denied"),
        *people.turned_down(NOON, "rejected"),
        *people.granted(NOON, ends="revoked"),
        *people.granted(NOON, mode="review.break_glass_invoked"),  # closed only by its review
        *people.granted(NOON, ends="never"),
    ]

    account = told(records)

    assert account.asked == 5
    assert account.phases == {"Denied": 1, "Failed": 1, "Revoked": 1, "Expired": 1, "Open": 1}


def test_the_longest_silence_is_measured_in_the_period_alone() -> None:
    hole = (PERIOD.begin - timedelta(days=9), PERIOD.begin - timedelta(days=4))

    account = told(granted(), begin=hole[0] - timedelta(days=1), hole=hole)

    assert account.longest_silence == timedelta(hours=12)
    assert account.gaps == ()


def test_weeks_begin_on_mondays_and_cover_the_period() -> None:
    by_week = Figures(told(granted()), ()).by_time

    assert [label for label, _ in by_week][:2] == ["29 Jun", "6 Jul"]
    assert by_week[2] == ("13 Jul", 1)
    assert len(by_week) == 14


def test_a_record_that_knows_less_of_a_request_takes_nothing_away() -> None:
    records = granted()
    story = Story.of(records[-1][1])
    bare = Story(uid=story.uid, namespace=story.namespace, request=story.request)
    late = tell("grant.removal_failed", records[-1][0], bare)

    (grant,) = told([*records, late]).grants

    assert grant.story == story


def test_what_is_counted_in_a_record_is_part_of_all_that_was_asked() -> None:
    last_hour = PERIOD.end - timedelta(hours=1)  # the record of it is written after the period
    before = PERIOD.begin - timedelta(hours=1)  # and of this one within it
    people = company()
    own = [*people.turned_down(NOON, "rejected"), *people.granted(NOON)]

    account = told([*own, a_count(NOON, 5), a_count(last_hour, 3), a_count(before, 100)])

    assert account.phases == {"Failed": 1, "Expired": 1}
    assert account.counted == {"DurationTooLong": 2, "LimitReached": 6}
    assert account.asked == 2 + 8
    assert account.is_count_exact
    assert account.unread == ()


def test_a_count_that_is_a_lower_bound_makes_the_sum_one() -> None:
    account = told([*granted(), a_count(NOON, 2), a_count(NOON + timedelta(hours=3), 4, is_exact=False)])

    assert (account.asked, account.is_count_exact) == (7, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rejected": 4},
        {"rejected": "5"},
        {"reasons": {"LimitReached": "5"}},
        {"reasons": {"LimitReached": 10, "TicketMissing": -5}},
        {"reasons": ["LimitReached"]},
        {"hour": "noon"},
        {"hour": "2026-07-14T12:00:00"},
        {"hour": None},
    ],
)
def test_a_count_that_does_not_add_up_is_counted_as_unreadable(wrong: dict[str, Any]) -> None:
    account = told([*granted(), a_count(NOON, 5, **wrong)])

    assert (account.asked, dict(account.counted), len(account.unread)) == (1, {}, 1)


def test_who_had_many_requests_refused_is_listed() -> None:
    (found,) = [one for one in exceptions(told([*granted(), a_count(NOON, 5)])) if str(one.kind) == "refusals-counted"]

    assert (found.who, found.namespace) == (ALICE, "payments")
    assert found.what.startswith(
        f"{ALICE} had 5 more requests refused in payments in the hour from 2026-07-14T12:00:00Z"
    )
