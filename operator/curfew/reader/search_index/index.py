"""An index of the verified records of a log: the next search verifies only new records. A folder in the cache folder.

`file.py` describes its contents. A search asks the tables which records may answer, reads them from the segments in the
index, and compares each line with the leaf hash that was verified. The index is as trustworthy as the machine that it is
on: a copy of evidence, and never evidence. If a log no longer holds the records of the index, it is refused, because
somebody has changed it.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Finding, Kind
from curfew.audit.merkle import leaf_hash
from curfew.audit.places import up_to
from curfew.audit.query import Query
from curfew.audit.segment import MAX_STORED, TRAILER_BYTES, unpack
from curfew.audit.segment_summary import SegmentSummary
from curfew.audit.witness import Witness
from curfew.ports import ObjectStore
from curfew.reader.errors import CannotRead, NotVerified
from curfew.reader.search_index.file import (
    DATABASE,
    Damaged,
    IndexFile,
    IndexUnusable,
    Named,
    State,
    is_damage,
    open_file,
)
from curfew.reader.search_index.matching import may_answer
from curfew.reader.search_index.object_names import are_still_there, digest
from curfew.reader.search_index.rows import Packed, Row
from curfew.reader.search_index.writer import IndexWriter

_LEAF = 32  # bytes of a leaf hash


def index_path(url: str, log: str, verifier: Verifier) -> Path:
    """Return the folder with the index of a log at a place, verified with a key."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curfew"
    named = json.dumps([url, log, str(verifier)])
    return folder / f"index-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


class _Place(NamedTuple):
    """The place of a segment, and its verified state."""

    first: int
    held: int  # records
    start: int
    length: int
    leaves: bytes


@contextmanager
def open_index(url: str, log: str, verifier: Verifier) -> Iterator["Index"]:
    """Open or make the index of a log, or raise `IndexUnusable`. Uncommitted additions are dropped."""
    with open_file(index_path(url, log, verifier), Named(log, url, str(verifier))) as (file, state, emptied):
        yield Index(file, state, emptied)


class Index:
    """An open index."""

    def __init__(self, file: IndexFile, state: State, emptied: str | None) -> None:
        """`emptied` is the reason why its contents were dropped."""
        self.path = file.path
        self.database = file.path / DATABASE
        self.emptied = emptied
        self._file = file
        self._state = state
        self._writer = IndexWriter(file, state)

    @property
    def records(self) -> int:
        """How many records it holds."""
        return self._state.records

    @property
    def witness(self) -> Witness | None:
        """How far the log was verified, or None if the index is empty."""
        return self._state.witness

    @property
    def not_kept(self) -> str | None:
        """Why nothing can be added to the index, as far as that is known."""
        return self._writer.trouble

    @property
    def size(self) -> int:
        """How much is kept, in bytes."""
        return self._file.size if self._state.witness is not None else 0

    async def since(
        self, store: ObjectStore, log: str, names: Sequence[str], beginning: Beginning | None
    ) -> Witness | None:
        """Return how far the log was verified, or None. Raise `NotVerified` if it no longer holds the verified records.

        `names` are the names of the log's objects now, from its stated beginning on. Raise `IndexUnusable` if the log
        begins after all records in the index.
        """
        since = self._state.witness
        if since is None:
            return None
        if beginning is not None and since.head.seq < beginning.segment:
            raise IndexUnusable(
                f"All records in the index {self.path} were removed from the log; move that folder away."
            )
        before = up_to(log, names, since.head.seq)
        last = hashlib.sha256(await store.get(since.newest)).digest() if since.newest in before else b""
        if are_still_there(self._state.object_names, before, since, beginning) and last == since.head.object_hash:
            return since
        raise NotVerified(
            Finding(
                Kind.REWRITTEN,
                f"log {log}",
                f"no longer holds the {since.head.range.size} records that were verified here before. Their index is kept "
                f"as evidence in {self.path}. To search what is there now, give --no-index, or move that folder away",
            )
        )

    # --- asking

    def find(self, query: Query) -> Iterator[tuple[int, bytes]]:
        """Yield index and line of each possible answer to a query, in the order of the log; no answer is left out.

        Raise `CannotRead` for an index that is damaged; it is emptied then.
        """
        if not self._state.records:
            return
        fields, rest = query.parts()
        has_rest, may_match = bool(rest.patterns or rest.words), rest.sieve()
        try:
            for first, leaves, content, indexes in self._found(fields):
                if has_rest and content.isascii() and not may_match(content):  # slow if it is not ASCII
                    continue
                lines = content.split(b"\n")
                for index in indexes:
                    line = _verified(index, lines[index - first], leaves[_LEAF * (index - first) :][:_LEAF])
                    if may_match(line):
                        yield index, line
        except (Damaged, ValueError, LookupError, TypeError, OverflowError, OSError, sqlite3.Error) as error:
            raise self._lost(error) from error

    def _found(self, fields: Query) -> Iterator[tuple[int, bytes, bytes, list[int]]]:
        """Yield each segment with possible answers: its first index, leaves and content, and the indexes of the answers."""
        with self._file.reading():
            self._look_again()
            found = may_answer(self._file.database, fields)
        segment = _Place(0, 0, 0, 0, b"")

        def place(index: int) -> _Place:
            nonlocal segment
            if not segment.first <= index < segment.first + segment.held:
                segment = self._place_of(index)
            return segment

        for (first, _, start, length, leaves), indexes in groupby(found, place):
            stored = os.pread(self._file.segments.fileno(), length, start)
            yield first, leaves, unpack(stored[:-TRAILER_BYTES]), list(indexes)

    def _place_of(self, index: int) -> "_Place":
        """Look up the segment that holds a record. One at a time, so that a search that writes does not have to wait."""
        look = "SELECT first, count, start, length, leaves FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1"
        for segment in map(_Place._make, self._file.database.execute(look, (index,)).fetchall()):
            if index < segment.first + segment.held and 0 <= segment.length <= MAX_STORED:
                return segment
        raise Damaged(f"no segment in it holds record {index}")

    def _look_again(self) -> None:
        """Raise `CannotRead` if another process has made the index again since it was opened."""
        if self._file.told().records < self._state.records:
            raise CannotRead(f"Another search has rebuilt the index in {self.path} at the same time. Search again.")

    def _lost(self, error: Exception) -> CannotRead:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            return CannotRead(f"The index in {self.path} cannot be read: {error}. Try again, or use --no-index.")
        what_next = f"Remove the folder {self.path}, or use --no-index."
        with suppress(IndexUnusable, OSError, sqlite3.Error):
            self._file.empty()
            what_next = "It was emptied. Search again: this reads the whole log and rebuilds the index."
        return CannotRead(f"The index in {self.path} is damaged: {error}. {what_next}")

    # --- taking in

    def add(self, summary: SegmentSummary, packed: Packed, stored: bytes) -> None:
        """Add a verified segment: its index entries, and its object. Raise `NotVerified` if it repeats a
        record in the index, which a walk that begins in the middle cannot see.
        """
        if not summary.link.count:
            return
        rows, stories = packed.unpacked()
        if self._state.records:  # otherwise the walk sees all of them
            self._refuse_repeated(summary, rows)
        self._writer.add(summary.link, rows, stories, packed.leaves, stored)

    def keep(self, log: str, names: Sequence[str], reached: Witness | None) -> None:
        """Commit all that was added: the log, whose objects have these names, verifies up to `reached`."""
        if reached is not None and reached != self._state.witness:
            self._state = self._writer.keep(reached, digest(up_to(log, names, reached.head.seq)))

    def _refuse_repeated(self, summary: SegmentSummary, rows: Sequence[Row]) -> None:
        look = "SELECT record FROM records WHERE id = ? AND record < ?"
        for record, _, id_, *_ in rows:
            try:
                earlier = self._file.database.execute(look, (id_, summary.link.first)).fetchall()
            except sqlite3.Error as error:
                raise self._lost(error) from error
            if earlier:
                why = f"holds record {record}, which repeats record {earlier[0][0]}: each thing is recorded only once"
                raise NotVerified(
                    Finding(Kind.REPEATED, f"segment {summary.link.after.seq} ({summary.link.name})", why)
                )


def _verified(index: int, line: bytes, leaf: bytes) -> bytes:
    """Return a record's line, or raise `Damaged` if it does not have the leaf hash that was verified."""
    if leaf_hash(line) != leaf:
        raise Damaged(f"record {index} is not what was verified")
    return line
