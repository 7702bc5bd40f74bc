"""Records as lines of CSV and of JSON, each with its index in the log."""

import csv
import io
from collections.abc import Callable, Iterable

import orjson

from curfew.audit.query import answers
from curfew.audit.record import Record

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


def csv_head(*, has_log: bool = False) -> str:
    """Return the names of the columns, as a line of CSV. If there are several logs, the first column is the log."""
    return _row([*(["log"] if has_log else []), "index", *COLUMNS])


def csv_row(index: int, record: Record | None, log: str = "") -> str:
    """Return a record as a line of CSV; all fields but its index are empty if this version cannot read it.

    It begins with its log if there are several.
    """
    cells = ("" for _ in COLUMNS) if record is None else (column(record) for column in COLUMNS.values())
    return _row([*([log] if log else []), str(index), *cells])


def _row(cells: Iterable[str]) -> str:
    row = io.StringIO()
    # A spreadsheet executes cells that begin with one of these, and records hold text from other people.
    csv.writer(row, lineterminator="\n").writerow(f"'{cell}" if cell[:1] in _COMMANDS else cell for cell in cells)
    return row.getvalue()


_COMMANDS = frozenset("=+-@\t\r")


def indexed(index: int, line: bytes, log: str = "") -> bytes:
    """Return a record with its index, and its log if there are several, as one JSON object without a newline."""
    where = b'"log":%s,' % orjson.dumps(log) if log else b""
    return b'{%s"index":%d,"record":%s}' % (where, index, line)


def _story(record: Record, name: str) -> object:
    story = record.block.get("story", {})
    return story.get(name) if isinstance(story, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
