"""`kubectl curfew`: what people need every day, through their own kubectl. It starts as fast as kubectl does.

Nothing here is needed: each command only runs kubectl, and could be typed with it. The commands of `curfew` that people use
are here too; those that run in a cluster are not.
"""

from typing import Final, NoReturn

import click

from curfew.cli.lazy import Subcommand
from curfew.cli.program import Program, run_and_exit

NAME: Final = "kubectl curfew"
"""How people type it."""


@click.group(
    cls=Program,
    called=NAME,
    package="curfew.cli",
    subcommands=(
        Subcommand("request", "Ask for access.", "requests.request"),
        Subcommand("list", "List requests, the open ones first, and what they wait for.", "requests.listed:list_"),
        Subcommand("show", "Show one request and its story.", "requests.show"),
        Subcommand("approve", "Approve a request, after a look at what it gives.", "requests.deciding:approve"),
        Subcommand("deny", "Deny a request.", "requests.deciding:deny"),
        Subcommand("cancel", "Withdraw your own request, or give your access back.", "requests.deciding:cancel"),
        Subcommand("revoke", "End somebody's access early.", "requests.deciding:revoke"),
        Subcommand("explain", "Explain what you may ask for, a policy, or a request.", "requests.explain"),
        Subcommand("watch", "Print a line for each change, until Ctrl-C.", "requests.watch"),
        Subcommand("alerts", "Show what looks wrong; resolve and silence alerts."),
        Subcommand("lock", "Stop a person, or everything, at once."),
        Subcommand("unlock", "Lift a lock."),
        Subcommand("locks", "List what is locked, by whom and why."),
        Subcommand("audit", "Verify, search and export the log of all access."),
        Subcommand("stats", "Show how long requests wait, and for what."),
        Subcommand("ui", "Show all this on a page in your browser."),
        Subcommand("doctor", "Find out what is wrong, and who can go around Curfew.", "doctor.command:doctor"),
        Subcommand("completion", "Print the completion for a shell.", "requests.completion"),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="curfew", message="curfew %(version)s")
def plugin() -> None:
    """Ask for access, and decide about it.

    These commands run your own kubectl (KUBECTL_PATH, or kubectl on PATH), so contexts, sign-in plugins and rights are yours.
    Everything that they do can be done with kubectl alone.

    \b
    Exit code 0: it is done.
              1: kubectl or the API server refused.
              2: the command was wrong.
              3: with --wait: the request is over, and no access was granted.
              4: with --wait --timeout: it is not decided yet.
              130: Ctrl-C.
    """  # noqa: D301  click's mark for lines that stay as they are


def run() -> NoReturn:
    """Run the plugin, and end the process with its exit code."""
    run_and_exit(plugin)


def complete() -> NoReturn:
    """Run as `kubectl_complete-curfew`, which kubectl starts for `kubectl curfew <TAB>`."""
    from curfew.cli.requests.completion import answer_kubectl  # only here: nothing else completes

    run_and_exit(lambda: answer_kubectl(plugin))
