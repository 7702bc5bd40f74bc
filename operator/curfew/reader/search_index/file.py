"""The SQLite file of an index, and the file of segments beside it: their contents, opening them, and making them again.

    index.sqlite   the tables below; docs/auditing.md describes them for people who open it themselves
    segments.zst   the verified segments as they are stored, one after the other

Only a process that holds the lock of `segments.zst` writes to either. All that one search adds is one transaction: until it
is committed, the bytes that were appended to the segments do not count, and the next process that writes removes them.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from curfew.audit.witness import Witness

DATABASE, SEGMENTS = "index.sqlite", "segments.zst"

VERSION = 7
"""The version of the tables and of their contents. An index of another version is made again."""

TABLES = """
CREATE TABLE about (
    log TEXT, location TEXT, key TEXT,
    records INTEGER, segment_bytes INTEGER, checkpoint TEXT, witness TEXT, object_names TEXT
);
CREATE TABLE segments (first INTEGER PRIMARY KEY, count INTEGER, name TEXT, start INTEGER, length INTEGER, leaves BLOB);
CREATE TABLE records (
    record INTEGER PRIMARY KEY, time INTEGER, id TEXT, event TEXT, code TEXT, actor TEXT,
    verb TEXT, resource TEXT, subresource TEXT, object TEXT, story INTEGER
);
CREATE TABLE stories (story INTEGER PRIMARY KEY,
    subject TEXT, namespace TEXT, request TEXT, requester TEXT, submitted_by TEXT, ticket TEXT,
    policy TEXT, role_kind TEXT, role TEXT, detail_namespace TEXT, detail_user TEXT
);
CREATE TABLE decisions (story INTEGER, person TEXT);
CREATE VIEW log AS
    SELECT record, strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS at, event, actor,
        verb, resource, subresource, object, detail_user AS user,
        subject, coalesce(namespace, detail_namespace) AS namespace, request, requester, submitted_by, ticket, policy,
        role_kind, role,
        (SELECT group_concat(person, ', ') FROM decisions WHERE decisions.story = records.story) AS decided_by
    FROM records LEFT JOIN stories USING (story);
"""

INDEXES = """
CREATE INDEX records_by_id ON records (id);
CREATE INDEX records_by_story ON records (story);
CREATE INDEX records_by_actor ON records (actor);
CREATE INDEX unread_records ON records (record) WHERE event IS NULL;
CREATE INDEX decisions_by_story ON decisions (story);
"""
"""Made after the rows: sorting all at once takes a third of the time."""

_WAIT = 5.0  # seconds to wait for another process that is committing
_CACHE = 16 * 1024  # KiB of pages in memory
_PAGE = 16 * 1024  # bytes; larger than usual, because nearly all is written in order


class IndexUnusable(Exception):
    """The index cannot be opened. `str(error)` is the reason."""


class Damaged(Exception):
    """The index is not as it was written. `str(error)` completes "the index is damaged: ..."."""


@dataclass(frozen=True, slots=True)
class Named:
    """The log, store and key that an index is for."""

    log: str
    location: str  # the store's address
    key: str  # the key that the log was verified with


@dataclass(frozen=True, slots=True)
class State:
    """How far a log was verified, and the data that belong to it."""

    witness: Witness | None = None
    object_names: str = ""  # for each partition, a hash of the names of the log's objects up to there
    records: int = 0
    segment_bytes: int = 0


class IndexFile:
    """An open index: the database, and the segments."""

    def __init__(self, path: Path, named: Named) -> None:
        """Open both, and make them if they are missing. Raise `OSError`, `sqlite3.Error`."""
        self.path = path
        self.named = named
        self.segments = _opened(path / SEGMENTS)
        try:
            self.database = _connected(path / DATABASE)
        except BaseException:  # also for Ctrl-C
            self.segments.close()
            raise

    def close(self) -> None:
        """Close both. What was not committed is dropped, so a full disk does not matter."""
        with suppress(sqlite3.Error):
            self.database.close()
        with suppress(OSError):
            self.segments.close()

    @property
    def size(self) -> int:
        """How large both are, in bytes."""
        return sum((self.path / name).stat().st_size for name in (DATABASE, SEGMENTS))

    def state(self) -> State:
        """Return how far the log was verified. Raise `Damaged`, also for an index of something else; `sqlite3.Error`.

        It checks that each record has its row, but not the contents of a row.
        """
        self.database.execute(f"PRAGMA cache_size = -{_CACHE}")
        with self.reading():
            made = _schema(self.database)
            if not made:
                return State()
            version = self.database.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION or made != _SCHEMA:
                raise Damaged(f"it has format version {version}, and this version of Curfew uses {VERSION}")
            state = self.told()
            (count,) = self.database.execute("SELECT count(*) FROM records").fetchone()
            (last,) = self.database.execute("SELECT max(record) FROM records").fetchone()
        size = state.witness.head.range.size if state.witness is not None else 0
        if count != state.records or (count and last != size - 1):
            raise Damaged(f"{count:,} of {state.records:,} records have rows in it, the last of them record {last}")
        if os.fstat(self.segments.fileno()).st_size < state.segment_bytes:
            raise Damaged("segments are missing in it")
        return state

    def told(self) -> State:
        """Return the state that the file claims, without checking it. Raise as `state` does."""
        if not _schema(self.database):
            return State()
        rows = self.database.execute("SELECT * FROM about LIMIT 2").fetchall()
        if len(rows) != 1:
            raise Damaged("it does not state its log")
        log, location, key, records, segment_bytes, _, witness, object_names = rows[0]
        if (log, location, key) != (self.named.log, self.named.location, self.named.key):
            raise Damaged(f"it is of log {log} at {location}")
        try:
            return State(Witness.from_json(orjson.loads(witness)), object_names, records, segment_bytes)
        except ValueError as error:
            raise Damaged(f"it does not state how far it goes: {error}") from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Make everything that is read within the block be from one moment."""
        self.database.execute("BEGIN")
        try:
            yield
        finally:
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")

    def lock(self) -> bool:
        """Make this process the only writer until it closes the index. Return whether that was possible."""
        try:
            fcntl.flock(self.segments, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def empty(self) -> None:
        """Make the index empty, whatever it holds. Raise `IndexUnusable` if another process writes to it; `OSError`."""
        if not self.lock():
            raise IndexUnusable(f"{self.path} is in use by another search")
        self.database.close()
        # The old journal must never be used for the new file.
        (self.path / f"{DATABASE}-journal").unlink(missing_ok=True)
        os.truncate(self.path / DATABASE, 0)
        self.segments.truncate(0)
        self.database = _connected(self.path / DATABASE)


@contextmanager
def open_file(path: Path, named: Named) -> Iterator[tuple[IndexFile, State, str | None]]:
    """Open or make an index in a folder, or raise `IndexUnusable`. Yield it, its state, and why it was emptied."""
    with ExitStack() as stack:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # only the last folder gets this mode
            path.mkdir(mode=0o700, exist_ok=True)
            file = IndexFile(path, named)
            stack.callback(file.close)
            try:
                state, emptied = file.state(), None
            except (Damaged, sqlite3.DatabaseError) as error:
                if not is_damage(error):
                    raise
                file.empty()
                state, emptied = file.state(), str(error)
        except (OSError, sqlite3.Error) as error:
            raise IndexUnusable(f"{path}: {error}") from error
        yield file, state, emptied


def is_damage(error: Exception) -> bool:
    """Whether an error means that the index is damaged, and not only that it cannot be read at the moment."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return isinstance(error, Damaged) or code & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,
    )


def _opened(path: Path) -> IO[bytes]:
    """Open a file to append to; private if it is new; read-only if it cannot be written."""
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError:
        if not path.exists():
            raise
        return path.open("rb")


def _connected(path: Path) -> sqlite3.Connection:
    with _opened(path):  # so that it is private; closed before SQLite opens it, because closing releases all locks
        pass
    uri = f"{path.absolute().as_uri()}?mode=rw"  # which opens it read-only if it cannot be written
    database = sqlite3.connect(uri, uri=True, timeout=_WAIT, isolation_level=None)
    for setting in ("trusted_schema = OFF", "cell_size_check = ON", f"page_size = {_PAGE}"):
        database.execute(f"PRAGMA {setting}")
    return database


def _schema(database: sqlite3.Connection) -> list[tuple[str, str]]:
    return database.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _made() -> list[tuple[str, str]]:
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(TABLES + INDEXES)
        return _schema(database)
    finally:
        database.close()


_SCHEMA = _made()
