"""The `curfew` command: one module for each group of subcommands.

A subcommand's module is loaded only when the subcommand is called, so that the command starts fast.
"""

import click

from curfew.cli.lazy import Subcommand
from curfew.cli.program import Program


@click.group(
    cls=Program,
    called="curfew",
    package=__name__,
    subcommands=(
        Subcommand("audit", "Verify, search and export the log of all access."),
        Subcommand("alerts", "Show what looks wrong; resolve and silence alerts."),
        Subcommand("stats", "Show how long requests wait, and for what."),
        Subcommand("doctor", "Find out what is wrong, and who can go around Curfew.", "doctor.command:doctor"),
        Subcommand("lock", "Stop a person, or everything, at once."),
        Subcommand("unlock", "Lift a lock."),
        Subcommand("locks", "List what is locked, by whom and why."),
        Subcommand("operator", "Run the operator: grant, watch and end access."),
        Subcommand("monitor", "Run the monitor: what was done with the access?"),
        Subcommand("sweep", "Remove every grant that has expired, without the operator."),
        Subcommand("end-grants", "End every grant: what helm uninstall runs first."),
        Subcommand("policies", "Print the admission policies as files of the API server."),
        Subcommand("self-test", "Look whether Curfew works: what helm test runs."),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="curfew", message="curfew %(version)s")
def main() -> None:
    """Access to Kubernetes that somebody agreed to, that ends on time, and that leaves a record nobody can rewrite.

    People ask for access with kubectl (an AccessRequest), others agree to it, and the operator grants it and takes it
    back. Each step is written to an object store first. These commands run the parts of Curfew and check
    what was written.
    """
