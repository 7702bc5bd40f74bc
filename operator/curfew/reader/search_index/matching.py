"""A question as SQL: which records of an index may answer it. The search texts go into tables, never into the SQL."""

import sqlite3
from array import array
from collections.abc import Sequence
from math import ceil, floor

from curfew.audit.query import Query, literals
from curfew.audit.timespan import Span

_PLACES: dict[str, tuple[Sequence[str], Sequence[str], bool]] = {
    "id": (("id",), (), False),
    "person": (("actor",), ("requester", "submitted_by", "detail_user"), True),
    "request": ((), ("subject", "request", "namespace || '/' || request"), False),
    "role": ((), ("role", "role_kind || '/' || role"), False),
    "policy": ((), ("policy",), False),
    "namespace": ((), ("namespace", "detail_namespace"), False),
    "event": (("event", "code"), (), False),
    "ticket": ((), ("ticket",), False),
    "verb": (("verb",), (), False),
    "resource": (("resource", "resource || '/' || subresource", "resource || '/' || object"), (), False),
}
"""The places of the texts of `query.FIELDS`: in a row of `records`, of `stories`, and whether in `decisions` too."""


def may_answer(database: sqlite3.Connection, query: Query) -> "array[int]":
    """Return the indexes of the records that may answer a query, in order: all that do, and perhaps more.

    It checks the fields and the span; it does not check words, or texts that may be anywhere in a record.
    """
    database.execute("CREATE TEMP TABLE asked (field TEXT, text TEXT, is_whole INTEGER)")
    try:
        conditions = [_asked(database, query, name) for name in query.patterns if name in _PLACES]
        sql, limits = _condition([one for one in conditions if one], query.span)
        return array("Q", (record for (record,) in database.execute(sql, limits)))
    finally:
        database.execute("DROP TABLE IF EXISTS asked")  # an error may have rolled it back


def _condition(conditions: Sequence[str], span: Span) -> tuple[str, list[int]]:
    limits = []
    conditions = [f"({condition})" for condition in conditions]
    if span.begin is not None:
        conditions.append("time >= ?")
        limits.append(floor(span.begin.timestamp() * 1000))
    if span.end is not None:
        conditions.append("time <= ?")
        limits.append(ceil(span.end.timestamp() * 1000))
    if not conditions:
        return "SELECT record FROM records ORDER BY record", limits
    # A later version may be able to read records that this one, or the one that made the index, could not.
    unread = "SELECT record FROM records WHERE event IS NULL"
    sql = f"SELECT record FROM records WHERE {' AND '.join(conditions)} UNION {unread} ORDER BY record"  # noqa: S608  see `_asked`
    return sql, limits


def _asked(database: sqlite3.Connection, query: Query, name: str) -> str | None:
    """Store the patterns for a field in a table, and return the condition; None if any text will do."""
    rows, has_parts, has_wholes = [], False, False
    for pattern in query.patterns_of(name):
        parts = literals(pattern)
        if parts == [pattern] or not pattern:
            rows.append((name, pattern, True))
            has_wholes = True
        elif parts:
            rows.append((name, max(parts, key=len), False))
            has_parts = True
        else:
            return None
    database.executemany("INSERT INTO asked VALUES (?, ?, ?)", rows)
    # Only `_PLACES` is put into the text of the SQL.
    wholes = f"(SELECT text FROM asked WHERE field = '{name}' AND is_whole)"  # noqa: S608
    parts_fit = f"EXISTS (SELECT 1 FROM asked WHERE field = '{name}' AND NOT is_whole AND instr(%s, text))"  # noqa: S608

    def fits(column: str) -> list[str]:
        found = [f"{column} IN {wholes}"] if has_wholes else []
        return [*found, parts_fit % f"({column})"] if has_parts else found

    in_records, in_stories, in_decisions = _PLACES[name]
    conditions = [condition for column in in_records for condition in fits(column)]
    stories = [condition for column in in_stories for condition in fits(column)]
    if stories:
        conditions.append(f"story IN (SELECT story FROM stories WHERE {' OR '.join(stories)})")  # noqa: S608
    if in_decisions:
        conditions.append(f"story IN (SELECT story FROM decisions WHERE {' OR '.join(fits('person'))})")  # noqa: S608
    return " OR ".join(conditions)
