"""`curfew sweep`: the safety net. It ends access that should have ended, whether or not the operator runs."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path

import click

from curfew.adapters.clock import LaterClock, SystemClock
from curfew.adapters.kube import KubeCluster
from curfew.core.skew import read_date
from curfew.ports import ClusterError
from curfew.processes.sweep.expired import sweep_bindings


@click.command("sweep")
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="How to reach the API server. Default: KUBECONFIG, the pod's service account, ~/.kube/config.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
def sweep(kubeconfig: Path | None, dry_run: bool) -> None:
    """Remove every grant whose time is over.

    Looks at all RoleBindings that Curfew made, and removes those past their end and those that do not state when they
    end. If the API server's clock is later than this machine's, it counts. Needs only the right to list and delete
    RoleBindings; it works without the operator and without the bucket. Run it as often as you like.

    \b
    Exit code 0: nothing is left that should have ended; with --dry-run, each one is shown.
              1: a RoleBinding could not be removed, or the API server could not be reached.
    """  # noqa: D301  click's mark for lines that stay as they are
    sys.exit(asyncio.run(_sweep(kubeconfig, dry_run=dry_run)))


async def _sweep(kubeconfig: Path | None, *, dry_run: bool) -> int:
    """Return the exit code of one sweep."""
    try:
        async with KubeCluster.connect(kubeconfig) as cluster:
            own = SystemClock()
            clock = LaterClock(own)

            def answered(_sent: datetime, _received: datetime, date: str | None) -> None:
                at = read_date(date)
                if at is not None:
                    clock.prove(at, clock.monotonic())

            cluster.compare_clocks(own, answered)
            left = await sweep_bindings(cluster, clock, click.echo, dry_run=dry_run)
    except ClusterError as error:
        click.echo(f"Nothing was swept: {error}", err=True)
        return 1
    return 1 if left else 0
