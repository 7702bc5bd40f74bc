"""What is an exception, and what is not: one short log each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.audit.record import DecisionRef, Story
from curfew.evidence.exception_kinds import ExceptionKind
from tests.support.quarter import about_log, company, tell
from tests.unit.evidence.telling import (
    AFTER,
    BEAT,
    BEFORE,
    NOON,
    PERIOD,
    attested,
    exceptions,
    granted,
    kinds,
    told,
)


def test_a_log_with_nothing_in_it_has_no_exceptions() -> None:
    assert kinds(told()) == []


@pytest.mark.parametrize("mode", ["review.approved", "review.auto_approved"])
@pytest.mark.parametrize("ends", ["expired", "released", "revoked"])
def test_a_grant_that_went_as_it_should_is_none(mode: str, ends: str) -> None:
    assert kinds(told(granted(mode=mode, ends=ends))) == []


def test_sixty_seconds_late_is_on_time_and_a_millisecond_more_is_not() -> None:
    minute = timedelta(seconds=60)

    assert kinds(told(granted(late=minute))) == []
    assert kinds(told(granted(late=minute + timedelta(milliseconds=1)))) == ["late-end"]


def test_a_late_end_says_how_late_and_names_both_records() -> None:
    (late,) = exceptions(told(granted(late=timedelta(minutes=90))))

    assert late.what.startswith("Ended 1 h 30 min late: promised end 2026-07-14 ")
    assert [record.event for record in late.records] == ["grant.activated", "grant.expired"]


def test_a_grant_that_is_not_due_when_the_log_ends_is_none() -> None:
    begin = AFTER - timedelta(minutes=5)
    account = told(granted(begin, ends="never"))

    assert [grant.end for grant in account.grants] == []  # it began after the period
    assert kinds(told(granted(NOON, ends="never"), end=NOON + timedelta(minutes=1)), now=NOON) == []


def test_an_exception_belongs_to_the_period_in_which_it_was_due() -> None:
    taken_before = granted(PERIOD.begin - timedelta(hours=3), mode="review.break_glass_invoked")
    taken_at_the_end = granted(PERIOD.end - timedelta(hours=3), mode="review.break_glass_invoked")

    assert kinds(told(taken_before)) == ["not-reviewed"]
    assert kinds(told(taken_at_the_end)) == []


def test_an_announcement_after_the_access_is_none() -> None:
    assert kinds(told(granted(is_announced=False))) == ["unannounced"]


def test_an_approval_by_who_asked_is_none_even_if_it_counted() -> None:
    asker = company().story(NOON).requester

    assert kinds(told(granted(approver=asker))) == ["unapproved"]


def test_a_review_by_who_broke_the_glass_is_none_even_if_it_took_effect() -> None:
    records = granted(mode="review.break_glass_invoked")
    at, last = records[-1]
    story = Story.of(last)
    own = tell("review.submitted", at, story, actor=story.requester, decision="Review", effect="TookEffect")

    assert kinds(told([*records, own])) == ["not-reviewed"]


def test_a_review_that_was_refused_is_none() -> None:
    records = granted(mode="review.break_glass_invoked")
    story = company().story(NOON)  # the same people make the same request
    own = tell(
        "review.refused",
        NOON + timedelta(hours=1),
        story,
        actor=story.requester,
        decision="Review",
        effect="OwnRequest",
    )

    assert kinds(told([*records, own])) == ["not-reviewed", "self-approval"]


def test_an_approval_that_came_after_the_access_is_none() -> None:
    records = granted(approver="")
    at, last = records[-1]
    decision = DecisionRef("ben@example.com", "Approve", None, None, at)
    late = tell(
        "review.submitted", at, replace(Story.of(last), decisions=(decision,)), actor=decision.by, effect="Counted"
    )

    assert kinds(told([*records, late])) == ["unapproved"]


def test_an_event_that_this_version_does_not_know_changes_nothing() -> None:
    records = granted()
    strange = tell("session.first_use", NOON + timedelta(minutes=1), company().story(NOON))

    account = told([*records, strange])

    assert account.events["session.first_use"] == 1
    assert kinds(account) == []


# --- the log itself


def test_a_silence_of_three_signs_of_life_is_none_and_a_longer_one_is() -> None:
    begin = BEFORE + 8 * BEAT

    assert kinds(told(hole=(begin, begin + 3 * BEAT))) == []
    assert kinds(told(hole=(begin, begin + 4 * BEAT))) == ["log-silent"]


def test_a_silence_that_the_log_explains_as_an_outage_is_told_once() -> None:
    since = BEFORE + 8 * BEAT
    until = since + 5 * BEAT
    failed = about_log("audit.sink_failed", since, {"reason": "StoreUnavailable"})
    recovered = about_log("audit.sink_recovered", until, {"seconds": 1, "failed": failed.id})

    found = exceptions(told([(until, failed), (until, recovered)], hole=(since, until)))

    assert [one.kind for one in found] == [ExceptionKind.OUTAGE]
    assert found[0].what.endswith("It lasted 2 d 12 h.")


def test_each_end_of_the_period_that_the_log_does_not_reach_is_one() -> None:
    assert kinds(told(begin=PERIOD.begin + timedelta(days=9))) == ["not-covered"]
    assert kinds(told(end=PERIOD.end - timedelta(days=9))) == ["not-covered"]
    assert kinds(told(begin=PERIOD.end, end=AFTER)) == ["not-covered"]


def test_what_is_not_covered_is_shown_by_the_record_at_the_end_of_the_log() -> None:
    (begins,) = exceptions(told(begin=PERIOD.begin + timedelta(days=9)))
    (ends,) = exceptions(told(granted(), end=PERIOD.end - timedelta(days=9)))

    assert [record.event for record in begins.records] == ["audit.opened"]
    assert [record.event for record in ends.records] == ["request.closed"]


def test_a_period_that_is_not_over_is_covered_up_to_now() -> None:
    assert kinds(told(end=NOON), now=NOON) == []


def test_a_store_that_is_not_proved_write_once_is_one_until_it_is() -> None:
    lost, found = NOON, NOON + timedelta(hours=5)
    account = told(
        [attested(lost, sufficient=False), attested(lost + timedelta(hours=1), sufficient=False), attested(found)]
    )

    (only,) = exceptions(account)

    assert (only.kind, only.at) == (ExceptionKind.NOT_WRITE_ONCE, lost)
    assert only.what.startswith("For 5 h: ")
    assert len(only.records) == 3


def test_a_store_that_was_not_proved_write_once_before_the_period_is_one_from_its_first_instant() -> None:
    (only,) = exceptions(told([attested(NOON)], first=attested(sufficient=False)))

    assert (only.kind, only.at) == (ExceptionKind.NOT_WRITE_ONCE, PERIOD.begin)


def test_a_log_without_any_attestation_is_one() -> None:
    nothing = (BEFORE, about_log("audit.writer_changed", BEFORE, {}))

    assert kinds(told(first=nothing)) == ["not-write-once"]
