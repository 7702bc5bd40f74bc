"""The safety net ends what should have ended, and touches nothing else."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from click.testing import CliRunner

from curfew.adapters.clock import SystemClock
from curfew.adapters.kube import KubeCluster
from curfew.adapters.kube.connection import CompareClocks
from curfew.api.times import format_time
from curfew.cli.sweep import sweep
from curfew.ports import Clock, Forbidden, Unavailable
from curfew.processes.sweep.expired import sweep_bindings
from tests.support.world import FailurePlan, FakeClock, FakeCluster

NOW = datetime(2026, 11, 23, 20, 0, 0, 500_000, tzinfo=UTC)


class DatedCluster(FakeCluster):
    """One whose lists are dated, by its own clock."""

    def compare_clocks(self, _: Clock, told: CompareClocks) -> None:
        """Tell of each list from now on."""
        self.told = told

    async def list_bindings(self) -> list[dict[str, Any]]:
        """List our bindings."""
        found = await super().list_bindings()
        now = self._clock.now()
        if hasattr(self, "told"):
            self.told(now, now, format_datetime(now.replace(microsecond=0), usegmt=True))
        return found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    return DatedCluster(clock)


def bind(cluster: FakeCluster, name: str, end: str | None, labels: dict[str, str] | None = None) -> None:
    annotations = {} if end is None else {"curfew.dev/expires-at": end}
    meta: dict[str, Any] = {"namespace": "payments", "name": name, "annotations": annotations}
    meta["labels"] = {"curfew.dev/request-uid": name} if labels is None else labels
    cluster.apply({"kind": "RoleBinding", "metadata": meta})


def left(cluster: FakeCluster) -> list[str]:
    return [body["metadata"]["name"] for body in cluster.all("RoleBinding")]


async def test_what_is_over_is_removed_and_what_is_not_stays(cluster: FakeCluster, clock: FakeClock) -> None:
    bind(cluster, "curfew-1", format_time(NOW - timedelta(hours=1, seconds=3)))
    bind(cluster, "curfew-2", format_time(NOW))
    bind(cluster, "curfew-3", format_time(NOW + timedelta(microseconds=1)))
    bind(cluster, "standing", format_time(NOW - timedelta(hours=1)), labels={})
    said: list[str] = []
    assert await sweep_bindings(cluster, clock, said.append) == 0
    assert left(cluster) == ["curfew-3", "standing"]
    assert said == [
        "payments/curfew-1 ended at 2026-11-23T18:59:57.500000Z, 1h3s ago: removed",
        "payments/curfew-2 ended at 2026-11-23T20:00:00.500000Z, 0s ago: removed",
        "1 not over yet, 2 removed",
    ]


@pytest.mark.parametrize("end", [None, "", "tomorrow", "2026-11-24"], ids=["missing", "empty", "a word", "a day"])
async def test_one_that_does_not_say_when_it_ends_is_removed(
    cluster: FakeCluster, clock: FakeClock, end: str | None
) -> None:
    bind(cluster, "curfew-1", end)
    assert await sweep_bindings(cluster, clock, lambda _: None) == 0
    assert left(cluster) == []


async def test_a_dry_run_removes_nothing(cluster: FakeCluster, clock: FakeClock) -> None:
    bind(cluster, "curfew-1", None)
    said: list[str] = []
    assert await sweep_bindings(cluster, clock, said.append, dry_run=True) == 0
    assert left(cluster) == ["curfew-1"]
    assert said == ["payments/curfew-1 does not state when it ends: would be removed", "1 would be removed"]


async def test_one_that_cannot_be_removed_keeps_no_other(cluster: FakeCluster, clock: FakeClock) -> None:
    for name in ("curfew-1", "curfew-2", "curfew-3"):
        bind(cluster, name, None)
    cluster.failures = FailurePlan(3, how=Forbidden)  # the list, one removal, and then this one
    said: list[str] = []
    assert await sweep_bindings(cluster, clock, said.append) == 1
    assert left(cluster) == ["curfew-2"]
    assert "payments/curfew-2 does not state when it ends: could not be removed: delete binding failed" in said[1]


async def test_one_that_somebody_else_removed_is_no_failure(clock: FakeClock) -> None:
    class Busy(FakeCluster):
        async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
            self.delete("RoleBinding", name)
            return await super().delete_binding(namespace, name, uid)

    cluster = Busy(clock)
    bind(cluster, "curfew-1", None)
    said: list[str] = []
    assert await sweep_bindings(cluster, clock, said.append) == 0
    assert said[-1] == "1 gone already"


async def test_an_empty_cluster_is_swept(cluster: FakeCluster, clock: FakeClock) -> None:
    said: list[str] = []
    assert await sweep_bindings(cluster, clock, said.append) == 0
    assert said == ["There are no grants."]


def run(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster, *arguments: str) -> Any:
    """Run the command against a fake cluster."""

    @asynccontextmanager
    async def connect(_: object = None) -> AsyncIterator[FakeCluster]:
        yield cluster

    monkeypatch.setattr(KubeCluster, "connect", connect)
    return CliRunner().invoke(sweep, arguments)


def test_the_exit_code_says_whether_anything_is_left(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> None:
    bind(cluster, "curfew-1", None)
    cluster.failures = FailurePlan(2, how=Unavailable)
    assert run(monkeypatch, cluster).exit_code == 1
    result = run(monkeypatch, cluster, "--dry-run")
    assert result.exit_code == 0
    assert "would be removed" in result.output
    assert run(monkeypatch, cluster).exit_code == 0
    assert left(cluster) == []


def test_what_is_over_by_the_api_servers_clock_is_removed_although_ours_is_behind(
    monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster, clock: FakeClock
) -> None:
    ours = SystemClock().now()
    bind(cluster, "curfew-1", format_time(ours + timedelta(minutes=30)))
    bind(cluster, "curfew-2", format_time(ours + timedelta(minutes=90)))
    run(monkeypatch, cluster)
    assert left(cluster) == ["curfew-1", "curfew-2"]
    clock.set(ours + timedelta(hours=1))
    run(monkeypatch, cluster)
    assert left(cluster) == ["curfew-2"]


def test_an_api_server_that_cannot_be_asked_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster
) -> None:
    cluster.is_down = True
    result = run(monkeypatch, cluster)
    assert result.exit_code == 1
    assert result.stderr == "Nothing was swept: the API server does not answer\n"


def test_a_kubeconfig_that_is_not_there_is_one_sentence() -> None:
    result = CliRunner().invoke(sweep, ["--kubeconfig", "/absent/kubeconfig"])
    assert result.exit_code == 1
    assert result.stderr == "Nothing was swept: there is no kubeconfig /absent/kubeconfig\n"


def test_it_needs_nothing_of_the_operator() -> None:
    """Whatever is broken up there must not be able to reach down here."""
    code = (
        "import sys, curfew.cli.sweep; "
        "print([name for name in sys.modules if name.split('.')[0] == 'kopf' "
        "or name.startswith(('curfew.processes.operator', 'curfew.trail', 'curfew.settings'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603  ours
    assert ran.stdout == "[]\n"
