"""Records in the forms for people and programs: a table, JSON, JSON lines, CSV. Each record has its index, for `prove`."""

import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol

import click

from curfew.audit.events import EVENTS
from curfew.audit.record import Record
from curfew.audit.wording import plain_times
from curfew.cli.audit.console import show_row
from curfew.reader.tabular import csv_head, csv_row, indexed


class Listing(Protocol):
    """Prints records one by one."""

    def show(self, index: int, line: bytes, record: Record | None, log: str = "") -> None:
        """Print a verified record; None if this version cannot read it. `log` is its log, if there are several."""
        ...

    def end(self) -> None:
        """Print what comes after the last record."""
        ...


class TableListing:
    """For people, with the day when it changes."""

    def __init__(self, logs: Sequence[str] = ()) -> None:
        """Begin without a day. `logs` are the names of the logs, if there are several."""
        self._day: date | None = None
        self._width = max(map(len, EVENTS))
        self._log_width = max(map(len, logs), default=0)

    def show(self, index: int, line: bytes, record: Record | None, log: str = "") -> None:
        """Print a record."""
        place = f"{index:>7}" if not self._log_width else f"{log:<{self._log_width}}  {index:>7}"
        if record is None:
            click.echo(f"{place}  --:--:--  a line that this version cannot read")
            return
        if record.at.date() != self._day:
            self._day = record.at.date()
            click.echo(f"{self._day:%A, %d %B %Y} (UTC)")
        head = f"{place}  {record.at:%H:%M:%S}  {record.event:<{self._width}}  "
        show_row(head, plain_times(record.message, self._day), record.event)

    def end(self) -> None:
        """Print nothing."""


class JsonLinesListing:
    """For programs: one object per line, with the index and the record as it is stored."""

    def __init__(self, logs: Sequence[str] = ()) -> None:
        """Print whole blocks: there may be millions."""
        self._out = sys.stdout.buffer

    def show(self, index: int, line: bytes, record: Record | None, log: str = "") -> None:
        """Print a record."""
        self._out.write(indexed(index, line, log) + b"\n")

    def end(self) -> None:
        """Print what is left."""
        self._out.flush()


class JsonListing:
    """For programs: the same objects as one list."""

    def __init__(self, logs: Sequence[str] = ()) -> None:
        """Begin with an empty list."""
        self._before = "["

    def show(self, index: int, line: bytes, record: Record | None, log: str = "") -> None:
        """Print a record."""
        click.echo(f"{self._before}\n  ".encode() + indexed(index, line, log), nl=False)
        self._before = ","

    def end(self) -> None:
        """End the list."""
        click.echo("[]" if self._before == "[" else "\n]")


class CsvListing:
    """For spreadsheets; no cell can be taken for a formula."""

    def __init__(self, logs: Sequence[str] = ()) -> None:
        """Begin with the names of the columns, of which the first is the log if there are several."""
        click.echo(csv_head(has_log=bool(logs)), nl=False)

    def show(self, index: int, line: bytes, record: Record | None, log: str = "") -> None:
        """Print a record."""
        click.echo(csv_row(index, record, log), nl=False)

    def end(self) -> None:
        """Print nothing."""


LISTINGS: dict[str, Callable[..., Listing]] = {
    "table": TableListing,
    "json": JsonListing,
    "jsonl": JsonLinesListing,
    "csv": CsvListing,
}
"""By the name that people type. Each takes the names of the logs, if there are several."""
