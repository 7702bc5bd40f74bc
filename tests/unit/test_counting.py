"""Many refused requests of one person: the first have their own records, the others are counted in one (decision 0049)."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from curfew.api import names
from curfew.api.access_request import AccessRequest
from curfew.audit.record import Record
from curfew.core.counting import TallyKey
from curfew.core.refused_or_withdrawn import RefusedOrWithdrawn
from tests.support.builders import ALICE, BOB, NOON, a_decision, a_policy, a_request
from tests.support.ocsf import validate
from tests.support.stage import Stage

HOUR = "2026-11-23T12:00:00Z"
OWN = 20


def a_small_stage(mode: str = "Review") -> Stage:
    """Return a stage whose policy lets one request of a person wait. It is a minute past noon."""
    limits = {"activePerRequester": 1, "pendingPerRequester": 1}
    stage = Stage(policy=a_policy(approval={"mode": mode}, limits=limits))
    stage.clock.advance(minutes=-1)
    stage.restart()
    stage.clock.advance(minutes=2)
    return stage


async def ask(stage: Stage, name: str, **spec: Any) -> str:
    """Have somebody ask, and let Curfew answer; return the UID."""
    uid: str = stage.cluster.apply(a_request(name, created=stage.clock.now(), **spec))["metadata"]["uid"]
    await stage.settle()
    return uid


async def flood(stage: Stage, number: int, first: int = 0, **spec: Any) -> None:
    """Have somebody ask many times."""
    for each in range(first, first + number):
        await ask(stage, f"r{each:04}", **spec)


async def hour_passes(stage: Stage) -> None:
    """Let the hour pass, and what belongs to it be written."""
    await stage.pass_time(hours=1, minutes=2)
    await stage.settle()


def counts(stage: Stage) -> list[Mapping[str, Any]]:
    """Return what the records of counts hold."""
    return [record.block["detail"] for record in told(stage)]


def told(stage: Stage) -> list[Record]:
    """Return the records of counts."""
    return [record for record in stage.log if record.event == "request.rejections_counted"]


def events(stage: Stage) -> Counter[str]:
    """Return how many records there are of each event."""
    return Counter(stage.events())


async def test_a_refused_request_makes_three_records_only_twenty_times_an_hour() -> None:
    """Nobody can empty the bucket, and one person can ask all day."""
    stage = a_small_stage()

    await flood(stage, 1 + OWN + 30)
    assert events(stage) == {
        "request.created": 1 + OWN,
        "request.accepted": 1,
        "request.rejected": OWN,
        "request.closed": OWN,
    }
    await hour_passes(stage)

    (record,) = told(stage)
    validate(record)
    assert record.block["actor"] == ALICE
    assert record.message == (
        f"{ALICE} had 30 more requests refused in payments in the hour from {HOUR}, after 20 with records of their own: "
        "30 LimitReached"
    )
    assert record.block["detail"] == {
        "submitter": ALICE,
        "namespace": "payments",
        "hour": HOUR,
        "rejected": 30,
        "reasons": {"LimitReached": 30},
        "exact": True,
        "first": {"at": "2026-11-23T12:01:00Z", "request": "r0021", "uid": "uid-0024"},
        "last": {"at": "2026-11-23T12:01:00Z", "request": "r0050", "uid": "uid-0053"},
    }


async def test_who_is_counted_is_told_so() -> None:
    """The answer is as complete as before, and shows in which hour it is counted (promise P11)."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 1)

    status = stage.cluster.status("r0021")
    assert (status["phase"], status["endReason"], status["countedIn"]) == ("Failed", "LimitReached", HOUR)
    assert status["outbox"] == []
    assert stage.condition("Recorded", "r0021")["reason"] == "Counted"
    assert (
        "one record, written after the hour from 2026-11-23T12:00:00Z, holds"
        in stage.condition("Recorded", "r0021")["message"]
    )
    (labels,) = [
        body["metadata"]["labels"] for body in stage.cluster.all("AccessRequest") if body["metadata"]["name"] == "r0021"
    ]
    assert labels == {names.LABEL_CLOSED: "true", names.LABEL_COUNTED_IN: "2026-11-23T12"}
    assert "countedIn" not in stage.cluster.status("r0020")


async def test_nothing_is_kept_in_memory_of_a_request_that_is_counted() -> None:
    """A flood must not fill the memory of the process that ends access."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 30)

    assert [request.metadata.name for request in stage.store.requests()] == ["r0000"]


async def test_a_restart_counts_on() -> None:
    """The first are not told anew, and none is counted twice (promise P10)."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 10)
    stage.restart()
    await flood(stage, 10, first=100)
    await hour_passes(stage)
    stage.restart()
    await hour_passes(stage)

    assert events(stage)["request.rejected"] == OWN
    (count,) = counts(stage)
    assert (count["rejected"], count["exact"]) == (20, False)  # who started at 12:01 has not seen all deletions


async def test_what_is_deleted_is_counted() -> None:
    """To delete a refused request does not take it out of the count."""
    stage = a_small_stage()
    for number in range(1 + OWN + 10):
        await ask(stage, f"r{number}")
        if number:
            stage.cluster.delete("AccessRequest", f"r{number}")
            await stage.settle()
    await hour_passes(stage)

    assert [(count["rejected"], count["exact"]) for count in counts(stage)] == [(10, True)]


async def test_what_was_deleted_before_a_restart_is_the_most_that_a_count_can_miss() -> None:
    """It shows that it is a lower bound."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 10)
    for number in range(25, 29):
        stage.cluster.delete("AccessRequest", f"r{number:04}")
    stage.restart()
    await hour_passes(stage)

    (record,) = told(stage)
    assert (record.block["detail"]["rejected"], record.block["detail"]["exact"]) == (6, False)
    assert "had at least 6 more requests refused" in record.message


async def test_a_request_that_is_deleted_before_it_is_closed_is_counted() -> None:
    """It is answered and not yet labelled, and then it is gone."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN)
    stage.cluster.apply(a_request("late", created=stage.clock.now()))
    label = stage.cluster.label_closed

    async def deleted_first(namespace: str, name: str, uid: str, counted_in: str = "") -> dict[str, Any]:
        stage.cluster.delete("AccessRequest", name)
        return await label(namespace, name, uid, counted_in)

    stage.cluster.label_closed = deleted_first  # type: ignore[method-assign]
    await stage.settle()
    await hour_passes(stage)

    assert [count["rejected"] for count in counts(stage)] == [1]


async def test_each_hour_and_each_person_begins_anew() -> None:
    """What one person does is told as one person's."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 3)
    await ask(stage, "bob-0", requester=BOB, submittedBy=BOB)
    await ask(stage, "bob-1", requester=BOB, submittedBy=BOB)
    await hour_passes(stage)
    await flood(stage, 2, first=500)

    assert [(count["submitter"], count["rejected"]) for count in counts(stage)] == [(ALICE, 3)]
    rejected = [record.block["story"]["request"] for record in stage.log if record.event == "request.rejected"]
    assert rejected == [*(f"r{number:04}" for number in range(1, 1 + OWN)), "bob-1", "r0501"]


async def test_a_count_is_written_when_the_log_can_be() -> None:
    """A flood while the bucket is away is counted like any other."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN)
    stage.trail.ok = False
    await flood(stage, 5, first=100)
    await hour_passes(stage)
    assert counts(stage) == []

    stage.trail.ok = True
    await stage.settle()

    assert [count["rejected"] for count in counts(stage)] == [5]


async def test_while_the_log_was_not_read_nobody_knows_who_had_twenty() -> None:
    """A start waits for the log before it refuses, so that nobody has twenty more."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN)
    stage.restart()
    stage.trail.is_open, stage.trail.reason = False, "Opening"
    await flood(stage, 1, first=100)
    assert stage.phase("r0100") is None

    stage.trail.is_open, stage.trail.reason = True, "Writing"
    stage.look_at_all_requests()
    await stage.settle()

    assert "countedIn" in stage.cluster.status("r0100")


async def test_a_count_is_in_the_log_once_also_if_the_clock_was_set_back() -> None:
    """What is refused in an hour whose count is written is counted in the next one (promise P7)."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 2)
    await hour_passes(stage)
    stage.clock.set(NOON + timedelta(minutes=30))
    stage.restart()
    await flood(stage, 3, first=100)
    await stage.pass_time(hours=2)
    await stage.settle()

    assert [(count["hour"], count["rejected"]) for count in counts(stage)] == [(HOUR, 2), ("2026-11-23T13:00:00Z", 2)]


async def test_whoever_was_decided_about_or_granted_is_never_counted() -> None:
    """Their stories are whole, however many others of theirs are counted."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 5)
    stage.cluster.decide("r0000", a_decision())
    await stage.settle()
    stage.cluster.decide("r0000", a_decision(ALICE, "Cancel"))
    await stage.settle()
    uid = await ask(stage, "next")
    stage.cluster.decide("next", a_decision(BOB, "Deny"))
    await stage.settle()

    assert stage.phase("r0000") == "Revoked"
    assert stage.events(uid) == [
        "request.created",
        "request.accepted",
        "review.submitted",
        "review.denied",
        "request.closed",
    ]


async def test_a_request_that_a_decision_was_added_to_is_never_counted() -> None:
    """Somebody took part in it."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 1)
    body = stage.cluster.apply(a_request("decided", created=stage.clock.now()))
    stage.cluster._objects["AccessRequest", "payments", "decided"]["status"] = {}
    stage.cluster.decide("decided", a_decision())
    await stage.settle()

    assert "request.rejected" in stage.events(body["metadata"]["uid"])


async def test_a_status_cannot_take_a_story_out_of_the_log() -> None:
    """Whoever writes countedIn into the status of a request that was accepted changes nothing (promise P7)."""
    stage = a_small_stage()
    uid = await ask(stage, "r0")
    body = next(body for body in stage.cluster.all("AccessRequest") if body["metadata"]["name"] == "r0")
    meta = body["metadata"]
    status = {"phase": "Failed", "endReason": "LimitReached", "countedIn": HOUR, "terms": None}
    await stage.cluster.patch_request_status("payments", "r0", uid, meta["resourceVersion"], status)
    await stage.settle()
    await hour_passes(stage)

    assert counts(stage) == []
    assert names.LABEL_COUNTED_IN not in stage.cluster.all("AccessRequest")[0]["metadata"].get("labels", {})


@pytest.mark.parametrize("how", ["cancel", "delete"])
async def test_whoever_withdraws_twenty_requests_is_refused_for_the_rest_of_the_hour(how: str) -> None:
    """Each makes four or five records, and comes to nothing; what follows is refused, and counted."""
    stage = a_small_stage()
    for number in range(50):
        name = f"r{number}"
        await ask(stage, name)
        if how == "cancel" and stage.phase(name) == "Pending":
            stage.cluster.decide(name, a_decision(ALICE, "Cancel"))
        if how == "delete":
            stage.cluster.delete("AccessRequest", name)
        await stage.settle()
    before = events(stage)
    assert before["request.accepted"] == OWN
    assert before["request.rejected"] == OWN
    stage.restart()
    await flood(stage, 1, first=100)
    assert stage.cluster.status("r0100")["endReason"] == "WithdrawnTooOften"

    await hour_passes(stage)
    await flood(stage, 1, first=200)

    known = 11 if how == "cancel" else 1  # what was deleted before the restart nobody knows
    assert [count["reasons"] for count in counts(stage)] == [{"WithdrawnTooOften": known}]
    assert stage.phase("r0200") == "Pending"


async def test_nobody_else_is_refused_for_it_and_a_glass_can_be_broken() -> None:
    """It is one person's limit, and no emergency waits for an hour to pass."""
    stage = a_small_stage()
    for number in range(OWN):
        await ask(stage, f"r{number}")
        stage.cluster.delete("AccessRequest", f"r{number}")
        await stage.settle()
    stage.cluster.apply(a_policy("glass", approval={"mode": "BreakGlass"}))
    await stage.settle()
    for name, spec in {
        "bobs": {"requester": BOB, "submittedBy": BOB},
        "now": {"policyName": "glass"},
        "more": {},
    }.items():
        await ask(stage, name, **spec)

    assert [stage.phase(name) for name in ("bobs", "now", "more")] == ["Pending", "Active", "Failed"]


async def test_those_for_whom_there_is_no_room_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many people ask, the memory is bounded, and so are the records."""
    stage = a_small_stage()
    stage.counting._refused_or_withdrawn = RefusedOrWithdrawn(most=1)
    stage.trail._refused_or_withdrawn = RefusedOrWithdrawn(most=1)
    for number in range(2 * OWN):
        who = f"person-{number:02}@example.com"
        await ask(stage, f"r{number:03}", requester=who, submittedBy=who, policyName="none-0", duration="99h")
    await stage.pass_time(minutes=1)  # for a policy that does not appear
    await stage.settle()
    await hour_passes(stage)

    assert events(stage)["request.rejected"] == 1 + OWN
    (record,) = told(stage)
    assert record.block["actor"] == "system:curfew"
    assert record.block["detail"]["rejected"] == OWN - 1
    assert stage.cluster.status("r039")["countedWithOthers"] is True
    assert TallyKey("", "", NOON).record_id == record.id


async def test_a_counted_request_is_settled_when_its_count_is_in_the_log() -> None:
    """Before that it is all that shows that it was refused, so it must not be deleted."""
    stage = a_small_stage()
    await flood(stage, 1 + OWN + 1)
    own, counted = (
        AccessRequest.model_validate(body)
        for body in stage.cluster.all("AccessRequest")
        if body["metadata"]["name"] in (f"r{OWN:04}", f"r{OWN + 1:04}")
    )

    assert stage.counting.is_settled(own)
    assert not stage.counting.is_settled(counted)
    stage.restart()
    assert not stage.counting.is_settled(counted), "it is not listed yet"
    await stage.settle()
    assert not stage.counting.is_settled(counted)
    await hour_passes(stage)
    assert stage.counting.is_settled(counted)
