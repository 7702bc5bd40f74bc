"""`curfew end-grants`: what `helm uninstall` runs first. Afterwards nothing would end the grants."""

import asyncio
import sys
from pathlib import Path

import click

from curfew.adapters.clock import SystemClock
from curfew.adapters.kube import KubeCluster, KubeLocker, find_cluster
from curfew.ports import ClusterError
from curfew.processes.sweep.everything import end_all_grants


@click.command("end-grants")
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="How to reach the API server. Default: KUBECONFIG, the pod's service account, ~/.kube/config.",
)
def end_grants(kubeconfig: Path | None) -> None:
    """End every grant in the cluster, and let none begin for ten minutes.

    Makes an AccessLock on everything, so that the operator ends all grants, refuses what waits and records both. What the
    operator does not end in time is removed without it. Takes three minutes at most. To stop everything without uninstalling
    Curfew, use curfew lock --everything.

    \b
    Exit code 0: no grant is left.
              1: a grant could not be removed, or the API server could not be reached.
    """  # noqa: D301  click's mark for lines that stay as they are
    sys.exit(asyncio.run(_end_grants(kubeconfig)))


async def _end_grants(kubeconfig: Path | None) -> int:
    """Return the exit code."""
    try:
        connection = await find_cluster(kubeconfig)
        cluster, locker = KubeCluster(connection), KubeLocker(connection)
        try:
            are_ended = await end_all_grants(cluster, locker, SystemClock(), click.echo)
        finally:
            await locker.close()
            await cluster.close()
    except ClusterError as error:
        click.echo(f"It is not known whether a grant is left: {error}", err=True)
        return 1
    return 0 if are_ended else 1
