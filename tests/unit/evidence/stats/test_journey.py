"""What is known of a request is what the first record of each step tells, in the order of the log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from curfew.audit.record import CURFEW, Record, make_record
from curfew.evidence.stats.journey import GRANTED, OPEN, RequestJourney, milliseconds
from tests.support.quarter import Timed, company, tell

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


def learnt(*told: Timed) -> RequestJourney:
    journey = RequestJourney(told[0][1].subject, NOON_MS)
    for _, record in told:
        journey.learn(record)
    return journey


def after(**more: float) -> datetime:
    return NOON + timedelta(**more)


def changed(record: Record, **block: Any) -> Record:
    body = {**record.body, "unmapped": {"curfew": {**record.block, **block}}}
    return replace(record, body=body)


def test_two_stages_a_later_start_and_the_access() -> None:
    story = replace(company().story(NOON), not_before=after(hours=5))
    journey = learnt(
        tell("request.created", NOON, story, actor=story.requester),
        tell("request.accepted", after(seconds=1), story, needed=2, stages=["owners", "security"]),
        tell(
            "review.submitted",
            after(hours=1),
            story,
            actor="bo@x",
            decision="Approve",
            effect="Counted",
            stage="owners",
        ),
        tell(
            "review.submitted",
            after(hours=2),
            story,
            actor="ed@x",
            decision="Approve",
            effect="Counted",
            stage="security",
        ),
        tell("review.approved", after(hours=2), story),
        tell("grant.activated", after(hours=5, seconds=2), story),
        tell("request.closed", after(hours=9), story, phase="Expired"),
    )

    hour = 3_600_000
    parts = journey.wait(NOON_MS)
    assert journey.outcome == GRANTED
    assert (parts.nobody_looked, parts.other_stages) == (hour - 1000, hour)
    assert (parts.record_or_rules, parts.start_time) == (3000, 3 * hour)
    assert journey.stage_waits() == {"owners": hour - 1000, "security": 2 * hour - 1000}
    assert journey.policy == f"{story.namespace}/{story.policy.name}" if story.policy else ""


def test_what_comes_after_the_access_changes_nothing() -> None:
    story = company().story(NOON)
    start = [
        tell("request.created", NOON, story, actor=story.requester),
        tell("request.accepted", NOON, story),
        tell("review.break_glass_invoked", NOON, story),
        tell("grant.activated", after(seconds=1), story),
    ]
    review = tell("review.submitted", after(hours=1), story, actor="bo@x", decision="Review", effect="TookEffect")

    assert learnt(*start, review).wait(0) == learnt(*start).wait(0)
    assert learnt(*start).wait(0).record_or_rules == 1000


def test_a_request_that_nobody_has_looked_at_waits_until_the_last_record() -> None:
    story = company().story(NOON)
    cancelled = tell("review.submitted", after(hours=1), story, actor="bo@x", decision="Cancel", effect="TookEffect")
    journey = learnt(tell("request.created", NOON, story), tell("request.accepted", NOON, story), cancelled)

    assert journey.outcome == OPEN
    assert journey.wait(NOON_MS + 5000).nobody_looked == 5000


def test_a_damaged_record_tells_nothing_and_ends_nothing() -> None:
    story = company().story(NOON)
    _, created = tell("request.created", NOON, story)
    journey = RequestJourney("uid", NOON_MS)
    _, accepted = tell("request.accepted", NOON, story)
    for block in ({"story": [1]}, {"story": {"policy": "x", "role": 7, "not_before": 3}}, {"detail": "x"}):
        journey.learn(changed(created, **block))
    journey.learn(changed(accepted, detail={"stages": [1, {}, "owners"]}))
    journey.learn(
        make_record(
            "review.submitted", at=NOON, actor=CURFEW, message="x", subject="uid", detail={"decision": "Approve"}
        )
    )

    assert journey.outcome == OPEN
    assert journey.not_before is None
    assert journey.stages == ("owners",)
    assert journey.looked == NOON_MS


def test_instants_are_cut_to_milliseconds() -> None:
    assert milliseconds("2026-11-30T12:00:00.001999Z") == NOON_MS + 1
    assert milliseconds("2026-11-30T13:00:00+01:00") == NOON_MS
    assert milliseconds("2026-11-30T12:00:00") is None
    assert milliseconds(12) is None
    assert milliseconds("9999-99-99T00:00:00Z") is None
