"""The Jobs that Helm runs: its test, and what ends every grant before a release goes. By Helm 3 and by Helm 4.

No node runs pods here. A process with the Job's service account does what its pod would.
"""

import json
import os
import sys
from asyncio import to_thread
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from curfew.adapters.readiness import read_readiness
from curfew.processes.self_test import LEADERS_PART
from tests.integration.chart.releases import Release
from tests.integration.installed import CHART, SYSTEM, Done, Installed
from tests.integration.operator.place import Place
from tests.integration.operator.stage import Stage, a_stage
from tests.support.api import MERGE, succeed
from tests.support.scale import drawn
from tools.servers.cluster import run_command
from tools.servers.ports import LOOPBACK

HELMS = [pytest.param("helm3", id="Helm 3"), pytest.param("helm", id="Helm 4")]
LONG = 60.0
LOOK_SECONDS = 0.2


class Node:
    """Does a Job as a node would: runs its command as its account, and reports how it ended."""

    def __init__(self, cluster: Installed, folder: Path, job: str, *more: str) -> None:
        """The command gets more options."""
        self._cluster = cluster
        self._folder = folder
        self._job = job
        self._path = f"/apis/batch/v1/namespaces/{SYSTEM}/jobs/{job}"
        self._more = more
        self._over = Event()
        self._thread = Thread(target=self._run)
        self.said = ""
        self.is_broken = False
        """Whether the pod fails before its command runs."""

    def __enter__(self) -> "Node":
        """Look for the Job."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        done: set[str] = set()
        while not self._over.wait(LOOK_SECONDS):
            found = self._cluster.api.ask("GET", self._path)
            job = json.loads(found.stdout or "null")
            if job and job["metadata"]["uid"] not in done:
                done.add(job["metadata"]["uid"])
                self._report(has_failed=self.is_broken or self._do(job) != 0)

    def _do(self, job: dict[str, Any]) -> int:
        spec = job["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        token = self._cluster.token(spec["serviceAccountName"])
        kubeconfig = self._cluster.environment.cluster.kubeconfig_for_token(self._folder / self._job, token)
        program, *arguments = container["command"]
        assert program == "curfew"
        command = [sys.executable, "-m", "curfew", *arguments, *self._more]
        environ = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        done = run_command(command, environ, stdin=None, check=False, timeout=285)
        self.said = done.stdout + done.stderr
        return done.returncode

    def _report(self, *, has_failed: bool) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = ("FailureTarget", "Failed") if has_failed else ("SuccessCriteriaMet", "Complete")
        status: dict[str, Any] = {
            "startTime": at,
            "conditions": [{"type": word, "status": "True", "lastTransitionTime": at} for word in words],
            **({"failed": 1} if has_failed else {"succeeded": 1, "completionTime": at}),
        }
        succeed(self._cluster.api.ask("PATCH", f"{self._path}/status", {"status": status}, content_type=MERGE))


def install(release: Release, store: str) -> None:
    """Install today's chart under another name, with the trail in a store, for all namespaces with the label."""
    values = f"config.audit.url={store},config.audit.retention=1d,roles={{view}},optIn.enabled=true"
    # Half of what an installation computes would be a check that the API server makes as well.
    quick = "--disable-openapi-validation"
    release.helm("install", "access", str(CHART), "--create-namespace", quick, "--set", values)
    release.cluster.await_in_force()


async def place_of(stage: Stage, apart: Installed) -> Place:
    place = await stage.place(opted_in=False)
    apart.kubectl("label", "namespace", place.namespace, "curfew.dev/grants=enabled")
    return place


def judge_by_helm_test(release: Release, leader: str) -> None:
    """`helm test` fails while no pod is ready, and then finds that all is well."""
    with Node(release.cluster, release.folder, "curfew-test", "--url", leader, "--wait", "0") as node:
        refused = release.helm("test", "access", check=False)
        assert refused.returncode != 0
        assert "WRONG operators: 0 of 2 are ready" in node.said

        ready = {"status": {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2}}
        path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/curfew/status"
        succeed(release.cluster.api.ask("PATCH", path, ready, content_type=MERGE))
        release.helm("test", "access")
    assert "ok    kinds: all definitions are served" in node.said
    assert "ok    work: an operator can do all its work" in node.said
    assert "All admission policies are in force." in node.said


@pytest.mark.parametrize("helm", drawn(HELMS, "Helm"))
async def test_no_grant_outlives_its_curfew(apart: Installed, helm: str, tmp_path: Path) -> None:
    """If the Job fails, all stays. Otherwise an operator ends and records them; without one, the next one records."""
    release = Release(apart, helm, tmp_path)
    store = f"s3://{apart.environment.s3.make_bucket(f'uninstall-{helm}')}/curfew"

    async def uninstall() -> Done:
        return await to_thread(release.helm, "uninstall", "access", check=False)

    await to_thread(install, release, store)
    async with a_stage(apart, tmp_path) as stage:
        place = await place_of(stage, apart)
        with Node(apart, tmp_path, "curfew-uninstall") as node:
            with release.operators("curfew-a", "curfew-b") as operators:
                urls = [f"http://{LOOPBACK}:{operator.port}/readyz" for operator in operators]
                (leader,) = [url for url in urls if LEADERS_PART in (await read_readiness(url)).parts]
                await to_thread(judge_by_helm_test, release, leader)
                alice = await place.active(place.people.alice, duration="1h")
                carol = await place.active(place.people.carol, duration="1h")
                waits = await place.pending(place.people.alice)
                node.is_broken = True
                refused = await uninstall()
                assert refused.returncode != 0
                assert (await alice.binding_now()).is_ok
                apart.kubectl("get", "deployment", "curfew", "--namespace", SYSTEM)

                node.is_broken = False
                done = await uninstall()
                assert done.returncode == 0, done.stderr + node.said
                for asked in (alice, carol):
                    await asked.closed(LONG)
                    assert asked.status["endReason"] == "Locked"
                await waits.phase("Failed")
            assert "The operator ended 2 grants." in node.said
            assert node.said.endswith("No grant is left.\nAll ends are in the log.\n")
            left = {name for name in release.objects() if not name.startswith("CustomResourceDefinition")}
            assert left == {"Secret curfew-signing-key", "ConfigMap curfew-checkpoint"}

            apart.kubectl("delete", "accesslocks", "--all")
            await to_thread(install, release, store)
            with release.operators("curfew-c") as (operator,):
                alone = await place.active(place.people.alice, duration="1h")
                operator.kill()
            done = await uninstall()
            assert done.returncode == 0, done.stderr + node.said
            assert not (await alone.binding_now()).is_ok
            assert f"{place.namespace}/curfew-{alone.uid} would have ended at" in node.said
            assert "No operator keeps to the lock" in node.said

        await to_thread(install, release, store)
        with release.operators("curfew-d"):
            await alone.closed(LONG)
        release.helm("uninstall", "access", "--no-hooks")
