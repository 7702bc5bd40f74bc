"""Objects that a tool makes anew from what it saved or found elsewhere: no access comes back, and none is copied.

The tools are imitated by what they do to the API, as cluster admins: a backup tool creates each object without its status and
its owners, and may write the status afterwards; one that keeps child namespaces like their parent copies RoleBindings.
"""

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from tests.integration.installed import MASTERS
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import RBAC, Body, Person
from tests.integration.operator.place import Place
from tests.integration.operator.stage import Stage
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


def a_tool(place: Place, account: str) -> Person:
    """Return a service account that may do everything."""
    admin = place.people.admin
    headers = {"Impersonate-User": f"system:serviceaccount:{account}", "Impersonate-Group": MASTERS[0]}
    return Person(account, admin._server, admin.session, headers)


def saved(body: Body, **labels: str) -> Body:
    """Return an object as a tool creates it anew, with labels of its own."""
    made: dict[str, Any] = {key: deepcopy(value) for key, value in body.items() if key != "status"}
    meta = {key: value for key, value in made["metadata"].items() if key not in NOT_RESTORED}
    return {**made, "metadata": {**meta, "labels": {**meta.get("labels", {}), **labels}}}


async def test_a_grant_that_is_copied_into_a_child_namespace_is_refused(
    operator: OperatorProcess, place: Place, stage: Stage, read_log: ReadLog
) -> None:
    """With its owner and without. Without our label it is no grant, and a RoleBinding like any other."""
    child = await stage.place()
    asked = await place.active(place.people.alice, duration="1h")
    grant = (await asked.binding_now()).done()
    hnc = a_tool(place, "hnc-system:default")
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
