"""How the audit commands show things to people: records, sentences, times, and progress."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date

import click

from curfew.audit.canonical import parse_canonical
from curfew.audit.events import EVENTS
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.record import Record, RecordRefused
from curfew.audit.wording import plain_times, printable


def show_json(line: bytes) -> None:
    """Print a record as it is stored."""
    click.echo(line)


def with_names(show: Callable[[bytes], None], people: Mapping[str, Person]) -> Callable[[bytes], None]:
    """Return a function that shows records as `show` does, with names in place of the known pseudonyms."""

    def show_with_names(line: bytes) -> None:
        with suppress(RecordRefused):  # a record that cannot be read is passed on unchanged
            line = revealed(Record.parse(parse_canonical(line)), people).line()
        show(line)

    return show_with_names if people else show


def show_row(head: str, text: str, event: str = "") -> None:
    """Print a row of a table. On a terminal, it is wrapped with an indent, and colored if its event is serious."""
    head, text = printable(head), printable(text)
    color = None
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size().columns - len(head), _NARROWEST)
        text = f"\n{' ' * len(head)}".join(textwrap.wrap(text, width, break_on_hyphens=False) or [""])
        if event in EVENTS and not os.environ.get("NO_COLOR"):
            color = _COLORS.get(EVENTS[event].code[-1])
    row = f"{head}{text}"
    click.echo(click.style(row, fg=color) if color else row)


_NARROWEST = 20  # columns for the text, even on a narrower terminal
_COLORS = {"W": "yellow", "E": "red"}  # by the last letter of an event's code


class Table:
    """Prints records for people, with the day when it changes."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._width = max(map(len, EVENTS))

    def __call__(self, line: bytes) -> None:
        """Print a record."""
        try:
            record = Record.parse(parse_canonical(line))
        except RecordRefused as error:
            click.echo(printable(f"--:--:--  a line that this version cannot read: {error}"))
            return
        if record.at.date() != self._day:
            self._day = record.at.date()
            click.echo(f"{self._day:%A, %d %B %Y} (UTC)")
        head = f"{record.at:%H:%M:%S}  {record.event:<{self._width}}  "
        show_row(head, plain_times(record.message, self._day), record.event)


@contextmanager
def progress(total: int, things: str) -> Iterator[Callable[[], None]]:
    """Show the progress on a terminal, once the work has taken a second."""
    started = shown = time.monotonic()
    done = 0
    is_seen = sys.stderr.isatty()
    has_said = False

    def advance() -> None:
        nonlocal done, shown, has_said
        done += 1
        now = time.monotonic()
        if is_seen and now - started > 1 and now - shown > 0.1:
            shown, has_said = now, True
            click.echo(f"\r  {done:,} of {total:,} {things}", err=True, nl=False)

    try:
        yield advance
    finally:
        if has_said:
            click.echo("\r\x1b[2K", err=True, nl=False)
