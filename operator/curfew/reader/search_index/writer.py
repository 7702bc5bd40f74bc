"""Adds to an index: everything that one search has verified is added in one transaction, or nothing is."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress

import orjson

from curfew.audit.segment import Link
from curfew.audit.witness import Witness
from curfew.reader.search_index.file import INDEXES, TABLES, VERSION, Damaged, IndexFile, State
from curfew.reader.search_index.rows import Row, story_of

_TOGETHER = 2000  # rows that are written at once
_KNOWN = 16_384  # stories that are remembered, so that they are written once; writing one twice does no harm


class _NotNow(Exception):
    """The search can add nothing to the index. `str(error)` is the reason."""


class IndexWriter:
    """Adds segments to an index.

    If that fails, `trouble` is the reason from then on, and nothing more is added. The search does not fail: its result
    is verified and complete without an index.
    """

    def __init__(self, file: IndexFile, state: State) -> None:
        """Nothing is locked or written before there is something to add."""
        self.trouble: str | None = None
        self._file = file
        self._state = state
        self._is_begun = False
        self._bytes = state.segment_bytes
        self._count = state.records
        self._next_story = 0
        self._known: dict[bytes, int] = {}  # the numbers of stories, by their texts
        self._segments: list[tuple[int, int, str, int, int, bytes]] = []
        self._records: list[Row] = []
        self._stories: list[tuple[object, ...]] = []
        self._decisions: list[tuple[int, str]] = []

    def add(self, link: Link, rows: Sequence[Row], stories: Sequence[bytes], leaves: bytes, stored: bytes) -> None:
        """Add a segment: its place, the rows, stories and leaf hashes of its records, and its object."""

        def add() -> None:
            self._file.segments.write(stored)
            self._segments.append((link.first, link.count, link.name, self._bytes, len(stored), leaves))
            self._bytes += len(stored)
            self._count += len(rows)
            for row, story in zip(rows, stories, strict=True):
                row.append(self._known.get(story) or self._new(story))
            self._records += rows
            if len(self._records) >= _TOGETHER:
                self._write()

        self._try(add)

    def keep(self, reached: Witness, object_names: str) -> State:
        """Commit all that was added, and return the state of the index after it."""
        state = State(reached, object_names, self._count, self._bytes)

        def keep() -> None:
            self._write()
            # Before the commit, so that no row ever names a segment that a power cut removed.
            self._file.segments.flush()
            os.fsync(self._file.segments.fileno())
            self._commit(state)

        self._try(keep)
        return state if self.trouble is None else self._state

    def _try(self, act: Callable[[], None]) -> None:
        if self.trouble is not None:
            return
        try:
            if not self._is_begun:
                self._begin()
            act()
        except (OSError, Damaged, _NotNow, sqlite3.Error) as error:
            self.trouble = str(error)
            self._records, self._stories, self._decisions, self._segments = [], [], [], []
            with suppress(sqlite3.Error):  # some errors have already rolled back
                self._file.database.execute("ROLLBACK")

    def _begin(self) -> None:
        database = self._file.database
        if not self._file.segments.writable():
            raise _NotNow("it is read-only")
        if not self._file.lock():
            raise _NotNow("another search is adding to it")
        database.execute("BEGIN IMMEDIATE")
        if self._file.told() != self._state:
            raise _NotNow("another search has added to it meanwhile")
        if self._state.witness is None:
            for statement in TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {VERSION}")
        (last,) = database.execute("SELECT max(story) FROM stories").fetchone()
        self._next_story = (last or 0) + 1
        self._file.segments.seek(self._file.segments.truncate(self._state.segment_bytes))
        self._is_begun = True

    def _new(self, packed: bytes) -> int | None:
        """Add a new story and return its number; None for a record that cannot be read."""
        if not packed:
            return None
        if len(self._known) >= _KNOWN:
            self._known.clear()
        number = self._known[packed] = self._next_story
        self._next_story += 1
        texts, people = story_of(packed)
        self._stories.append((number, *texts))
        self._decisions += [(number, person) for person in people]
        return number

    def _write(self) -> None:
        write = self._file.database.executemany
        write("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)", self._segments)
        write("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._records)
        write("INSERT INTO stories VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._stories)
        write("INSERT INTO decisions VALUES (?, ?)", self._decisions)
        self._records, self._stories, self._decisions, self._segments = [], [], [], []

    def _commit(self, state: State) -> None:
        database, named, reached = self._file.database, self._file.named, state.witness
        if self._state.witness is None:
            for statement in INDEXES.split(";"):
                database.execute(statement)
        database.execute("DELETE FROM about")
        told = orjson.dumps(reached.to_json()).decode() if reached is not None else None
        note = reached.note if reached is not None else None
        about = (
            named.log,
            named.location,
            named.key,
            state.records,
            state.segment_bytes,
            note,
            told,
            state.object_names,
        )
        database.execute("INSERT INTO about VALUES (?, ?, ?, ?, ?, ?, ?, ?)", about)
        database.execute("COMMIT")
