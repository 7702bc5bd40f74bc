"""The story of a request is joined from all its records: none has to repeat what another has."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from curfew.audit.record import CURFEW, BindingRef, DecisionRef, Record, Story, make_record
from curfew.audit.stories import joined

NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
ASKED = Story(uid="u", namespace="payments", request="inc-1", requester="alice@example.com", duration=60)
BOB = DecisionRef("bob@example.com", "Approve", "owners", "on call", NOON)


def decided(story: Story, *, effect: str = "Counted") -> Record:
    detail = {"decision": "Approve", "effect": effect, "stage": "owners", "reason": "on call"}
    return make_record("review.submitted", at=NOON, actor=BOB.by, message="m", story=story, detail=detail)


def step(event: str, story: Story) -> Record:
    return make_record(event, at=NOON, actor=CURFEW, message="m", story=story)


def test_what_a_later_record_leaves_out_is_known_from_an_earlier_one() -> None:
    ended = replace(ASKED, ended_at=NOON + timedelta(minutes=1))

    story = joined([decided(replace(ASKED, decisions=(BOB,))), step("grant.expired", ended)])

    assert story == replace(ended, decisions=(BOB,))


def test_a_reason_that_only_the_decisions_own_record_has_is_part_of_the_story() -> None:
    bare = replace(ASKED, decisions=(replace(BOB, reason=None),))

    story = joined([step("request.accepted", ASKED), decided(bare), step("grant.activated", bare)])

    assert story == replace(ASKED, decisions=(BOB,))


def test_a_decision_keeps_the_time_with_which_it_was_first_recorded() -> None:
    moved = replace(ASKED, decisions=(replace(BOB, seen_at=NOON + timedelta(seconds=1)),))

    story = joined([decided(replace(ASKED, decisions=(BOB,))), step("grant.activated", moved)])

    assert story is not None
    assert story.decisions == (BOB,)


def test_a_story_that_was_read_from_a_binding_changes_nothing() -> None:
    altered = Story(uid="u", namespace="payments", request="inc-1", requester="mallory@example.com")
    bound = replace(altered, binding=BindingRef("curfew-u", "b"))

    story = joined([step("grant.activated", ASKED), step("grant.removal_failed", bound)])

    assert story == replace(ASKED, binding=BindingRef("curfew-u", "b"))


def test_records_without_a_story_tell_none() -> None:
    about_log = make_record("audit.opened", at=NOON, actor=CURFEW, message="m", subject="main")

    assert joined([about_log]) is None
