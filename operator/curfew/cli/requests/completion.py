"""Completion: scripts for shells, and the program that kubectl runs for `kubectl curfew <TAB>`."""

import os
import sys
from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

NO_FILES: Final = ":4"
"""Ends the answer to kubectl: complete nothing else, such as names of files (ShellCompDirectiveNoFileComp of cobra)."""

PROGRAM: Final = "kubectl-curfew"
VARIABLE: Final = "_KUBECTL_CURFEW_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion of `kubectl-curfew` for a shell.

    `kubectl curfew <TAB>` needs it not: kubectl's own completion runs kubectl_complete-curfew, which is installed with this
    plugin.

    \b
    Example:
      source <(kubectl curfew completion bash)
    """  # noqa: D301  click's mark for lines that stay as they are
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(made(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())


def complete(program: click.Command, words: list[str]) -> None:
    """Answer kubectl as a command of cobra does: one candidate a line with its help, and what else may be completed.

    The last of `words` is what is being typed.
    """
    *before, typed = words or [""]
    for item in ShellComplete(program, {}, PROGRAM, VARIABLE).get_completions(before, typed):
        if item.type == "plain":
            help_ = f"\t{item.help}" if item.help else ""
            print(f"{item.value}{help_}")
    print(NO_FILES)


def answer_kubectl(program: click.Command) -> None:
    """Run as `kubectl_complete-curfew`, whose arguments are the words after `kubectl curfew`."""
    # kubectl's completion writes its own messages; ours would land between the words that somebody types.
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  until the process ends
    complete(program, sys.argv[1:])
