"""Every right that the chart gives is used, and no other is missed: read in the API server's audit log of one short life."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.kube import KubeCluster
from curfew.api import names
from curfew.api.times import format_time
from curfew.core.probes import CANARY_POLICY, CANARY_REQUEST
from curfew.processes.sweep.expired import sweep_bindings
from tests.integration.admission.test_rights import EVERYWHERE, RBAC, Right
from tests.integration.enforcement.conftest import PROBE
from tests.integration.enforcement.test_rights import AT_HOME, OF_THE_PROBE
from tests.integration.installed import OPERATOR, SWEEPER, SYSTEM, Installed
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.place import SOON, Place
from tests.integration.operator.test_locks import locked, shown
from tests.integration.operator.test_offers import let_ask_for_others
from tests.integration.operator.test_rules import closed_story
from tests.integration.test_cluster import bench_in
from tests.integration.uses import Use, uses
from tests.support.operator_process import OperatorProcess, dead

ROLE: Final = "support"
"""A Role of the namespace's own that may be granted."""

GIVEN: Final[dict[str, set[Right]]] = {
    OPERATOR: {
        *EVERYWHERE[OPERATOR],
        *AT_HOME,
        (RBAC, "rolebindings", "create", ""),
        ("curfew.dev", "accessrequests", "delete", ""),
        (RBAC, "clusterroles", "bind", "view"),
        (RBAC, "roles", "bind", ROLE),
    },
    SWEEPER: EVERYWHERE[SWEEPER],
    PROBE: OF_THE_PROBE,
}
"""What the chart gives to each of its service accounts; that it is this and nothing else, other tests hold."""


def used(use: Use) -> Iterator[Right]:
    """Yield the rights that a call shows to be used: by itself, and those that the API server asked for on its way."""
    group, resource, verb, name = use.right
    yield use.right
    yield (group, resource, verb, "")
    if verb == "update" and use.code == HTTPStatus.CREATED:  # a PUT to a name that was free
        yield (group, resource, "create", name)
    if use.user != PROBE or verb != "create":
        return
    # Admission lets nobody ask for another who may not ask on behalf.
    if resource == "accessrequests" and use.code == HTTPStatus.CREATED:
        yield ("curfew.dev", "accesspolicies", "request-on-behalf", "curfew-probe")
    # Whether the role may be bound is asked before admission is.
    if resource == "rolebindings" and "ValidatingAdmissionPolicy" in use.message:
        yield (RBAC, "roles", "bind", "curfew-probe")


@pytest.fixture
async def _something_to_sweep(cluster: Installed, namespace: str, tmp_path: Path) -> None:
    """Make a binding whose end is past in two seconds, which is before anybody sweeps. Admission takes none that is over."""
    async with KubeCluster.connect(cluster.operator_kubeconfig(tmp_path / "kubeconfig")) as api:
        bench = bench_in(cluster, api, namespace)
        manifest = bench.binding(await bench.requested())
        marks = manifest["metadata"]["annotations"]
        marks[names.ANNOTATION_STARTS_AT] = format_time(bench.now - timedelta(hours=2))
        end = datetime.now(UTC) + timedelta(seconds=2)
        marks[names.ANNOTATION_EXPIRES_AT] = format_time(end)
        await api.create_binding(manifest, timedelta(seconds=SOON))
        await asyncio.sleep((end - datetime.now(UTC)).total_seconds())


async def live(operator: OperatorProcess, place: Place, read_log: Callable[[OperatorProcess], Evidence]) -> set[Right]:
    """Have an operator do everything that it can do, and return which roles it bound."""
    people = place.people
    operator.start()
    operator.await_ready()
    await place.apply(place.policy("own", roleRef={"kind": "Role", "name": ROLE}))
    on_behalf = await place.pending(people.carol, requester=people.alice.name, duration="10m")
    own = await place.active(people.alice, policy="own", duration="10m")
    active = [await place.active(people.alice, duration="10m"), own, on_behalf]
    (await on_behalf.decide(people.bob)).done()
    bound = [(await asked.bound())["roleRef"] for asked in active]
    deleted = await place.pending(people.alice)
    await recorded(operator, deleted)
    with dead(operator):
        await deleted.delete(people.alice)
    await closed_story(deleted, operator, read_log)
    async with locked(place, {"person": "nobody"}) as (name, _):
        await shown(people.admin, name, lambda status: "conditions" in status)
    removed, *others = active
    # What Curfew did not remove itself, it reads back.
    await place.kubectl("delete", "rolebinding", f"curfew-{removed.uid}", user="admin")
    for asked in others:
        (await asked.decide(people.bob, "Revoke")).done()
    for asked in active:
        await asked.closed()
        await place.sights.requests.gone(asked.uid, SOON)
    operator.await_so(lambda: operator.metric("curfew_audit_anchored_records") > 0, "put up a checkpoint", SOON)
    operator.stop()
    return {(RBAC, f"{ref['kind'].lower()}s", "bind", ref["name"]) for ref in bound}


@pytest.mark.usefixtures("_something_to_sweep")
async def test_every_right_is_used_and_no_other_is_missed(
    cluster: Installed,
    place: Place,
    new_operator: Callable[..., OperatorProcess],
    read_log: Callable[[OperatorProcess], Evidence],
    tmp_path: Path,
) -> None:
    """One sweep, and one life of an operator with its probe, in which everything happens for which they have rights."""
    cluster.opt_in(place.namespace, roles=[ROLE])
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": ROLE, "namespace": place.namespace}}
    await place.apply({**role, "rules": []})
    await let_ask_for_others(place, place.people.carol)
    # The probe places them where they are missing, and only there.
    cluster.kubectl("delete", "accessrequest", CANARY_REQUEST, "--namespace", SYSTEM, "--ignore-not-found")
    cluster.kubectl("delete", "accesspolicy", CANARY_POLICY, "--namespace", SYSTEM, "--ignore-not-found")
    cluster.kubectl("delete", "lease", names.LEADER_LEASE, "--namespace", SYSTEM, "--ignore-not-found")
    operator = new_operator(log="rights", keep_for="1s")  # a log of its own: no other has put up a checkpoint of it
    since = datetime.now(UTC)

    async with KubeCluster.connect(cluster.sweeper_kubeconfig(tmp_path / "sweeper")) as sweeper:
        assert await sweep_bindings(sweeper, SystemClock(), lambda _: None) == 0
    try:
        bound = await live(operator, place, read_log)
    finally:
        operator.kill()

    seen = list(uses(cluster.environment.control_plane, since, GIVEN))
    assert [use for use in seen if not use.is_allowed] == []
    for user, given in GIVEN.items():
        known = {right for use in seen if use.user == user and use.is_ours for right in used(use)}
        assert given - known - bound == set(), f"{user} has rights that it does not use"
