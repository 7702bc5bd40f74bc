"""What an administrator can do to bindings: write one that looks like a grant, and take the admission policy away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.integration.operator.people import RBAC, Body
from tests.integration.operator.place import SOON, Place
from tests.support.pausing import a_moment

MANAGED_BINDINGS: Final = "curfew-managed-bindings"
"""The admission policy that keeps everybody but the operator from writing our bindings."""


def a_binding(place: Place, name: str, uid: str = "", **annotations: str) -> Body:
    """Return a RoleBinding by which somebody makes mallory a viewer; with a `uid`, it claims to be a grant."""
    group = "rbac.authorization.k8s.io"
    meta = {"name": name, "namespace": place.namespace, "annotations": annotations}
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {**meta, **({"labels": {"curfew.dev/request-uid": uid}} if uid else {})},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "mallory"}],
    }


@asynccontextmanager
async def unguarded(place: Place) -> AsyncIterator[None]:
    """Take the admission policy for our bindings out of force, as an administrator could, and put it back."""
    admin = place.people.admin
    where = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{MANAGED_BINDINGS}"
    guard = (await admin.get(where)).done()
    guard["metadata"] = {"name": MANAGED_BINDINGS, "labels": guard["metadata"]["labels"]}
    probe = a_binding(place, "probe", "00000000-0000-0000-0000-000000000000")

    async def until_a_probe_is(refused: bool) -> None:
        path = f"{RBAC}/namespaces/{place.namespace}/rolebindings?dryRun=All"
        async with asyncio.timeout(SOON):
            while (await admin.post(path, probe)).is_ok is refused:
                await a_moment()

    (await admin.delete(where)).done()
    try:
        await until_a_probe_is(refused=False)
        yield
    finally:
        await place.apply(guard)
        await until_a_probe_is(refused=True)
