"""Objects that a tool makes anew from what it saved or found elsewhere: no access comes back, and none is copied.

The tools are imitated by what they do to the API, as cluster admins: a backup tool creates each object without its status and
its owners, and may write the status afterwards; one that keeps child namespaces like their parent copies RoleBindings.
"""

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

import pytest

from tests.integration.installed import MASTERS
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import RBAC, Body, Person
from tests.integration.operator.place import SOON, Asked, Place
from tests.integration.operator.stage import Stage
from tests.integration.operator.test_namespaces import GONE_SECONDS
from tests.integration.operator.thief import patch_status
from tests.support.operator_process import OperatorProcess

ReadLog = Callable[[OperatorProcess], Evidence]

NOT_RESTORED: Final = (
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "ownerReferences",
    "managedFields",
)
"""What a backup tool leaves out of the metadata of what it creates."""

FINISHED: Final = ("Expired", "Revoked", "Failed")


def a_tool(place: Place, account: str) -> Person:
    """Return a service account that may do everything."""
    admin = place.people.admin
    headers = {"Impersonate-User": account, "Impersonate-Group": MASTERS[0]}
    return Person(account, admin._server, admin.session, headers)


def saved(body: Body, **labels: str) -> Body:
    """Return an object as a tool creates it anew, with labels of its own."""
    made: dict[str, Any] = {key: deepcopy(value) for key, value in body.items() if key != "status"}
    meta = {key: value for key, value in made["metadata"].items() if key not in NOT_RESTORED}
    return {**made, "metadata": {**meta, "labels": {**meta.get("labels", {}), **labels}}}


async def everything(place: Place) -> Mapping[str, Body]:
    """Return the policies, requests and grants of a namespace, by kind and name."""
    paths = [place.path, place.path.replace("accessrequests", "accesspolicies")]
    paths.append(f"{RBAC}/namespaces/{place.namespace}/rolebindings?labelSelector=curfew.dev%2Frequest-uid")
    found: dict[str, Body] = {}
    for path in paths:
        listed = (await place.people.admin.get(path)).done()
        kind, version = str(listed["kind"]).removesuffix("List"), listed["apiVersion"]
        for item in listed["items"]:
            found[f"{kind}/{item['metadata']['name']}"] = {"apiVersion": version, "kind": kind, **item}
    return found


@pytest.fixture
async def again(stage: Stage, place: Place) -> Callable[[], Any]:
    """Return what deletes the namespace and makes it anew, with its people and its policies."""

    async def made_anew() -> Place:
        await place.kubectl("delete", "namespace", place.namespace, f"--timeout={GONE_SECONDS:g}s", user="admin")
        return await stage.place(named=place.namespace)

    return made_anew


async def found(place: Place, name: str) -> Asked:
    """Return a request of a namespace that is seen by now or soon."""

    def seen() -> Asked | None:
        for body in place.sights.requests.objects.values():
            if (body["metadata"]["namespace"], body["metadata"]["name"]) == (place.namespace, name):
                return Asked(place, body)
        return None

    return await place.sights.requests.until(seen, f"request {name}", SOON)


async def test_what_a_backup_restores_gives_nobody_access(
    operator: OperatorProcess, place: Place, again: Callable[[], Any], read_log: ReadLog
) -> None:
    """Policies come back; grants are refused; a request is a new one, and with oncePerName it is none."""
    once = place.policy("once", approval={"mode": "Automatic"}, limits={"oncePerName": True})
    await place.apply(once)
    agreed = await place.active(place.people.alice, duration="1h")
    automatic = await place.ask(place.people.carol, "once", duration="1h", name="inc-1")
    await automatic.phase("Active")
    ended = await place.active(place.people.alice)
    (await ended.decide(place.people.bob, "Revoke")).done()
    await ended.closed()
    backup = await everything(place)

    anew = await again()
    velero = a_tool(anew, "system:serviceaccount:velero:velero")
    labels = {"velero.io/backup-name": "nightly", "velero.io/restore-name": "nightly-1"}

    async def restore(name: str) -> tuple[int, str]:
        body = saved(backup[name], **labels)
        if body["kind"] == "AccessRequest" and not anew.cluster.stamps_identity:
            # Nothing writes over who asked: in another's name it is refused, and the tool's user has to mend it.
            answer = await velero.post(anew.path, body)
            assert (answer.status, "spec.submittedBy must be" in answer.message) == (403, True), answer.message
            body["spec"]["submittedBy"] = velero.name
        plural = {"AccessPolicy": "accesspolicies", "AccessRequest": "accessrequests"}.get(body["kind"])
        path = f"{RBAC}/namespaces/{anew.namespace}/rolebindings"
        if plural is not None:
            path = anew.path.replace("accessrequests", plural)
        answer = await velero.post(path, body)
        return answer.status, answer.message

    assert (await restore("AccessPolicy/once"))[0] == 201
    for asked in (agreed, automatic):
        code, said = await restore(f"RoleBinding/curfew-{asked.uid}")
        assert (code, "curfew-managed-bindings" in said) == (403, True), said
    code, said = await restore(f"AccessRequest/{ended.name}")
    assert (code, "labels and annotations that begin with curfew.dev/" in said) == (403, True), said
    for asked in (agreed, automatic):
        assert (await restore(f"AccessRequest/{asked.name}"))[0] == 201

    waiting, refused = [await found(anew, asked.name) for asked in (agreed, automatic)]
    await waiting.phase("Pending")
    await refused.phase(*FINISHED)
    assert (refused.status["phase"], refused.status["endReason"]) == ("Failed", "NameWasUsed")
    assert waiting.body["spec"]["submittedBy"] == velero.name
    # A tool may be told to restore statuses as well.
    answer = await patch_status(velero, waiting.path, **backup[f"AccessRequest/{agreed.name}"]["status"])
    assert answer.status == 422
    assert "terms are pinned once and never changed" in answer.message
    del backup[f"AccessRequest/{agreed.name}"]["status"]["terms"]
    answer = await patch_status(velero, waiting.path, **backup[f"AccessRequest/{agreed.name}"]["status"])
    assert (answer.status, "only status.decisions may be changed by users" in answer.message) == (403, True)
    assert anew.sights.bindings_of(waiting.uid) == anew.sights.bindings_of(refused.uid) == []
    await refused.closed()
    evidence = await asyncio.to_thread(read_log, operator)
    assert evidence.twice == []
    for asked in (agreed, automatic):
        assert evidence.story(asked.uid)[-1] == "request.closed"
    assert evidence.story(refused.uid) == ["request.created", "request.rejected", "request.closed"]


async def test_a_grant_that_is_copied_into_a_child_namespace_is_refused(
    operator: OperatorProcess, place: Place, stage: Stage, read_log: ReadLog
) -> None:
    """With its owner and without. Without our label it is no grant, and a RoleBinding like any other."""
    child = await stage.place()
    asked = await place.active(place.people.alice, duration="1h")
    grant = (await asked.binding_now()).done()
    hnc = a_tool(place, "system:serviceaccount:hnc-system:default")
    path = f"{RBAC}/namespaces/{child.namespace}/rolebindings"
    copy = saved({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", **grant})
    copy["metadata"]["namespace"] = child.namespace
    inherited = {"hnc.x-k8s.io/inherited-from": place.namespace}

    def copied(labels: Mapping[str, str], **meta: Any) -> Body:
        return {**copy, "metadata": {**copy["metadata"], "labels": {**labels, **inherited}, **meta}}

    ours = copy["metadata"]["labels"]
    for body in (copied(ours), copied(ours, ownerReferences=grant["metadata"]["ownerReferences"])):
        answer = await hnc.post(path, body)
        assert (answer.status, "curfew-managed-bindings" in answer.message) == (403, True), answer.message
    (await hnc.post(path, copied({}))).done()
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()

    assert (await place.people.admin.get(f"{path}/{grant['metadata']['name']}")).is_ok
    assert (await asyncio.to_thread(read_log, operator)).story(asked.uid)[-2:] == ["grant.revoked", "request.closed"]
