"""The fake API server keeps the contract; the real one is held to it in tests/integration/test_cluster.py."""

import pytest

from tests.support.builders import NOON, a_role
from tests.support.cluster_contract import ROLE, Bench, ClusterContract
from tests.support.world import FakeClock, FakeCluster


class TestFake(ClusterContract):
    """The fake that other tests stand on."""

    @pytest.fixture
    def bench(self) -> Bench:
        """Return an empty one."""
        cluster = FakeCluster(FakeClock(NOON))
        cluster.apply(a_role(ROLE))
        return Bench(cluster, "payments", NOON, cluster.apply, cluster.delete, cluster)
