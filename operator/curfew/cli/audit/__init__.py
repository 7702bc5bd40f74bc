"""`curfew audit`: checks a log, and shows it to people. Needs the log and no cluster. One module for each command.

Exit codes: 0 it verifies, 1 it does not, 2 the command was wrong, 3 the log cannot be read.
"""

import click

from curfew.cli.audit.group import ReadingGroup
from curfew.cli.lazy import Subcommand


@click.group(
    "audit",
    cls=ReadingGroup,
    package=__name__,
    subcommands=(
        Subcommand("verify", "Prove that a log is complete and unchanged."),
        Subcommand("search", "Find records, or show the story of one request."),
        Subcommand("session", "Show what was done with a grant."),
        Subcommand("check", "Judge by the API server's log whether access ended and was recorded."),
        Subcommand("index", "Build the index that search uses, and print its path."),
        Subcommand("prove", "Write the proof of one record into one file."),
        Subcommand("check-proof", "Check a proof file, without the log."),
        Subcommand("report", "Report on a period: controls, exceptions, samples."),
        Subcommand("advise", "Print the role that would have been enough."),
        Subcommand("export", "Export the evidence of a period."),
        Subcommand("tail", "Show the newest records; -f follows the log."),
        Subcommand("import", "Send the lines of another system, such as a database."),
        Subcommand("key", "Print the public key of a signing key, or the keys of a log."),
        Subcommand("who", "Find the name behind a pseudonym, or the pseudonym of a name."),
        Subcommand("forget", "Erase a person's name; the log still verifies."),
    ),
)
def audit() -> None:
    """Verify, search and export the log of all access.

    The operator writes each step of each request to a log in an object store: signed, chained, and never changed again.
    `curfew monitor` writes what was done with the access to a second log. These commands read the logs directly from
    there. They need no cluster and never change a log. `search` keeps a copy of the verified records on this machine;
    `forget` deletes a person's key, which is not in the log.
    """
