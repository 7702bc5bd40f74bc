"""`curfew operator`: runs the operator until it is asked to stop."""

import sys
from pathlib import Path

import click

from curfew.adapters.logs import configure_logs
from curfew.audit.checkpoint import KeyRefused
from curfew.ports import ClusterError, StoreError
from curfew.processes.operator.app import operate
from curfew.settings.loading import SettingsRefused
from curfew.settings.operator import load_settings
from curfew.tasks.running import run_process


@click.command("operator")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("/etc/curfew/config.yaml"),
    show_default=True,
    help="The file with the settings.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="How to reach the API server. Default: KUBECONFIG, the pod's service account, ~/.kube/config.",
)
def operator(config: Path, kubeconfig: Path | None) -> None:
    """Run the operator: grant what was approved, end it on time, and record both.

    \b
    Exit code 0: it stopped because it was asked to (SIGTERM, Ctrl-C).
              1: it ended because of an error; its output shows which.
              2: it cannot start with these settings, or the API server or the store cannot be used; each line shows
                 what is wrong and what would be right.
    """  # noqa: D301  click's mark for lines that stay as they are
    try:
        settings = load_settings(config)
        configure_logs(settings.log.level, settings.log.format)
        run_process(operate(settings, kubeconfig))
    except SettingsRefused as refused:
        for problem in refused.problems:
            click.echo(problem, err=True)
        sys.exit(2)
    except KeyRefused as error:
        click.echo(f"{error}.", err=True)
        sys.exit(2)
    except (ClusterError, StoreError) as error:
        click.echo(f"Curfew cannot start: {error}", err=True)
        sys.exit(2)
