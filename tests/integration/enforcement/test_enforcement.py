"""An admission policy that somebody takes out of force is missed, by its name, and found again when it is back."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from curfew.core.probes import CANARY_POLICY, CANARY_REQUEST, UNTRIED, attempts
from tests.integration.enforcement.conftest import BINDING, POLICY, Probing, Vandal
from tests.integration.installed import CHART, SYSTEM, Installed
from tests.support.api import succeed
from tests.support.scale import seed, soaks
from tools.servers.errors import CommandFailed

POLICIES = tuple(attempt.policy for attempt in attempts(SYSTEM, "curfew-probe"))


def read(cluster: Installed, kind: str, name: str) -> dict[str, Any]:
    """Return an object of Curfew's own namespace."""
    shown = cluster.kubectl("get", kind, name, "--namespace", SYSTEM, "--output=json")
    return dict(json.loads(shown.stdout))


async def test_all_is_in_force_after_the_installation(cluster: Installed, probing: Probing) -> None:
    """Every policy that the chart installs is tried, and refuses."""
    state = await probing.until_enforced()  # another test may have put a policy back a moment ago

    installed = cluster.kubectl("get", "validatingadmissionpolicies", "--output=jsonpath={.items[*].metadata.name}")
    assert (state.ok, state.reason, state.message) == (True, "Enforced", "All admission policies are in force.")
    assert probing.policies == dict.fromkeys(set(installed.stdout.split()) - UNTRIED.keys(), True)
    assert probing.states[-1] == state


def tried(way: str) -> Sequence[str]:
    """Return the policies that somebody takes out of force in one of two ways: each in one of them, in a soak in both."""
    order = random.Random(f"{seed()} vandals").sample(POLICIES, len(POLICIES))  # noqa: S311  to be had again, not secret
    half = len(order) // 2
    return POLICIES if soaks() else order[:half] if way == "deleted" else order[half:]


async def test_each_policy_whose_binding_is_deleted_is_missed(probing: Probing, vandal: Vandal) -> None:
    """It alone; put back, it is in force again."""
    await probing.until_enforced()
    for policy in tried("deleted"):
        vandal.restore()
        vandal.take(BINDING, policy)

        state = await probing.until_missing(policy)

        assert state.reason == "NotEnforced"
        assert f"not in force: {policy} (" in state.message
        assert f"restore ValidatingAdmissionPolicyBinding {policy} with validationActions [Deny]" in state.message

    vandal.restore()
    await probing.until_enforced()


async def test_each_policy_that_only_warns_is_missed(probing: Probing, vandal: Vandal) -> None:
    """A warning stops nobody."""
    await probing.until_enforced()
    for policy in tried("warns"):
        vandal.restore()
        vandal.only_warn(policy)

        state = await probing.until_missing(policy)

        assert state.reason == "NotEnforced"
        assert "was not refused" in state.message

    vandal.restore()
    await probing.until_enforced()


async def test_a_policy_that_is_deleted_is_missed(probing: Probing, vandal: Vandal) -> None:
    """A binding alone refuses nothing."""
    await probing.until_enforced()
    vandal.take(POLICY, "curfew-request-decision")

    await probing.until_missing("curfew-request-decision")


def upgrade(cluster: Installed) -> None:
    """Do what the message says."""
    cluster.environment.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, "--reuse-values")


async def test_helm_puts_back_what_was_deleted_and_what_only_warns_once_it_is_deleted(
    cluster: Installed, probing: Probing, vandal: Vandal
) -> None:
    """As the message says. Before that, helm would add Deny to Warn, which the API server refuses."""
    await probing.until_enforced()
    vandal.only_warn("curfew-managed-bindings")
    state = await probing.until_missing("curfew-managed-bindings")
    assert "delete ValidatingAdmissionPolicyBinding curfew-managed-bindings first" in state.message
    with pytest.raises(CommandFailed, match="must not contain both Deny and Warn"):
        upgrade(cluster)

    cluster.kubectl("delete", BINDING, "curfew-managed-bindings")
    upgrade(cluster)

    await probing.until_enforced()
    assert [state.reason for state in probing.states] == ["Enforced", "NotEnforced", "Enforced"]


async def test_attempts_that_are_let_through_change_nothing(
    cluster: Installed, probing: Probing, vandal: Vandal
) -> None:
    """With every policy out of force, what is tried succeeds, and leaves no trace."""
    await probing.until_enforced()
    for policy in POLICIES:
        vandal.take(BINDING, policy)
    await probing.until_missing(*POLICIES)
    kinds = "accessrequests,accesspolicies,rolebindings"
    listing = ("get", kinds, "--namespace", SYSTEM, "--output=json", "--sort-by=metadata.name")
    before = json.loads(cluster.kubectl(*listing).stdout)["items"]

    await probing.enforcement.probe()

    assert probing.missing() == set(POLICIES)
    assert json.loads(cluster.kubectl(*listing).stdout)["items"] == before
    assert {"curfew-probe", CANARY_POLICY} <= {item["metadata"]["name"] for item in before}


async def test_what_it_is_tried_on_is_made_again(cluster: Installed, probing: Probing) -> None:
    """Whoever deletes it does not stop anything."""
    await probing.until_enforced()
    uid = read(cluster, "accessrequest", CANARY_REQUEST)["metadata"]["uid"]
    cluster.kubectl("delete", "accessrequest", CANARY_REQUEST, "--namespace", SYSTEM)
    cluster.kubectl("delete", "accesspolicy", CANARY_POLICY, "--namespace", SYSTEM)

    assert (await probing.enforcement.probe()).ok

    assert read(cluster, "accessrequest", CANARY_REQUEST)["metadata"]["uid"] != uid
    assert read(cluster, "accesspolicy", CANARY_POLICY)["spec"]["roleRef"] == {"kind": "Role", "name": "curfew-probe"}
    assert len(probing.states) == 1


async def test_without_its_service_account_nothing_is_known_and_so_nothing_is_in_force(
    cluster: Installed, probing: Probing
) -> None:
    """Unknown means no (promise P8). Only what Curfew itself may try is known still."""
    await probing.until_enforced()
    path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/curfew-probe"
    account = json.loads(succeed(cluster.api.ask("GET", path)))
    account["metadata"] = {key: account["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    succeed(cluster.api.ask("DELETE", path))
    try:
        state = await probing.until(lambda _: len(probing.missing()) == 9)
        assert 'serviceaccounts "curfew-probe" not found' in state.message
        assert "helm upgrade curfew" in state.message
    finally:
        cluster.api.apply(account, manager="helm")
    await probing.until_enforced()
