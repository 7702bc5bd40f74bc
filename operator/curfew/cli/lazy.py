"""Groups that load a subcommand only when it is called, so that the command starts fast."""

import gc
import importlib
import keyword
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command named in the help before its module is loaded. Module and variable have the same name, with underscores.

    A name that Python keeps for itself, such as import, has one at its end.
    """

    name: str
    help: str
    module: str = ""  # if they have another name: `module`, `folder.module`, or `module:variable`

    def load(self, package: str) -> click.Command:
        """Return the command."""
        named = self.module or self.name.replace("-", "_") + ("_" if keyword.iskeyword(self.name) else "")
        module, _, variable = named.partition(":")
        variable = variable or module.rpartition(".")[2]
        command: click.Command = getattr(importlib.import_module(f"{package}.{module}"), variable)
        if not gc.isenabled():  # as a program begins; what it has loaded stays
            gc.freeze()
            gc.enable()
        return command


class LazyGroup(click.Group):
    """Lists its subcommands in the order given: what people type first."""

    def __init__(self, *args: Any, package: str, subcommands: Sequence[Subcommand], **kwargs: Any) -> None:
        """`package` holds a module for each subcommand. The other arguments are those of `click.Group`."""
        super().__init__(*args, **kwargs)
        self._package = package
        self._subcommands = {subcommand.name: subcommand for subcommand in subcommands}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        return list(self._subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command with this name."""
        return self._subcommands[cmd_name].load(self._package) if cmd_name in self._subcommands else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or raise an error that names a similar one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # only here: it would be a tenth of the time that the command takes to start

            close = difflib.get_close_matches(args[0], self._subcommands, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}. Did you mean {close[0]}?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.help) for command in self._subcommands.values()])
