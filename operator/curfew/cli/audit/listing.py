"""Records in each form that people and programs want: a table, JSON, JSON lines, CSV. Each has its index, for `prove`."""

import csv
import io
import sys
from collections.abc import Callable, Iterable
from datetime import date
from typing import Protocol

import click

from curfew.audit.events import EVENTS
from curfew.audit.query import answers
from curfew.audit.record import Record
from curfew.cli.audit.showing import plain_times, show_row

COLUMNS: dict[str, Callable[[Record], str]] = {
    "time": lambda record: record.at.isoformat().replace("+00:00", "Z"),
    "event": lambda record: record.event,
    "code": lambda record: _text(record.block.get("code")),
    "actor": lambda record: _text(record.block.get("actor")),
    "requester": lambda record: _text(_story(record, "requester")),
    "namespace": lambda record: _text(_story(record, "namespace")),
    "request": lambda record: _text(_story(record, "request")),
    "policy": lambda record: next(answers("policy", record.body), ""),
    "role": lambda record: next(answers("role", record.body), ""),
    "ticket": lambda record: _text(_story(record, "ticket")),
    "message": lambda record: record.message,
    "id": lambda record: record.id,
    "subject": lambda record: record.subject,
}
"""The columns of CSV, after the index."""


class Listing(Protocol):
    """Prints records one by one."""

    def show(self, index: int, line: bytes, record: Record | None) -> None:
        """Print a verified record; None where it is of a kind that this version does not read."""
        ...

    def end(self) -> None:
        """Print what comes after the last."""
        ...


class TableListing:
    """For people, with the day wherever it changes."""

    def __init__(self) -> None:
        """Begin without a day."""
        self._day: date | None = None
        self._width = max(map(len, EVENTS))

    def show(self, index: int, line: bytes, record: Record | None) -> None:
        """Print a record."""
        if record is None:
            click.echo(f"{index:>7}  --:--:--  a line that this version cannot read")
            return
        if record.at.date() != self._day:
            self._day = record.at.date()
            click.echo(f"{self._day:%A, %d %B %Y} (UTC)")
        head = f"{index:>7}  {record.at:%H:%M:%S}  {record.event:<{self._width}}  "
        show_row(head, plain_times(record.message, self._day), record.event)

    def end(self) -> None:
        """Print nothing."""


class JsonLinesListing:
    """For programs: an object a line, with the index and the record as it is stored."""

    def __init__(self) -> None:
        """Print whole blocks: there may be millions."""
        self._out = sys.stdout.buffer

    def show(self, index: int, line: bytes, record: Record | None) -> None:
        """Print a record."""
        self._out.write(indexed(index, line) + b"\n")

    def end(self) -> None:
        """Print what is left."""
        self._out.flush()


class JsonListing:
    """For programs: the same as one list."""

    def __init__(self) -> None:
        """Begin with an empty list."""
        self._before = "["

    def show(self, index: int, line: bytes, record: Record | None) -> None:
        """Print a record."""
        click.echo(f"{self._before}\n  ".encode() + indexed(index, line), nl=False)
        self._before = ","

    def end(self) -> None:
        """End the list."""
        click.echo("[]" if self._before == "[" else "\n]")


class CsvListing:
    """For spreadsheets; no cell can be taken for a formula."""

    def __init__(self) -> None:
        """Begin with the names of the columns."""
        click.echo(csv_head(), nl=False)

    def show(self, index: int, line: bytes, record: Record | None) -> None:
        """Print a record."""
        click.echo(csv_row(index, record), nl=False)

    def end(self) -> None:
        """Print nothing."""


def csv_head() -> str:
    """Return the names of the columns, as a line of CSV."""
    return _row(["index", *COLUMNS])


def csv_row(index: int, record: Record | None) -> str:
    """Return a record as a line of CSV; all but its index is empty where this version does not read it."""
    cells = ("" for _ in COLUMNS) if record is None else (column(record) for column in COLUMNS.values())
    return _row([str(index), *cells])


def _row(cells: Iterable[str]) -> str:
    row = io.StringIO()
    # A spreadsheet runs what begins with one of these, and records hold what people wrote.
    csv.writer(row, lineterminator="\n").writerow(f"'{cell}" if cell[:1] in _COMMANDS else cell for cell in cells)
    return row.getvalue()


_COMMANDS = frozenset("=+-@\t\r")

LISTINGS: dict[str, Callable[[], Listing]] = {
    "table": TableListing,
    "json": JsonListing,
    "jsonl": JsonLinesListing,
    "csv": CsvListing,
}
"""By the name that people type."""


def indexed(index: int, line: bytes) -> bytes:
    """Return a record with its index, as one JSON object without a newline."""
    return b'{"index":%d,"record":%s}' % (index, line)


def _story(record: Record, name: str) -> object:
    story = record.block.get("story", {})
    return story.get(name) if isinstance(story, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
