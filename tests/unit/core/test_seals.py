"""Nothing gets into the log through a status but what Curfew put there itself (promises P4, P7 and P9)."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from curfew.api.access_request import SealedRecord
from curfew.audit.api_call import ApiCall
from curfew.audit.event_type import OcsfClass
from curfew.audit.events import EVENTS
from curfew.audit.record import CURFEW, Entity, Record, Story, make_record
from curfew.core.seals import OUTBOX_ROOM, SEALED, SealRefused, Seals
from curfew.processes.operator.survey import Survey, take_survey
from tests.support.builders import ALICE, BOB, CAROL, DAVE, NOON, a_decision, a_policy, a_role
from tests.support.ocsf import validate
from tests.support.stage import Stage, active, pending

OURS = Seals(b"our signature")
NOBODY = "00000000-0000-0000-0000-000000000000"


def of(uid: str, event: str = "review.submitted", **more: Any) -> Record:
    """Return a record about a request."""
    story = Story(uid=uid, namespace="payments", request="inc-4711", requester=ALICE)
    if EVENTS[event].ocsf_class is OcsfClass.API_ACTIVITY:
        more["call"] = ApiCall("get", "audit-1")
    return make_record(event, at=NOON, actor=more.pop("actor", BOB), message="<told>", story=story, **more)


def test_what_was_sealed_is_opened() -> None:
    """By this process and by the next, and after the key was exchanged."""
    record = of("uid-1")
    entry = SealedRecord.model_validate(OURS.seal("uid-1", record))

    assert json.loads(entry.record) == record.body
    for seals in (OURS, Seals(b"our signature"), Seals(b"the next key's", b"our signature")):
        opened = seals.open("uid-1", [entry])
        assert (opened.records, opened.strange) == ((record,), None)


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: {**entry, "seal": ""},
        lambda entry: {**entry, "seal": "é" * 64},
        lambda entry: {**entry, "seal": entry["seal"].upper()},
        lambda entry: {**entry, "record": entry["record"].replace(BOB, CAROL)},
        lambda entry: {**entry, "record": "[" * 100_000},
        lambda entry: Seals(b"a thief's").seal("uid-1", of("uid-1")),
        lambda entry: OURS.seal("uid-2", of("uid-2")),
        lambda entry: {},
    ],
)
def test_what_is_not_ours_is_named_and_left_out(change: Any) -> None:
    """And stops nothing else."""
    good = OURS.seal("uid-1", of("uid-1"))
    entries = [SealedRecord.model_validate(one) for one in (change(good), good)]

    opened = OURS.open("uid-1", entries)

    assert len(opened.records) == 1
    assert opened.strange is not None
    assert (opened.strange.entries, opened.strange.why) == (1, "it has no seal that is valid for this request")


@pytest.mark.parametrize("event", sorted(EVENTS.keys() - SEALED))
def test_what_the_plan_never_puts_there_is_never_sealed(event: str) -> None:
    """Not what a log says of itself, of policies or calls, and no announcement: that is durable before anything is written."""
    with pytest.raises(SealRefused, match="never in the status"):
        OURS.seal("uid-1", of("uid-1", event))
    nouns = (
        *("audit", "policy", "alert", "call", "stream", "session", "coverage", "external"),
        *("lock", "enforcement", "guard", "decision", "binding", "role", "person", "detection", "notification"),
    )
    assert event.partition(".")[0] in nouns or event in (
        "grant.intended",
        "grant.orphan_removed",
        "grant.removal_failed",
        "request.deleted",
        "request.rejections_counted",
    )


def test_what_is_about_something_else_is_never_sealed() -> None:
    with pytest.raises(SealRefused, match="not about this request"):
        OURS.seal("uid-1", of("uid-2"))


FORGED: Mapping[str, Any] = {
    "a key of the thief's": lambda _: make_record(
        "audit.key_rotated", at=NOON, actor=CURFEW, message="", subject="main", detail={"verifier_key": "x"}
    ),
    "an approval of bob's": lambda uid: of(uid, "review.approved"),
    "a request that never was": lambda _: of(NOBODY, "request.accepted", actor=CAROL),
    "an announcement without its window": lambda uid: of(uid, "grant.intended", qualifier="forged"),
    "the end of a policy": lambda _: make_record(
        "policy.deleted", at=NOON, actor=DAVE, message="", entity=Entity("payments/x", "AccessPolicy", "u")
    ),
}


def write(stage: Stage, *entries: Mapping[str, Any]) -> None:
    """Write an outbox as somebody with the operator's token can."""
    body = copy.deepcopy(stage.cluster._objects["AccessRequest", "payments", "inc-4711"])
    body["status"]["outbox"] = list(entries)
    stage.cluster._write(("AccessRequest", "payments", "inc-4711"), body)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_a_forged_record_is_recorded_as_what_it_is(forged: Any, restarts: bool) -> None:
    """It is not in the log, people are warned, and the grant ends as it would have."""
    stage = Stage()
    uid = await active(stage)
    record, before = forged(uid), len(stage.log)
    write(
        stage,
        Seals(b"a thief's").seal(uid, record)
        if record.event in SEALED and record.subject == uid
        else {"record": record.line().decode(), "seal": "00" * 32},
    )
    if restarts:
        stage.restart()
    await stage.settle()

    (told,) = stage.log[before:]
    assert (told.event, told.subject, told.block["detail"]["entries"]) == ("request.outbox_altered", uid, 1)
    validate(told)
    entries = stage.cluster.status("inc-4711")["outbox"]
    assert [json.loads(entry["record"])["unmapped"]["curfew"]["event"] for entry in entries] == [told.event]
    assert [notice.type for notice in stage.told.notices if notice.reason == "OutboxAltered"] == ["Warning"]

    stage.cluster.decide("inc-4711", a_decision(CAROL, "Revoke"))
    await stage.settle()
    assert (stage.phase(), stage.bindings()) == ("Revoked", [])
    assert stage.events(uid)[-2:] == ["grant.revoked", "request.closed"]


async def test_entries_that_are_put_there_all_the_time_are_told_once_an_hour() -> None:
    """The log cannot be emptied; whoever has the token must not fill it."""
    stage = Stage()
    uid = await pending(stage)
    for number in range(5):
        write(stage, {"record": str(number), "seal": ""})
        await stage.settle()
    assert stage.events(uid).count("request.outbox_altered") == 1

    stage.clock.advance(minutes=59)
    write(stage, {"record": "later", "seal": ""})
    await stage.settle()
    assert stage.events(uid).count("request.outbox_altered") == 1


async def test_while_the_key_does_not_answer_access_ends_and_nothing_else_happens() -> None:
    """What seals the records is not known yet: a Revoke is carried out, and told when it is (promise P3)."""
    stage = Stage()
    uid = await active(stage)
    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    stage.restart()
    seals, stage.trail.seals = stage.trail.seals, None
    await stage.settle()
    assert (stage.phase(), stage.bindings()) == ("Active", [])

    stage.trail.seals = seals
    await stage.pass_time(seconds=10)
    assert stage.phase() == "Revoked"
    assert stage.events(uid)[-2:] == ["grant.revoked", "request.closed"]


@pytest.mark.parametrize("is_durable", [True, False])
async def test_no_entry_outlives_the_key_that_sealed_it(is_durable: bool) -> None:
    """The key before may be taken away once the next one was used, however long a request waits after that (promise P7)."""
    stage = Stage()
    stage.trail.ok = is_durable
    uid = await pending(stage)
    assert len(stage.cluster.status("inc-4711")["outbox"]) == 2

    for secrets in ((b"the next key", b"a signature"), (b"the next key",)):
        stage.restart()
        stage.trail.ok, stage.trail.seals = is_durable, Seals(*secrets)
        await stage.settle()

    assert len(stage.cluster.status("inc-4711")["outbox"]) == (0 if is_durable else 2)
    assert "request.outbox_altered" not in [notice.reason for notice in stage.told.notices]
    stage.trail.ok = True
    stage.look_at_all_requests()
    await stage.settle()
    assert stage.events(uid) == ["request.created", "request.accepted"]


def survey(stage: Stage) -> Survey:
    """Return what the metrics show."""
    return take_survey(stage.store, stage.clock.now(), stage.trail.seals, stage.trail.is_told)


async def test_what_is_in_the_log_leaves_a_status_with_the_next_change() -> None:
    """And until then the condition is true of it."""
    stage = Stage()
    uid = await pending(stage)
    version = stage.cluster.all("AccessRequest")[0]["metadata"]["resourceVersion"]
    assert stage.events(uid) == ["request.created", "request.accepted"]
    assert (stage.condition("Recorded")["status"], stage.condition("Recorded")["reason"]) == ("True", "Sealed")
    assert survey(stage).outbox == 0
    stage.store.memories.settled(uid, "")  # nobody has looked at this version since the records became durable
    stage.trail.is_open = False
    assert survey(stage).outbox == 2
    stage.trail.is_open = True
    assert survey(stage).outbox == 0

    stage.look_at_all_requests()
    await stage.settle()
    assert stage.cluster.all("AccessRequest")[0]["metadata"]["resourceVersion"] == version

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    told = [json.loads(entry["record"]) for entry in stage.cluster.status("inc-4711")["outbox"]]
    assert [record["unmapped"]["curfew"]["event"] for record in told] == ["grant.activated"]


async def test_a_role_that_changes_all_the_time_fills_no_outbox() -> None:
    """The bucket is away. The changes that fit are told, and a story always has room for its end."""
    stage = Stage(policy=a_policy(onRoleChange="Keep"))
    uid = await active(stage)
    stage.trail.ok = False
    for number in range(80):
        stage.cluster.apply(a_role(rules=[{"apiGroups": [""], "resources": [f"r{number}"], "verbs": ["get"]}]))
        await stage.settle()
        stage.clock.advance(seconds=1)
    assert len(stage.cluster.status("inc-4711")["outbox"]) == OUTBOX_ROOM

    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()
    assert stage.phase() == "Revoked"
    stage.trail.ok = True
    await stage.settle()
    assert stage.events(uid)[-2:] == ["grant.revoked", "request.closed"]
