"""What a policy says of itself, and whom it lets ask for how much: read from the status, where people look."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from curfew.api.times import format_time
from tests.integration.installed import RBAC
from tests.integration.operator.people import Body, Person
from tests.integration.operator.place import SOON, Place
from tests.support.operator_process import OperatorProcess
from tools.servers.pki import ADMIN


async def offered(place: Place, name: str, **spec: Any) -> Body:
    """Apply a policy and return its status once that says whether it can be asked for."""
    await place.apply(place.policy(name, **spec))
    path = f"/apis/curfew.dev/v1alpha1/namespaces/{place.namespace}/accesspolicies/{name}"
    applied = (await place.people.admin.get(path)).done()["metadata"]["generation"]  # the watch may be behind it

    def status() -> Body | None:
        for body in place.sights.policies.objects.values():
            meta = body["metadata"]
            if (meta["namespace"], meta["name"]) == (place.namespace, name) and body.get("status"):
                found: Body = body["status"]
                return found if found.get("observedGeneration", 0) >= applied else None
        return None

    return await place.sights.policies.until(status, f"the status of policy {name}", SOON)


def ready(status: Body) -> tuple[str, str]:
    """Return whether a policy can be asked for, and the reason."""
    (condition,) = (c for c in status["conditions"] if c["type"] == "Ready")
    return condition["status"], condition["reason"]


async def let_ask_for_others(place: Place, person: Person) -> None:
    """Let somebody submit requests for other people, as a GitOps controller does."""
    meta = {"name": "on-behalf", "namespace": place.namespace}
    verb, resource = "request-on-behalf", "accesspolicies"
    rules = [{"apiGroups": ["curfew.dev"], "resources": [resource], "verbs": [verb]}]
    await place.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "on-behalf"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": person.name}],
        },
    )
    ask = (verb, f"{resource}.curfew.dev")
    await asyncio.to_thread(place.cluster.await_right, person.name, *ask, namespace=place.namespace)


async def test_a_role_that_could_make_access_permanent_is_offered_only_by_name(
    operator: OperatorProcess, place: Place
) -> None:
    """`edit` may impersonate service accounts: the policy says what is risky, and whoever means it says so."""
    refused = await offered(place, "risky", role="edit")
    asked = await place.ask(place.people.alice, "risky")
    await asked.closed()

    assert ready(refused) == ("False", "RoleIsPermanent")
    assert {"Impersonates", "ReadsSecrets", "ExecsIntoPods", "CreatesPods"} <= set(refused["risk"])
    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "RoleIsPermanent")
    assert "Impersonates" in asked.condition("Ready")["message"]

    meant = await offered(place, "risky", role="edit", allowPermanence=True)
    again = await place.active(place.people.alice, policy="risky")

    assert ready(meant) == ("True", "Offered")
    assert meant["risk"] == refused["risk"] == again.status["terms"]["risk"]


async def test_constrained_impersonation_is_permanent_too(operator: OperatorProcess, place: Place) -> None:
    """Its verbs are others than `impersonate`, and each half makes a role one that could make access permanent."""
    meta = {"name": "curfew-test"}
    of_whom = {"apiGroups": ["authentication.k8s.io"], "resources": ["serviceaccounts"]}
    for_what = {"apiGroups": [RBAC], "resources": ["rolebindings"]}
    for number, rule in enumerate(
        (
            {**of_whom, "verbs": ["impersonate:serviceaccount"]},
            {**for_what, "verbs": ["impersonate-on:serviceaccount:create"]},
        )
    ):
        await place.apply({"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": [rule]})
        status = await offered(place, f"impersonating-{number}", role="curfew-test")

        assert (ready(status), status["risk"]) == (("False", "RoleIsPermanent"), ["Impersonates"])


async def test_nobody_has_more_requests_or_grants_than_the_policy_allows(
    operator: OperatorProcess, place: Place
) -> None:
    """Counted for each person: what one has too many of, another may have."""
    people, limits = place.people, {"activePerRequester": 1, "pendingPerRequester": 2}
    await offered(place, "scarce", limits=limits)
    first, second = [await place.pending(people.alice, "scarce") for _ in range(2)]
    third = await place.ask(people.alice, "scarce")
    await third.closed()
    await place.pending(people.carol, "scarce")

    assert (third.status["phase"], third.status["endReason"]) == ("Failed", "LimitReached")

    for asked, phase in ((first, "Active"), (second, "Approved")):
        (await asked.decide(people.bob)).done()
        await asked.phase(phase)
    assert second.condition("Active")["reason"] == "LimitReached"
    assert f"({first.name})" in second.condition("Active")["message"]

    (await first.decide(people.alice, "Cancel")).done()
    await second.bound()
    await first.unbound()
    made, gone = place.sights.bindings_of(second.uid)[0], place.sights.bindings_of(first.uid)[-1]
    assert gone.type == "DELETED"
    assert gone.at < made.at


async def test_who_is_asked_for_must_be_allowed_to_ask(operator: OperatorProcess, place: Place) -> None:
    """Carol may submit for others: for alice, who may ask herself, and in vain for bob, who may not."""
    people = place.people
    await let_ask_for_others(place, people.carol)
    for_bob = await place.ask(people.carol, requester=people.bob.name)
    for_alice = await place.pending(people.carol, requester=people.alice.name)
    await for_bob.closed()

    assert (for_bob.status["phase"], for_bob.status["endReason"]) == ("Failed", "RequesterMayNotAsk")
    assert f"{people.bob.name}, who needs the verb request" in for_bob.condition("Ready")["message"]

    (await for_alice.decide(people.bob)).done()
    await for_alice.phase("Active")

    assert (await for_alice.bound())["subjects"][0]["name"] == people.alice.name


async def test_who_lost_the_right_to_ask_before_the_start_gets_nothing(operator: OperatorProcess, place: Place) -> None:
    """Carol asks for herself by a binding to her name, bob agrees, and the binding goes before the grant is due."""
    people = place.people
    starts = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=12)
    asked = await place.pending(people.carol, notBefore=format_time(starts))
    (await asked.decide(people.bob)).done()
    await asked.phase("Approved")
    await place.kubectl("delete", "rolebinding", "asking", user=ADMIN)
    await asked.phase("Failed", "Active", seconds=30)

    assert asked.status["terms"]["right"] == "ByName"
    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "RequesterMayNotAsk")
    assert place.sights.bindings_of(asked.uid) == []


async def test_an_approval_counts_although_its_giver_has_lost_the_right(
    operator: OperatorProcess, place: Place
) -> None:
    """Bob approves for the owners and may no longer when dave approves for security: both count."""
    people = place.people
    asked = await place.pending(people.alice, "staged")
    (await asked.decide(people.bob, stage="owners")).done()
    await place.kubectl("delete", "rolebinding", "owners", user=ADMIN)
    ask = ("approve", "accesspolicies.curfew.dev/staged", "--subresource=owners")
    await asyncio.to_thread(place.cluster.await_right, people.bob.name, *ask, namespace=place.namespace, answer="no")
    (await asked.decide(people.dave, stage="security")).done()
    await asked.phase("Active")

    assert asked.status["approvals"] == "2/2"
