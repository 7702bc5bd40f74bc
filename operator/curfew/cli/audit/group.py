"""Commands that read logs, and groups of them: their errors have exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from curfew.cli.lazy import LazyGroup


class ReadingGroup(LazyGroup):
    """Ends with the exit code of `exits` if a log cannot be read or does not verify."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _exit_codes(ctx):
            return super().invoke(ctx)


class ReadingCommand(click.Command):
    """A command that is in no group of its own. Ends with the same exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _exit_codes(ctx):
            return super().invoke(ctx)


@contextmanager
def _exit_codes(ctx: click.Context) -> Iterator[None]:
    # Imported here, because `reading` takes long to load and `--help` does not need it.
    from curfew.cli.audit.exits import EXIT_CODES, UNREADABLE
    from curfew.reader.errors import ReadingError

    try:
        yield
    except ReadingError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(EXIT_CODES[type(error)])
    except (MemoryError, RecursionError, OverflowError, UnicodeError) as error:
        # Exit code 1 would be an accusation. All input is bounded, so no error should get here.
        click.echo(f"Error: The input cannot be read: {type(error).__name__}: {str(error)[:200]}", err=True)
        ctx.exit(UNREADABLE)
