"""A grant that its policy keeps when its role changes says what the role is now, and when it is as it was again."""

from typing import Any

import pytest

from tests.support.builders import a_decision, a_policy, a_request, a_role
from tests.support.ocsf import validate
from tests.support.stage import Stage

SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]


@pytest.fixture
async def stage() -> Stage:
    """Return a stage with an Active grant that is kept."""
    stage = Stage(policy=a_policy(onRoleChange="Keep"))
    stage.cluster.apply(a_request())
    await stage.settle()
    stage.cluster.apply(a_role())  # the watch has seen it
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Active"
    return stage


async def look(stage: Stage) -> dict[str, Any]:
    """Give everything its turn, and return what is said of the role."""
    stage.look_at_all_requests()
    await stage.settle()
    return stage.condition("RoleUnchanged")


async def test_rules_that_return_are_said_to_have_returned(stage: Stage) -> None:
    """Each change is told once, also the one back; so it goes with the next one (promise P11)."""
    for _ in range(2):
        stage.cluster.apply(a_role(rules=SECRETS))
        said = await look(stage)
        assert (said["status"], said["reason"]) == ("False", "RoleChanged")
        stage.cluster.apply(a_role())
        said = await look(stage)
        assert (said["status"], said["reason"]) == ("True", "AsApproved")

    told = [record.message for record in stage.log if record.event == "grant.role_changed"]
    assert [message.partition(": ")[2] for message in told] == [
        "the rules of ClusterRole payments-debug were changed during the grant",
        "the rules of ClusterRole payments-debug were changed back during the grant",
    ]
    for record in stage.log:
        validate(record)


async def test_a_role_of_which_nothing_is_known_has_not_returned(stage: Stage) -> None:
    """Whoever starts anew has not seen it yet: unknown is no yes (promise P8)."""
    stage.cluster.apply(a_role(rules=SECRETS))
    await look(stage)

    stage.restart()
    said = await look(stage)

    assert said["status"] == "False"


async def test_a_role_that_is_gone_has_no_digest(stage: Stage) -> None:
    """Nothing stands where there is nothing to say."""
    stage.cluster.delete("ClusterRole", "payments-debug", "")

    said = await look(stage)

    assert (said["status"], said["message"]) == ("False", "ClusterRole payments-debug was deleted")


EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


async def test_a_kept_grant_ends_when_its_role_becomes_permanent(stage: Stage) -> None:
    """Keep is for changes of what a person can do now, not for access that outlives the grant (promises P1 and P5)."""
    stage.cluster.apply(a_role(rules=EVERYTHING))
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RoleIsPermanent")
    assert stage.events()[-3:] == ["grant.role_changed", "grant.revoked", "request.closed"]
    assert "Wildcard" in stage.log[-2].message
    assert stage.bindings() == []
    ready = stage.cluster.all("AccessPolicy")[0]["status"]["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "RoleIsPermanent")


async def test_a_policy_that_allows_permanence_keeps_even_that() -> None:
    """It said so by name when the request was accepted."""
    stage = Stage(policy=a_policy(onRoleChange="Keep", allowPermanence=True))
    stage.cluster.apply(a_role())
    stage.cluster.apply(a_request())
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    stage.cluster.apply(a_role(rules=EVERYTHING))
    await stage.settle()

    assert stage.phase() == "Active"
    assert stage.events().count("grant.role_changed") == 1


async def test_a_policy_is_judged_again_when_its_role_changes(stage: Stage) -> None:
    """Also back, and when the role is gone; nobody has to touch the policy."""

    def ready() -> tuple[str, str, list[str]]:
        status = stage.cluster.all("AccessPolicy")[0]["status"]
        return status["conditions"][0]["status"], status["conditions"][0]["reason"], status["risk"]

    assert ready() == ("True", "Offered", [])
    stage.cluster.apply(a_role(rules=SECRETS))
    await stage.settle()
    assert ready() == ("True", "Offered", ["ReadsSecrets"])
    stage.cluster.delete("ClusterRole", "payments-debug", "")
    await stage.settle()
    assert ready() == ("False", "RoleNotFound", [])


def aggregated(**fields: Any) -> dict[str, Any]:
    """Return the role as one whose rules a controller collects."""
    return {**a_role(**fields), "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "debug"}}]}}


@pytest.fixture(params=["Revoke", "Keep"])
async def collected(request: pytest.FixtureRequest) -> Stage:
    """Return a stage with an Active grant of an aggregated role."""
    stage = Stage(policy=a_policy(onRoleChange=request.param))
    stage.cluster.apply(aggregated())
    stage.cluster.apply(a_request())
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Active"
    return stage


async def test_an_aggregated_role_that_flaps_ends_nothing(collected: Stage) -> None:
    """Its controller fills it again in milliseconds, and nothing was changed."""
    told = collected.events()
    collected.cluster.apply(aggregated(rules=[]))
    await collected.settle()
    await collected.pass_time(seconds=1)
    collected.cluster.apply(aggregated())
    await collected.settle()
    await collected.pass_time(seconds=5)

    assert collected.phase() == "Active"
    assert collected.events() == told


async def test_an_aggregated_role_that_stays_different_was_changed(collected: Stage) -> None:
    """After two seconds it counts as for any other role (promise P5)."""
    collected.cluster.apply(aggregated(rules=EVERYTHING))
    await collected.settle()
    assert collected.phase() == "Active"
    await collected.pass_time(seconds=3)

    assert collected.phase() == "Revoked"
    assert collected.bindings() == []


@pytest.mark.parametrize(("stays", "phase"), [(False, "Active"), (True, "Failed")])
async def test_a_request_is_not_failed_by_a_role_that_flaps(stays: bool, phase: str) -> None:
    """The grant waits until the rules have settled; then it is compared with what was approved."""
    stage = Stage()
    stage.cluster.apply(aggregated())
    stage.cluster.apply(a_request())
    await stage.settle()

    stage.cluster.apply(aggregated(rules=[]))
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Pending"
    if not stays:
        stage.cluster.apply(aggregated())
    await stage.settle()
    await stage.pass_time(seconds=3)

    assert stage.phase() == phase
