"""Before Curfew is taken away, every grant ends: by the operator, or without it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.api.times import format_time
from curfew.ports import Forbidden, Unavailable
from curfew.processes.sweep.everything import LOCK_LASTS, REMOVING_SECONDS, end_all_grants
from tests.support.world import FakeClock, FakeCluster

pytestmark = pytest.mark.looptime

NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)


class Locks:
    """A cluster's locks, and what its operator does once there is one."""

    def __init__(self, then: Callable[[], None] | None, error: Exception | None = None) -> None:
        self._then = then
        self._error = error
        self.made: list[tuple[str, str, str]] = []

    async def lock_everything(self, prefix: str, reason: str, ends_at: str) -> str:
        """Make a lock."""
        if self._error is not None:
            raise self._error
        self.made.append((prefix, reason, ends_at))
        return f"{prefix}x"

    async def is_in_force(self, name: str) -> bool:
        """Let the operator act."""
        assert name == "uninstall-x"
        if self._then is not None:
            self._then()
        return self._then is not None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    """Return a cluster with two grants and a binding that is none."""
    cluster = FakeCluster(clock)
    for name, labels in (("curfew-1", {"curfew.dev/request-uid": "1"}), ("curfew-2", {"curfew.dev/request-uid": "2"})):
        bind(cluster, name, labels)
    bind(cluster, "standing", {})
    return cluster


def bind(cluster: FakeCluster, name: str, labels: dict[str, str]) -> None:
    end = format_time(NOW + timedelta(hours=1))
    meta: dict[str, Any] = {"namespace": "payments", "name": name, "labels": labels}
    if name == "curfew-1":
        meta["ownerReferences"] = [{"kind": "AccessRequest", "name": "inc-1"}]
    meta["annotations"] = {"curfew.dev/expires-at": end}
    subjects = [{"kind": "User", "name": "alice@example.com"}]
    role = {"kind": "ClusterRole", "name": "view"}
    cluster.apply({"kind": "RoleBinding", "metadata": meta, "subjects": subjects, "roleRef": role})


def left(cluster: FakeCluster) -> list[str]:
    return [body["metadata"]["name"] for body in cluster.all("RoleBinding")]


async def test_the_operator_ends_them_and_records_it(cluster: FakeCluster, clock: FakeClock) -> None:
    def end() -> None:
        for name in ("curfew-1", "curfew-2"):
            cluster.delete("RoleBinding", name)

    locks = Locks(end)
    said: list[str] = []

    assert await end_all_grants(cluster, locks, clock, said.append)

    assert left(cluster) == ["standing"]
    assert locks.made == [("uninstall-", "Curfew is being uninstalled", format_time(NOW + LOCK_LASTS))]
    assert said == [
        "To end: payments/inc-1: alice@example.com as ClusterRole/view until 2026-11-23T21:00:00Z",
        "To end: payments/curfew-2: alice@example.com as ClusterRole/view until 2026-11-23T21:00:00Z",
        "AccessLock uninstall-x: nothing is granted until 2026-11-23T20:10:00Z.",
        "The operator ended 2 grants.",
        "No grant is left.",
        "All ends are in the log.",
    ]


async def test_without_an_operator_they_are_removed(cluster: FakeCluster, clock: FakeClock) -> None:
    said: list[str] = []

    assert await end_all_grants(cluster, Locks(None), clock, said.append)

    assert left(cluster) == ["standing"]
    assert "payments/curfew-1 would have ended at 2026-11-23T21:00:00Z: removed" in said
    assert said[-1].startswith("No operator keeps to the lock: the ends are recorded when Curfew is installed again")


async def test_what_the_operator_does_not_end_is_removed(cluster: FakeCluster, clock: FakeClock) -> None:
    """And a story that it does not close is named."""
    cluster.apply({"kind": "AccessRequest", "metadata": {"namespace": "payments", "name": "inc-4711"}})
    said: list[str] = []

    assert await end_all_grants(cluster, Locks(lambda: None), clock, said.append)

    assert left(cluster) == ["standing"]
    assert "The operator did not end all grants within 20 s. What is left is removed." in said
    assert "does not have the whole story of 1 request yet: payments/inc-4711." in said[-1]


async def test_a_lock_that_cannot_be_made_keeps_no_grant(cluster: FakeCluster, clock: FakeClock) -> None:
    said: list[str] = []

    assert await end_all_grants(cluster, Locks(None, Forbidden("no right")), clock, said.append)

    assert left(cluster) == ["standing"]
    assert "Everything could not be locked: no right. The grants are removed one by one." in said


async def test_it_ends_although_a_grant_stays(clock: FakeClock) -> None:
    """Then nothing is to be taken away."""

    class Stubborn(FakeCluster):
        async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
            raise Unavailable("later")

    cluster = Stubborn(clock)
    bind(cluster, "curfew-1", {"curfew.dev/request-uid": "1"})
    said: list[str] = []

    began = asyncio.get_running_loop().time()
    assert not await end_all_grants(cluster, Locks(None), clock, said.append)

    assert asyncio.get_running_loop().time() - began < REMOVING_SECONDS + 15
    assert said[-1] == "There are grants left: nothing is taken away, so that they end."
    assert "payments/curfew-1 would have ended at 2026-11-23T21:00:00Z: could not be removed: later" in said


async def test_a_cluster_without_grants_is_done_at_once(clock: FakeClock) -> None:
    said: list[str] = []

    assert await end_all_grants(FakeCluster(clock), Locks(lambda: None), clock, said.append)

    assert said[-2:] == ["No grant is left.", "All ends are in the log."]
