"""`curfew alerts`: what looks wrong, as the log of activity has it, and what people answer. One module for each command.

`list` and `show` read the log, as `curfew audit` does; `resolve` and `silence` write an object with the caller's own kubectl.
"""

import click

from curfew.cli.audit.group import ReadingGroup
from curfew.cli.lazy import Subcommand


@click.group(
    "alerts",
    cls=ReadingGroup,
    package=__name__,
    subcommands=(
        Subcommand("list", "List alerts, and what became of them.", "listed"),
        Subcommand("show", "Show an alert with its evidence."),
        Subcommand("resolve", "Resolve an alert, with a reason."),
        Subcommand("silence", "Silence alerts of a kind until a time, with a reason."),
    ),
)
def alerts() -> None:
    """Show what looks wrong; resolve and silence alerts.

    The monitor's detectors read both logs, and record each alert in the log of activity. `list` and `show` read it from
    there and need no cluster. `resolve` and `silence` create an AlertResponse with your own kubectl; the monitor records
    it within seconds.
    """
