"""A real API server keeps the contract of Leases, with no more rights than the chart gives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from curfew.adapters.kube import KubeCluster
from curfew.api.names import LEADER_LEASE
from curfew.ports import Forbidden
from tests.integration.installed import SYSTEM, Installed
from tests.support.leases_contract import Kept, LeasesContract


@pytest.fixture
async def kept(cluster: Installed, tmp_path: Path) -> AsyncIterator[Kept]:
    """Return the only place for which the operator has rights. No operator runs."""
    cluster.kubectl("delete", "lease", LEADER_LEASE, "--namespace", SYSTEM, "--ignore-not-found")
    async with KubeCluster.connect(cluster.operator_kubeconfig(tmp_path / "kubeconfig")) as connected:
        yield Kept(connected.leases, SYSTEM, LEADER_LEASE)
    cluster.kubectl("delete", "lease", LEADER_LEASE, "--namespace", SYSTEM, "--ignore-not-found")


class TestRealLeases(LeasesContract):
    """The real ones."""


async def test_the_operator_may_not_touch_any_other_lease(kept: Kept) -> None:
    with pytest.raises(Forbidden):
        await kept.leases.read_lease(kept.namespace, "another")


async def test_what_somebody_wrote_by_hand_is_read_as_far_as_it_can_be(cluster: Installed, kept: Kept) -> None:
    """A Lease as the chart makes it has nothing in it."""
    cluster.apply(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEADER_LEASE, "namespace": SYSTEM},
            "spec": {},
        }
    )
    found = await kept.leases.read_lease(kept.namespace, kept.name)
    assert found is not None
    assert (found.holder, found.acquired, found.renewed) == ("", None, None)
