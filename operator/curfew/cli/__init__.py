"""The `curfew` command, one module a group of subcommands.

A subcommand's module is loaded when it is called and not before, so that the command starts fast.
"""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""


@dataclass(frozen=True, slots=True)
class _Subcommand:
    """A command named in the help before its module is loaded; the module holds it under the same name."""

    name: str
    help: str

    def load(self) -> click.Command:
        command: click.Command = getattr(importlib.import_module(f"curfew.cli.{self.name}"), self.name)
        return command


SUBCOMMANDS: Mapping[str, _Subcommand] = {
    command.name: command
    for command in (
        _Subcommand("audit", "Check the record of all access, and read it."),
        _Subcommand("operator", "Run the operator: grant, watch and end access."),
        _Subcommand("sweep", "Remove every grant whose time is over, without the operator."),
    )
}
"""In the order of the help: what people type first."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return SUBCOMMANDS[cmd_name].load() if cmd_name in SUBCOMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.help) for command in SUBCOMMANDS.values()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        # As a plugin of kubectl it is called kubectl-curfew, and people type it with a space.
        if not kwargs.get("prog_name"):
            kwargs["prog_name"] = "kubectl curfew" if Path(sys.argv[0]).stem == "kubectl-curfew" else "curfew"
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="curfew", message="curfew %(version)s")
def main() -> None:
    """Access to Kubernetes that somebody agreed to, that ends on time, and that leaves a record nobody can rewrite.

    People ask for access with kubectl (an AccessRequest), others agree to it, and the operator grants it and takes it
    back. Each step is written to an object store first. The commands here run the parts of that and check what was
    written.
    """
