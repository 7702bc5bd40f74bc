"""`curfew self-test`: what `helm test` runs. Are the definitions served, the operators ready, the policies in force?"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from curfew.adapters.kube import KubeCluster, KubeWorkloads, find_cluster
from curfew.adapters.readiness import NoAnswer, read_readiness
from curfew.ports import ClusterError
from curfew.processes.self_test import Unseen, look_until_good

DEPLOYMENT = "curfew"


@click.command("self-test")
@click.option("--namespace", default="curfew-system", show_default=True, help="Where Curfew is installed.")
@click.option("--url", default="", metavar="URL", help="An operator's /readyz. Default: the Service curfew, port 8080.")
@click.option("--wait", default=60.0, show_default=True, metavar="SECONDS", help="How long it may take to become good.")
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="How to reach the API server. Default: KUBECONFIG, the pod's service account, ~/.kube/config.",
)
def self_test(namespace: str, url: str, wait: float, kubeconfig: Path | None) -> None:
    """Look whether Curfew works: definitions, operators, and each part of an operator, such as the admission policies.

    \b
    Exit code 0: all is as it should be.
              1: something is not; it is named.
    """  # noqa: D301  click's mark for lines that stay as they are
    sys.exit(asyncio.run(_self_test(namespace, url or f"http://curfew.{namespace}.svc:8080/readyz", wait, kubeconfig)))


class _Cluster:
    """What is looked at, as `curfew.processes.self_test.Installation`."""

    def __init__(self, cluster: KubeCluster, workloads: KubeWorkloads, namespace: str, url: str) -> None:
        self._cluster = cluster
        self._workloads = workloads
        self._namespace = namespace
        self._url = url

    async def missing_kinds(self) -> list[str]:
        try:
            return await self._cluster.missing_kinds()
        except ClusterError as error:
            raise Unseen(str(error)) from error

    async def replicas(self) -> tuple[int, int]:
        try:
            return await self._workloads.replicas(self._namespace, DEPLOYMENT)
        except ClusterError as error:
            raise Unseen(str(error)) from error

    async def readiness(self) -> tuple[bool, Mapping[str, str]]:
        try:
            found = await read_readiness(self._url)
        except NoAnswer as error:
            raise Unseen(
                f"no operator answers at {self._url}: {error}. Look at kubectl logs deployment/{DEPLOYMENT} "
                f"-n {self._namespace}"
            ) from error
        return found.is_ready, found.parts


async def _self_test(namespace: str, url: str, wait: float, kubeconfig: Path | None) -> int:
    """Return the exit code."""
    try:
        connection = await find_cluster(kubeconfig)
    except ClusterError as error:
        click.echo(f"Nothing was looked at: {error}", err=True)
        return 1
    cluster, workloads = KubeCluster(connection), KubeWorkloads(connection)
    try:
        is_good = await look_until_good(_Cluster(cluster, workloads, namespace, url), wait, click.echo)
    finally:
        await workloads.close()
        await cluster.close()
    return 0 if is_good else 1
