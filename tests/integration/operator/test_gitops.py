"""Policies and requests from Git: a controller applies them as its service account, and people decide in the cluster."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.integration.operator.git_controller import EXAMPLES, GitController, Repository, argo_cd, kstatus
from tests.integration.operator.people import GROUP
from tests.integration.operator.place import SOON, Asked, Place
from tests.support.pausing import a_moment

pytestmark = pytest.mark.usefixtures("operator")

REQUEST: Final = "inc-4711"


class Team:
    """A team with a repository, which begins with the files of the example, and its controller."""

    def __init__(self, place: Place, folder: Path) -> None:
        """Give the controller's account the rights of the example."""
        self.place = place
        cluster = place.cluster.environment.cluster
        place.cluster.apply(*yaml.safe_load_all(self.example("controller.yaml")))
        token = cluster.token("gitops", place.namespace)
        self.git = Repository(folder / "repository")
        kubeconfig = cluster.kubeconfig_for_token(folder / "kubeconfig", token)
        self.controller = GitController(self.git, folder / "checkout", cluster, kubeconfig, place.namespace)
        # The last of its rights that the API server learns of.
        self.account = f"system:serviceaccount:{place.namespace}:gitops"
        place.cluster.await_right(
            self.account, "request-on-behalf", "accesspolicies.curfew.dev", namespace=place.namespace
        )

    def example(self, name: str) -> str:
        """Return an example for this test's namespace, and a role that each cluster has."""
        text = (EXAMPLES / name).read_text()
        for said, here in (("namespace: payments", f"namespace: {self.place.namespace}"), ("payments-debug", "view")):
            assert said in text or "kind: AccessRequest" in text, name
            text = text.replace(said, here)
        return text

    @property
    def policy(self) -> str:
        """Return the example's policy."""
        return self.example("repository/payments/policy.yaml")

    @property
    def request(self) -> str:
        """Return the example's request. Where nothing fills in who asks, it has to say so."""
        text = self.example("repository/payments/inc-4711.yaml")
        return text if self.place.cluster.stamps_identity else f"{text.rstrip()}\n  submittedBy: {self.account}\n"

    async def sync(self, **files: str | None) -> str:
        """Commit files, if there are any, and have the controller sync. Return what it printed."""
        if files:
            await asyncio.to_thread(self.git.commit, **files)
        done = await asyncio.to_thread(self.controller.sync)
        return done.stdout + done.stderr

    async def shows(self, plural: str, name: str, argo: str, flux: str) -> str:
        """Return Argo CD's message, once both tools judge an object so, as the controller sees it."""
        controller = self.place.people.admin.as_(self.account)
        async with asyncio.timeout(SOON):
            while True:
                path = f"{GROUP}/namespaces/{self.place.namespace}/{plural}/{name}"
                shown = (await controller.get(path)).done()
                health, message = argo_cd(shown)
                if (health, kstatus(shown)) == (argo, flux):
                    return message
                await a_moment()

    async def asked(self) -> Asked:
        """Return the request as it is in the cluster now."""
        return Asked(self.place, (await self.place.people.admin.get(f"{self.place.path}/{REQUEST}")).done())


@pytest.fixture
async def team(place: Place, tmp_path: Path) -> Team:
    """Return a team whose policy is in force."""
    made = await asyncio.to_thread(Team, place, tmp_path)
    await made.sync(policy=made.policy)
    await made.shows("accesspolicies", "debug", "Healthy", "Current")
    return made


async def test_people_approve_what_git_asks_for_and_a_finished_request_applied_again_is_nothing(team: Team) -> None:
    people = team.place.people
    await team.sync(request=team.request)
    message = await team.shows("accessrequests", REQUEST, "Healthy", "Current")
    assert "waits for people" in message, "a sync must not wait for them"
    asked = await team.asked()
    spec = asked.body["spec"]
    assert (spec["requester"], spec["submittedBy"]) == (people.alice.name, team.account)

    (await asked.decide(people.bob, stage="owners")).done()
    await asked.phase("Active")
    (await asked.decide(people.bob, "Revoke")).done()
    await asked.closed()
    before = (await team.asked()).body
    await team.sync()
    after = (await team.asked()).body

    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["status"]["phase"] == "Revoked"
    assert (await asked.binding_now()).status == 404
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")


async def test_what_is_pruned_loses_its_access(team: Team) -> None:
    await team.sync(request=team.request)
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")
    asked = await team.asked()
    (await asked.decide(team.place.people.bob, stage="owners")).done()
    await asked.bound()

    await team.sync(request=None)

    await asked.unbound()
    assert (await team.place.people.admin.get(asked.path)).status == 404


async def test_a_deleted_request_that_comes_back_is_refused_if_the_policy_wants_that(team: Team) -> None:
    """The example's policy does. It is degraded, and a sync that waits for it fails at once instead of at its timeout."""
    await team.sync(request=team.request)
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")
    first = await team.asked()
    await first.delete(team.place.people.admin)

    await team.sync()

    message = await team.shows("accessrequests", REQUEST, "Degraded", "Failed")
    assert "was used" in message
    second = await team.asked()
    assert second.uid != first.uid
    assert second.status["endReason"] == "NameWasUsed"


async def test_a_deleted_request_that_comes_back_is_a_new_request_otherwise(team: Team) -> None:
    """It waits for people again."""
    again = yaml.safe_load(team.policy)
    del again["spec"]["limits"]
    await team.sync(policy=yaml.safe_dump(again), request=team.request)
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")
    first = await team.asked()
    (await first.decide(team.place.people.bob, stage="owners")).done()
    await first.phase("Active")
    await first.delete(team.place.people.admin)

    await team.sync()

    message = await team.shows("accessrequests", REQUEST, "Healthy", "Current")
    assert "waits for people" in message
    second = await team.asked()
    assert second.uid != first.uid
    assert second.status["phase"] == "Pending"


async def test_a_request_may_come_before_its_policy(place: Place, tmp_path: Path) -> None:
    team = await asyncio.to_thread(Team, place, tmp_path)
    await team.sync(request=team.request.replace("policyName: debug", "policyName: late"))
    message = await team.shows("accessrequests", REQUEST, "Progressing", "InProgress")
    assert "late" in message

    await team.sync(policy=team.policy.replace("name: debug", "name: late"))

    await team.shows("accesspolicies", "late", "Healthy", "Current")
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")


async def test_a_policy_that_somebody_changed_is_as_in_git_again(team: Team) -> None:
    policy = f"{GROUP}/namespaces/{team.place.namespace}/accesspolicies/debug"
    admin = team.place.people.admin
    changed = await admin.patch(policy, [{"op": "replace", "path": "/spec/maxDuration", "value": "12h"}])
    assert changed.done()["spec"]["maxDuration"] == "12h"

    await team.sync()

    assert (await admin.get(policy)).done()["spec"]["maxDuration"] == "4h"
    await team.shows("accesspolicies", "debug", "Healthy", "Current")


async def test_a_policy_that_can_grant_nothing_is_degraded(team: Team) -> None:
    """The rights to offer another role are not the controller's: the admin gives it, and the chart was not given the role."""
    wrong = team.place.policy("wrong", role="admin")
    await team.place.apply(wrong)

    message = await team.shows("accesspolicies", "wrong", "Degraded", "InProgress")

    assert "admin" in message


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        pytest.param(
            lambda one: one["spec"].pop("requester"), "write the person's name into spec.requester", id="for itself"
        ),
        pytest.param(lambda one: one["spec"].update(duration="5h"), "5h", id="longer than the policy allows"),
        pytest.param(lambda one: one["spec"].update(policy="debug"), "policy", id="with a field that there is not"),
    ],
)
async def test_a_wrong_request_is_refused_in_words(
    team: Team, change: Callable[[dict[str, Any]], None], refusal: str
) -> None:
    wrong = yaml.safe_load(team.request)
    change(wrong)
    if "requester" not in wrong["spec"] and not team.place.cluster.stamps_identity:
        refusal = "spec.requester: Required value"

    printed = await team.sync(request=yaml.safe_dump(wrong))

    assert refusal in printed
    assert (await team.place.people.admin.get(f"{team.place.path}/{REQUEST}")).status == 404


async def test_a_changed_request_is_refused_in_words(team: Team) -> None:
    await team.sync(request=team.request)
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")

    printed = await team.sync(request=team.request.replace("duration: 1h", "duration: 2h"))

    assert "spec is immutable; create a new AccessRequest" in printed


async def test_the_controller_can_neither_approve_nor_bind(team: Team) -> None:
    await team.sync(request=team.request)
    await team.shows("accessrequests", REQUEST, "Healthy", "Current")
    decision = f'[{{"op":"add","path":"/status/decisions/-","value":{{"by":"{team.account}","decision":"Approve"}}}}]'

    approved = team.controller.kubectl(
        *("patch", "accessrequest", REQUEST, "--subresource=status", "--type=json", "-p", decision)
    )
    bound = team.controller.kubectl("create", "rolebinding", "mine", "--clusterrole=view", f"--user={team.account}")

    for refused in (approved, bound):
        assert refused.returncode != 0
        assert "forbidden" in refused.stderr.lower()
