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
    stage.dirty |= {request.metadata.uid for request in stage.store.requests()}
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
