"""What Curfew makes of the objects that it tests its admission policies on: they fail on purpose, and nobody is warned."""

from curfew.core.probes import attempts
from tests.support.builders import a_request, a_role
from tests.support.stage import Stage

CANARIES = [each.canary.manifest for each in attempts("payments", "curfew-probe") if each.canary is not None]


async def test_the_request_fails_on_purpose_and_at_once() -> None:
    stage = Stage()
    for canary in CANARIES:
        stage.cluster.apply(dict(canary))
    await stage.settle()

    assert stage.phase("curfew-probe") == "Failed"
    assert stage.cluster.status("curfew-probe")["endReason"] == "SelfTest"
    assert stage.condition("Ready", "curfew-probe")["message"].startswith("this is Curfew's self-test")
    assert stage.told.notices == []


async def test_the_policy_is_not_ready_on_purpose() -> None:
    stage = Stage()
    stage.cluster.apply({**a_role("curfew-probe"), "kind": "Role", "rules": []})
    stage.cluster.may_bind_roles = False
    for canary in CANARIES:
        stage.cluster.apply(dict(canary))
    await stage.settle()

    policy = next(each for each in stage.cluster.all("AccessPolicy") if each["metadata"]["name"] == "curfew-canary")
    ready = next(each for each in policy["status"]["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "SelfTest")
    assert "curfew-canary" not in {notice.regarding.name for notice in stage.told.notices}


async def test_a_person_who_uses_its_name_is_answered_like_everybody() -> None:
    stage = Stage()
    stage.cluster.apply(a_request("curfew-probe", duration="5h"))
    await stage.settle()

    assert stage.cluster.status("curfew-probe")["endReason"] == "DurationTooLong"
    assert [notice.reason for notice in stage.told.notices] == ["Rejected"]
