"""Every right that the chart gives to the monitor is used, and no other is missed, but for the call that must be refused."""

from datetime import UTC, datetime
from typing import Final

from curfew.core.activity.canary_calls import REFUSED
from tests.integration.admission.test_rights import AT_HOME_OF_THE_MONITOR, EVERYWHERE, IN_KUBE_SYSTEM, Right
from tests.integration.installed import MONITOR, Installed
from tests.integration.monitor.sessions import Sessions
from tests.integration.uses import Use, uses
from tests.support.monitor_process import MonitorProcess

GIVEN: Final[set[Right]] = {*EVERYWHERE[MONITOR], *AT_HOME_OF_THE_MONITOR, *IN_KUBE_SYSTEM}

METRICS: Final[Right] = ("", "", "get", "")
"""A URL that is no resource: of the chart's rights, only the API server's metrics."""


def used(use: Use) -> set[Right]:
    """Return the rights that a call shows to be used, with and without its name."""
    group, resource, verb, _ = use.right
    return {use.right, (group, resource, verb, "")}


async def test_every_right_is_used_and_no_other_is_missed(
    cluster: Installed, sessions: Sessions, monitor: MonitorProcess
) -> None:
    since = datetime.now(UTC)
    admin, name = sessions.place.people.admin, f"of-{sessions.place.namespace}"
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:discovery"}
    (await admin.post(bindings, {"metadata": {"name": name}, "roleRef": role})).done()  # which the monitor then reads
    (await admin.delete(f"{bindings}/{name}")).done()
    session = await sessions.begin()
    await session.end()
    await session.final()

    seen = list(uses(cluster.environment.control_plane, monitor.lives[0].started, [MONITOR]))
    known = {right for use in seen if use.is_ours for right in used(use)}
    assert GIVEN - known == set()
    assert METRICS in known
    # Another module has a monitor try what it has no right to.
    refused = {use.right for use in uses(cluster.environment.control_plane, since, [MONITOR]) if not use.is_allowed}
    assert refused == {("", "configmaps", "get", REFUSED)}
