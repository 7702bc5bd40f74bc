"""What is told of policies: each version once, how it differs, and the end; whoever starts anew when."""

from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.core.keys import PolicyKey
from curfew.core.policy_records import place_of
from curfew.processes.operator.lister import Lister
from tests.support.builders import NOON, a_policy
from tests.support.ocsf import validate
from tests.support.stage import Stage

STRICT = {"approval": {"mode": "Review", "count": 2}}


def told(stage: Stage) -> list[Record]:
    """Return the records about policies, each of them what the catalogue says."""
    records = [record for record in stage.log if place_of(record) is not None]
    for record in records:
        validate(record)
    return records


def events(stage: Stage) -> list[str]:
    """Return their events."""
    return [record.event for record in told(stage)]


def status(stage: Stage) -> dict[str, Any]:
    """Return the status of the policy."""
    (body,) = stage.cluster.all("AccessPolicy")
    found: dict[str, Any] = body["status"]
    return found


async def started(**spec: Any) -> Stage:
    """Return a stage whose policy was told."""
    stage = Stage(policy=a_policy(**spec))
    await stage.settle()
    return stage


async def test_a_policy_is_told_when_it_is_first_seen() -> None:
    stage = await started()

    (record,) = told(stage)
    assert (record.event, record.block["code"], record.block["actor"]) == ("policy.created", "5001I", "system:curfew")
    assert record.message == (
        "AccessPolicy debug in payments offers ClusterRole payments-debug for at most 4h in mode Review"
    )
    assert record.at == NOON
    detail = record.block["detail"]
    assert (detail["namespace"], detail["policy"], detail["generation"]) == ("payments", "debug", 1)
    assert detail["spec"]["approval"] == {
        "mode": "Review",
        "count": 1,
        "stages": [],
        "groups": [],
        "whenNotRecorded": "Wait",
    }
    assert status(stage)["recorded"]["generation"] == 1


async def test_what_a_policy_may_do_is_asked_once_though_each_write_to_it_is_news() -> None:
    """In a cluster with a thousand policies, a start asks a thousand questions and not four thousand."""
    stage = await started()
    calls = stage.cluster.failures.calls

    assert calls.count("patch policy status") > 1
    assert (calls.count("get ClusterRole"), calls.count("may bind")) == (1, 1)


async def test_a_policy_that_was_changed_before_it_was_seen_says_what_is_not_known() -> None:
    stage = Stage()
    stage.cluster.apply(a_policy(maxDuration="8h"))
    await stage.settle()

    (record,) = told(stage)
    assert record.event == "policy.created"
    assert record.block["detail"]["generation"] == 2
    assert record.message.endswith(
        "for at most 8h in mode Review; it was changed before Curfew saw it, and how the policy was before is not known"
    )


@pytest.mark.parametrize(
    ("change", "event", "code", "message"),
    [
        pytest.param(
            {**STRICT, "maxDuration": "2h"},
            "policy.updated",
            "5002I",
            "AccessPolicy debug in payments was changed: maxDuration is 2h, was 4h",
            id="shorter",
        ),
        pytest.param(
            {"maxDuration": "2h"},
            "policy.weakened",
            "5003W",
            "AccessPolicy debug in payments was weakened: 1 must agree, was 2",
            id="shorter, and with fewer people",
        ),
    ],
)
async def test_a_change_is_told_in_words(change: dict[str, Any], event: str, code: str, message: str) -> None:
    stage = await started(**STRICT)

    stage.cluster.apply(a_policy(**change))
    await stage.settle()

    record = told(stage)[-1]
    assert (record.event, record.block["code"], record.message) == (event, code, message)
    detail = record.block["detail"]
    assert (detail["previous_generation"], detail["generation"]) == (1, 2)
    assert "maxDuration is 2h, was 4h" in detail["differences"]


async def test_the_field_manager_is_told_and_nobody_is_made_the_actor_for_it() -> None:
    policy = a_policy()
    policy["metadata"]["managedFields"] = [
        {"manager": "helm", "operation": "Update", "time": "2026-11-20T12:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-22T12:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "curfew", "operation": "Update", "time": "2026-11-23T12:00:00Z", "subresource": "status"},
    ]
    stage = Stage(policy=policy)
    await stage.settle()

    (record,) = told(stage)
    assert record.block["detail"]["manager"] == "kubectl-edit"
    assert record.block["actor"] == "system:curfew"


async def test_what_was_removed_from_a_policy_is_not_remembered() -> None:
    """The status is merged, so that what is gone has to be taken out by name."""
    stage = await started(description="for incidents", ticket={"required": True, "pattern": "INC-[0-9]+"})
    for _ in range(2):
        stage.cluster.apply(a_policy())
        await stage.settle()

    assert [record.event for record in told(stage)] == ["policy.created", "policy.weakened", "policy.updated"]
    assert told(stage)[-1].message.endswith("was changed, and requires the same as before")


async def test_each_version_is_told_once_however_often_the_operator_starts() -> None:
    stage = await started()
    for duration in ("8h", "2h"):
        stage.restart()
        await stage.settle()
        stage.cluster.apply(a_policy(maxDuration=duration))
        stage.restart()
        await stage.settle()

    assert events(stage) == ["policy.created", "policy.weakened", "policy.updated"]


async def test_a_version_counts_as_recorded_only_when_it_is() -> None:
    """Without a bucket a policy is judged all the same, and what is to be told of it waits."""
    stage = Stage()
    stage.trail.ok = False
    await stage.settle()
    assert status(stage)["conditions"][0]["status"] == "True"
    assert "recorded" not in status(stage)

    stage.restart()  # what waited is lost with the process
    await stage.settle()

    assert events(stage) == ["policy.created"]
    assert status(stage)["recorded"]["generation"] == 1


async def test_versions_that_came_while_nothing_could_be_recorded_are_told_as_one() -> None:
    stage = await started()
    stage.trail.ok = False
    for duration in ("5h", "6h"):
        stage.cluster.apply(a_policy(maxDuration=duration))
    stage.restart()
    await stage.settle()

    record = told(stage)[-1]
    assert record.message == "AccessPolicy debug in payments was weakened: maxDuration is 6h, was 4h"
    assert (record.block["detail"]["previous_generation"], record.block["detail"]["generation"]) == (1, 3)


async def test_a_version_that_another_curfew_wrote_and_this_cannot_read_is_not_known() -> None:
    stage = await started()
    told(stage)[-1].block["detail"]["spec"]["roleRef"] = "as another version has it"
    stage.cluster.apply(a_policy())
    await stage.settle()

    record = told(stage)[-1]
    assert record.event == "policy.updated"
    assert record.block["detail"]["differences"] == ["how the policy was before is not known"]


async def test_the_end_of_a_policy_is_told() -> None:
    stage = await started()

    stage.cluster.delete("AccessPolicy", "debug")
    await stage.settle()

    record = told(stage)[-1]
    assert (record.event, record.block["code"]) == ("policy.deleted", "5004W")
    assert record.message == "AccessPolicy debug in payments was deleted; nothing is granted under it any more"
    assert record.block["detail"]["spec"]["maxDuration"] == "4h"
    assert not stage.store.policies.gone(PolicyKey("payments", "debug"))


async def test_the_end_of_a_policy_that_nobody_saw_go_is_told_at_the_start_and_once() -> None:
    """The log is the memory."""
    stage = await started()
    stage.cluster.watchers = []
    stage.cluster.delete("AccessPolicy", "debug")

    for _ in range(2):
        stage.restart()
        await stage.settle()

    assert events(stage) == ["policy.created", "policy.deleted"]
    assert told(stage)[-1].message == "AccessPolicy debug in payments was deleted while Curfew was not watching"
    assert told(stage)[-1].block["detail"]["spec"]["maxDuration"] == "4h"


@pytest.mark.parametrize("how", ["watched", "its end is missed by the watch", "while nobody looks"])
async def test_a_policy_that_is_made_anew_is_another(how: str) -> None:
    """Names are reused, UIDs are not."""
    stage = await started()
    watchers = stage.cluster.watchers
    if how != "watched":
        stage.cluster.watchers = []
    stage.cluster.delete("AccessPolicy", "debug")
    if how != "while nobody looks":
        stage.cluster.watchers = watchers
    stage.cluster.apply(a_policy())
    if how == "while nobody looks":
        stage.restart()
    await stage.settle()

    assert sorted(events(stage)) == ["policy.created", "policy.created", "policy.deleted"]
    first, second = (record.subject for record in told(stage) if record.event == "policy.created")
    (gone,) = (record.subject for record in told(stage) if record.event == "policy.deleted")
    assert gone == first != second


async def test_a_policy_whose_end_the_watch_missed_is_found_in_a_list() -> None:
    """A watch reports no deletions across a gap."""
    stage = await started()
    watchers, stage.cluster.watchers = stage.cluster.watchers, []
    stage.cluster.delete("AccessPolicy", "debug")
    stage.cluster.watchers = watchers

    await Lister(stage.store, stage.cluster, stage.dirty.add, lambda _: None).relist()
    await stage.settle()

    assert events(stage) == ["policy.created", "policy.deleted"]


async def test_a_policy_that_came_and_went_without_a_bucket_is_told_whole() -> None:
    stage = await started()
    stage.trail.ok = False
    stage.cluster.apply(a_policy("short-lived"))
    await stage.settle()
    stage.cluster.delete("AccessPolicy", "short-lived")
    await stage.settle()
    stage.trail.ok = True
    await stage.settle()

    assert events(stage)[-2:] == ["policy.created", "policy.deleted"]


@pytest.mark.parametrize(
    ("approval", "status_", "reason", "words"),
    [
        ({"mode": "Review"}, "False", "ByVerbAlone", 'even through a role with verbs: ["*"]'),
        (
            {"mode": "Review", "stages": [{"name": "a", "groups": ["x"]}, {"name": "b"}]},
            "False",
            "ByVerbAlone",
            "stage b",
        ),
        ({"mode": "BreakGlass", "groups": ["x", "y"]}, "True", "ByGroup", "approvers are in these groups: x or y"),
        ({"mode": "Review", "stages": [{"name": "a", "groups": ["x"]}]}, "True", "ByGroup", "x for a"),
        ({"mode": "Automatic"}, "True", "NobodyApproves", "without approval"),
    ],
)
async def test_a_policy_says_whether_it_names_its_approvers(
    approval: dict[str, Any], status_: str, reason: str, words: str
) -> None:
    """Whoever has every verb may approve every stage, unless the policy names groups."""
    stage = Stage(policy=a_policy(approval=approval))
    stage.dirty.add(PolicyKey("payments", "debug"))
    await stage.settle()

    (said,) = (one for one in status(stage)["conditions"] if one["type"] == "ApproversNamed")
    assert (said["status"], said["reason"]) == (status_, reason)
    assert words in said["message"]


async def test_a_status_that_was_written_ahead_hides_no_weakening() -> None:
    """What a policy was is in the log; whoever has the operator's token can write a status (promise P7)."""
    stage = Stage()
    await stage.settle()
    weak = a_policy(approval={"mode": "Automatic"})
    body = stage.cluster.all("AccessPolicy")[0]
    body["status"] = {**body["status"], "recorded": {"generation": 99}}
    stage.cluster._write(("AccessPolicy", "payments", "debug"), body)
    await stage.settle()
    stage.cluster.apply(weak)
    await stage.settle()

    assert [record.event for record in stage.log][-1] == "policy.weakened"
    assert stage.cluster.all("AccessPolicy")[0]["status"]["recorded"]["generation"] == 2
