"""An index of what was verified of a log, so that the next search reads only what is new. A DuckDB file in the cache folder.

It holds each record's line, and the places that can be asked for as columns. It holds how far the log was verified, too, and
whatever is new is verified as going on from there. It is as trustworthy as the machine that it lies on: a copy of evidence,
and never evidence. A log that no longer holds what the index was made of is refused, because somebody has changed it.
"""

import asyncio
import hashlib
import json
import os
import re
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import IO, Any

import duckdb

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Finding, Kind
from curfew.audit.query import FIELDS, Query, literals
from curfew.audit.segment import MAX_BYTES
from curfew.audit.verify import place
from curfew.audit.witness import Witness
from curfew.cli.audit.stream import Link, NotVerified
from curfew.ports import ObjectStore

_VERSION = 1  # of the tables; a file of another one is made anew
_BATCH_BYTES = 32 * 1024 * 1024  # of lines that are loaded at once
_CHUNK = 100_000  # records that are asked at once, so that what is found comes in order and in little memory
_LONGEST = 2 * MAX_BYTES  # a line, in bytes
_SEPARATOR = b"\x1f"  # canonical JSON never holds it as it is

_PLACES = sorted({part for paths in FIELDS.values() for path in paths for part in path.split("/")})


class IndexUnusable(Exception):
    """The index cannot be opened: it is in use, or not one. `str(error)` says which."""


def index_path(url: str, log: str, verifier: Verifier) -> Path:
    """Return where the index of a log at a place, verified with a key, is kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curfew"
    named = json.dumps([_VERSION, url, log, str(verifier)])
    return folder / f"{hashlib.sha256(named.encode()).hexdigest()[:16]}.duckdb"


@contextmanager
def open_index(path: Path) -> Iterator["Index"]:
    """Open or make an index, or raise `IndexUnusable`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    try:
        try:
            # Text is stored compressed from this version of the file format on.
            connection.execute(f"ATTACH '{_quoted(str(path))}' AS searched (STORAGE_VERSION 'v1.2.0')")
            connection.execute("USE searched")
            connection.execute("PRAGMA force_compression = 'zstd'")
            connection.execute(_TABLES)
        except duckdb.Error as error:
            raise IndexUnusable(f"{path}: {str(error).splitlines()[0]}") from error
        yield Index(path, connection)
    finally:
        connection.close()


class Index:
    """An open index."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        """`connection` has the tables."""
        self.path = path
        self._connection = connection

    async def since(self, store: ObjectStore, log: str, names: Sequence[str]) -> Witness | None:
        """Return how far the log was verified, or None. Raise `NotVerified` where it no longer holds what it held then.

        `names` are those of the log's objects now. Raise `IndexUnusable` where that cannot be read.
        """
        row = self._connection.execute("SELECT witness, names FROM state").fetchone()
        if row is None:
            return None
        try:
            since = Witness.from_json(json.loads(row[0]))
        except ValueError as error:
            raise IndexUnusable(f"{self.path}: {error}") from error
        before = _up_to(log, names, since.head.seq)
        last = hashlib.sha256(await store.get(since.newest)).digest() if since.newest in before else b""
        if _digest(before) == row[1] and last == since.head.object_hash:
            return since
        raise NotVerified(
            Finding(
                Kind.REWRITTEN,
                f"log {log}",
                f"no longer holds the {since.head.range.size} records that were verified here before. Their index is "
                f"kept as evidence in {self.path}. To search what is there now, give --no-index, or move that file away",
            )
        )

    async def extend(self, names: Sequence[str], verifier: Verifier, links: AsyncGenerator[Link]) -> None:
        """Take in segments that were verified with a key. `names` are those of all objects now.

        What came before an exception is kept.
        """
        loading: asyncio.Future[None] | None = None
        reached: Witness | None = None
        spool = _Spool(self.path.parent)
        try:
            async with aclosing(links):
                async for link in links:
                    spool.add(link.segment.first, link.segment.lines)
                    reached = Witness.of(link.verified, verifier, key_was_given=False)
                    if spool.size >= _BATCH_BYTES and reached is not None:
                        if loading is not None:
                            await loading
                        loading = asyncio.ensure_future(asyncio.to_thread(self._load, spool, names, reached))
                        spool, reached = _Spool(self.path.parent), None
        finally:
            if loading is not None:
                await loading
            if reached is not None:
                self._load(spool, names, reached)
            spool.close()

    def find(self, query: Query) -> Iterator[tuple[int, bytes]]:
        """Yield index and line of what may answer a query, in the order of the log; never too few."""
        where, values = _where(query)
        last = self._connection.execute("SELECT max(idx) FROM records").fetchone()
        for first in range(0, (last[0] if last and last[0] is not None else -1) + 1, _CHUNK):
            chunk = f"SELECT idx, line FROM records WHERE idx BETWEEN ? AND ? AND {where} ORDER BY idx"  # noqa: S608  columns and question marks
            for index, line in self._connection.execute(chunk, [first, first + _CHUNK - 1, *values]).fetchall():
                yield index, line.encode()

    def _load(self, spool: "_Spool", names: Sequence[str], reached: Witness) -> None:
        """Take a batch in, whole or not at all."""
        connection, log = self._connection.cursor(), reached.head.log
        connection.execute("USE searched")
        connection.execute("BEGIN")
        try:
            connection.execute(_LOAD.format(file=_quoted(spool.finished())))
            _refuse_repeated(log, connection.execute(_REPEATED, [spool.first]).fetchone())
            state = [json.dumps(reached.to_json()), _digest(_up_to(log, names, reached.head.seq))]
            connection.execute("DELETE FROM state")
            connection.execute("INSERT INTO state VALUES (?, ?)", state)
            connection.execute("COMMIT")
        except BaseException:  # Ctrl-C too leaves no half of a batch
            connection.execute("ROLLBACK")
            raise
        finally:
            spool.close()
            connection.close()


def _refuse_repeated(log: str, row: tuple[int, int] | None) -> None:
    """Raise `NotVerified` for a record that was there before; a walk that begins in the middle cannot see that."""
    if row is not None:
        why = f"holds record {row[0]}, which tells of the same thing as record {row[1]}: each is recorded once"
        raise NotVerified(Finding(Kind.REPEATED, f"log {log}", why))


class _Spool:
    """Lines on their way into the index, in a file that nobody else sees."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = tempfile.NamedTemporaryFile(dir=folder, suffix=".lines")  # noqa: SIM115  closed by `close`
        self.size = 0
        self.first = 0

    def add(self, first: int, lines: Sequence[bytes]) -> None:
        """Append lines, the first of which has this index in the log."""
        if not self.size:
            self.first = first
        chunk = b"".join(b"%d%s%s\n" % (index, _SEPARATOR, line) for index, line in enumerate(lines, first))
        self._file.write(chunk)
        self.size += len(chunk)

    def finished(self) -> str:
        """Return the file's name, all lines being in it."""
        self._file.flush()
        return self._file.name

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


# --- what is asked, in SQL: never less than the query means, which has the last word on each record


def _where(query: Query) -> tuple[str, list[Any]]:
    conditions, values = ["true"], list[Any]()

    def either(parts: Sequence[tuple[str, list[Any]]]) -> None:
        conditions.append("(" + " OR ".join(part for part, _ in parts) + ")")
        values.extend(value for _, part in parts for value in part)

    for name in query.patterns:
        if name == "anything":
            either(
                [
                    _all([("contains(line, ?)", needle.decode()) for needle in needles])
                    for needles in query.needles(name)
                ]
            )
        else:
            either([_is_like(path, pattern) for pattern in query.patterns_of(name) for path in FIELDS[name]])
    if query.span.begin is not None:
        conditions.append("moment >= ?")
        values.append(int(query.span.begin.timestamp() * 1000) - 1)
    if query.span.end is not None:
        conditions.append("moment <= ?")
        values.append(int(query.span.end.timestamp() * 1000) + 1)
    return " AND ".join(conditions), values


def _is_like(path: str, pattern: str) -> tuple[str, list[Any]]:
    is_list = "[*]" in path
    column = " || '/' || ".join(_column(part) for part in path.split("/"))
    if not set("*?") & set(pattern):
        return (f"list_contains({column}, ?)" if is_list else f"{column} = ?"), [pattern]
    text = f"array_to_string({column}, chr(10))" if is_list else column
    return _all([(f"contains({text}, ?)", literal) for literal in literals(pattern)])


def _all(parts: Sequence[tuple[str, str]]) -> tuple[str, list[Any]]:
    return "(" + " AND ".join(["true", *(part for part, _ in parts)]) + ")", [value for _, value in parts]


def _column(part: str) -> str:
    return re.sub(r"\W+", "_", part)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


_LISTS = [part for part in _PLACES if "[*]" in part]
_TEXTS = [part for part in _PLACES if "[*]" not in part]

_TABLES = f"""
CREATE TABLE IF NOT EXISTS state (witness VARCHAR, names VARCHAR);
CREATE TABLE IF NOT EXISTS records (
  idx BIGINT, moment BIGINT,
  {", ".join(f"{_column(part)} VARCHAR" for part in _TEXTS)},
  {", ".join(f"{_column(part)} VARCHAR[]" for part in _LISTS)},
  line VARCHAR
)
"""

_BLOCK = "$.unmapped.curfew."
_LOAD = f"""
INSERT INTO records
SELECT idx, try_cast(texts[1] AS BIGINT),
  {", ".join(f"texts[{number}]" for number in range(2, len(_TEXTS) + 2))},
  {", ".join(f"json_extract_string(line, '{_BLOCK}{part}')" for part in _LISTS)},
  line
FROM (
  SELECT idx, line, json_extract_string(line, {["$.time", *(_BLOCK + part for part in _TEXTS)]}) AS texts
  FROM read_csv(
    '{{file}}', columns = {{{{'idx': 'BIGINT', 'line': 'VARCHAR'}}}}, delim = '{_SEPARATOR.decode()}',
    header = false, quote = '', escape = '', parallel = false, auto_detect = false, max_line_size = {_LONGEST}
  )
)
"""  # noqa: S608  names of columns and places, and the file's name, which is quoted

_REPEATED = """
SELECT new.idx, old.idx FROM records AS new JOIN records AS old USING (id)
WHERE new.idx >= ? AND old.idx < new.idx ORDER BY new.idx LIMIT 1
"""


def _up_to(log: str, names: Sequence[str], seq: int) -> list[str]:
    return [name for name in names if 0 <= place(log, name) <= seq]


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
