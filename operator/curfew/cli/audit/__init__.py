"""`curfew audit`: checks a log, and shows it to people. Needs the log and no cluster. One module a command.

Exit codes: 0 it verifies, 1 it does not, 2 the command was wrong, 3 the log cannot be read.
"""

from typing import Any

import click

from curfew.cli.lazy import LazyGroup, Subcommand


class _Commands(LazyGroup):
    def invoke(self, ctx: click.Context) -> Any:
        # Imported here, because reading takes long to load and `--help` needs none of it.
        from curfew.cli.audit.exits import EXIT_CODES, UNREADABLE
        from curfew.reader.errors import ReadingError

        try:
            return super().invoke(ctx)
        except ReadingError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(EXIT_CODES[type(error)])
        except (MemoryError, RecursionError, OverflowError, UnicodeError) as error:
            # Exit code 1 would be an accusation. What is read is bounded, so nothing should get here.
            click.echo(f"Error: What was given cannot be read: {type(error).__name__}: {str(error)[:200]}", err=True)
            ctx.exit(UNREADABLE)


@click.group(
    "audit",
    cls=_Commands,
    package=__name__,
    subcommands=(
        Subcommand("verify", "Prove that a log is whole."),
        Subcommand("search", "Find records, or tell one request's story."),
        Subcommand("index", "Make the index that search uses, and print where it is."),
        Subcommand("prove", "Write the proof of one record into one file."),
        Subcommand("check-proof", "Check such a file, without the log."),
        Subcommand("report", "Report on a period: controls, exceptions, samples."),
        Subcommand("export", "Hand over the evidence of a period."),
        Subcommand("tail", "Show the newest records, and go on with -f."),
        Subcommand("key", "Print the public key of a signing key, or the keys of a log."),
        Subcommand("who", "Say whose a pseudonym is, or which is somebody's."),
        Subcommand("forget", "Erase who a person is; the log stays whole."),
    ),
)
def audit() -> None:
    """Check the record of all access, and read it.

    The operator writes each step of each request to a log in an object store: signed, chained, and never changed again.
    These commands read that log where it lies. They need no cluster and never change the log. `search` keeps a copy of
    what it has verified on this machine; `forget` deletes a person's key, which is not in the log.
    """
