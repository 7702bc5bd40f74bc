"""What the programs `curfew` and `kubectl-curfew` have in common: their name, Ctrl-C, and the way they end."""

import gc
import os
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

import click

from curfew.cli.lazy import LazyGroup

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as in shells: 128 plus the number of the signal."""


class Program(LazyGroup):
    """The outermost group of a program."""

    def __init__(self, *args: Any, called: str, **kwargs: Any) -> None:
        """`called` is how people type its name, which its help shows. The other arguments are those of `LazyGroup`."""
        super().__init__(*args, **kwargs)
        self._called = called

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run it under the name that people type."""
        kwargs["prog_name"] = kwargs.get("prog_name") or self._called
        kwargs["complete_var"] = kwargs.get("complete_var") or f"_{self._called.upper().replace(' ', '_')}_COMPLETE"
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends it with one line."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):  # the second is Ctrl-C while something is asked
            click.echo("Stopped.", err=True)
            ctx.exit(INTERRUPTED)


def run_and_exit(program: Callable[[], Any]) -> NoReturn:
    """Run a program and end the process at once with its exit code.

    Python's own way out takes the interpreter apart while threads of the object-store client may still want it, which on
    Python before 3.14 aborts the process now and then, after everything was done.
    """
    gc.disable()  # until a command is loaded: nothing is garbage then, and to look for some is a twentieth of the start
    code: object = 0
    try:
        program()
    except SystemExit as ended:
        code = ended.code
    if isinstance(code, str):
        print(code, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
