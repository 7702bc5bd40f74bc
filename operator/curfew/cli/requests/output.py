"""How requests are printed: labelled lines and tables. Everything becomes printable here, and long names are cut."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import click

from curfew.audit.wording import printable

LONGEST_CELL: Final = 60
"""Most characters of a cell in a table."""

_LABEL = 11  # width of the longest label with two spaces
_NARROWEST = 8  # a column is not cut below this


def say(text: str = "") -> None:
    """Print a line."""
    click.echo(printable(text))


def labelled(label: str, *lines: str) -> None:
    """Print a label and what it is about; nothing if that is empty. Further lines are below the first."""
    for number, line in enumerate(line for line in lines if line):
        say(f"  {'' if number else label:<{_LABEL}}{line}")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; on a terminal, the widest columns are cut until it fits."""
    cells = [headings, *([cut(cell, LONGEST_CELL) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(headings))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
    for row in cells:
        line = "  ".join(cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def cut(text: str, most: int) -> str:
    """Return a text that can be printed, with at most so many characters; an ellipsis shows that it was cut."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def is_interactive() -> bool:
    """Whether somebody can be asked: otherwise nobody would ever answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()
