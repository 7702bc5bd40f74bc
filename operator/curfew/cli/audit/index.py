"""An index of what was verified of a log, so that the next search verifies only what is new. A folder in the cache folder.

    rows        for each segment a line that says where it is, and then its rows; see `rows.py`
    segments    the segments as they are stored, one after the other
    ids         the ids of all records, `ID_BYTES` each
    state.json  how far the log was verified, and how much of these files belongs to that

Searching is to look for what is asked for in the rows, as `grep` would, and to unpack what was found. The index is as
trustworthy as the machine that it lies on: a copy of evidence, and never evidence. A log that no longer holds what the
index was made of is refused, because somebody has changed it.
"""

import fcntl
import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from zstandard import ZstdDecompressor, ZstdError

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Finding, Kind
from curfew.audit.gist import ID_BYTES
from curfew.audit.query import Query
from curfew.audit.verify import up_to
from curfew.audit.witness import Witness
from curfew.cli.audit.reading import CannotRead
from curfew.cli.audit.rows import Place, blocks, blocks_with, index_of, placed
from curfew.cli.audit.sifting import Sifted
from curfew.cli.audit.stream import NotVerified
from curfew.ports import ObjectStore

_VERSION = 3  # of the files; an index of another one is left alone, and a new one made beside it
_FILES = ("rows", "segments", "ids")
_STATE = "state.json"


class IndexUnusable(Exception):
    """The index cannot be opened: it is in use, or not one. `str(error)` says which."""


def index_path(url: str, log: str, verifier: Verifier) -> Path:
    """Return the folder in which the index of a log at a place, verified with a key, is kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curfew"
    named = json.dumps([_VERSION, url, log, str(verifier)])
    return folder / f"index-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


@contextmanager
def open_index(path: Path) -> Iterator["Index"]:
    """Open or make an index, or raise `IndexUnusable`. What was added and not kept is forgotten."""
    with ExitStack() as stack:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the mode is that of the last one made
            path.mkdir(mode=0o700, exist_ok=True)
            files = [(path / name).open("a+b") for name in _FILES]
            for file in files:
                stack.callback(_close, file)
            fcntl.flock(files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            state = _State.read(path / _STATE)
            for file, size in zip(files, state.sizes, strict=True):
                file.seek(file.truncate(size))  # where an earlier search did not come to its end, there is more
        except BlockingIOError as error:
            raise IndexUnusable(f"{path} is in use by another search") from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise IndexUnusable(f"{path}: {error}") from error
        yield Index(path, state, *files)


@dataclass(frozen=True, slots=True)
class _State:
    """How far a log was verified, and what belongs to that."""

    witness: Witness | None = None
    names: str = ""  # a hash of the names of the log's objects up to there
    sizes: Sequence[int] = (0, 0, 0)  # of the files, in bytes

    @classmethod
    def read(cls, file: Path) -> "_State":
        """Read it; raise what all there can be where it is none."""
        if not file.exists():
            return cls()
        told = json.loads(file.read_bytes())
        return cls(Witness.from_json(told["witness"]), told["names"], [int(told[name]) for name in _FILES])

    def write(self, file: Path) -> None:
        """Put it in the place of an earlier one."""
        told = {"names": self.names, **dict(zip(_FILES, self.sizes, strict=True))}
        told |= {"witness": self.witness.to_json() if self.witness is not None else None}
        new = file.with_suffix(".new")
        with new.open("w") as writing:
            json.dump(told, writing)
            _flush(writing)
        new.replace(file)


class Index:
    """An open index."""

    def __init__(self, path: Path, state: _State, rows: IO[bytes], segments: IO[bytes], ids: IO[bytes]) -> None:
        """Each file is at its end."""
        self.path = path
        self._state = state
        self._rows = rows
        self._segments = segments
        self._ids = ids

    @property
    def size(self) -> int:
        """How much is kept, in bytes."""
        return sum(self._state.sizes)

    async def since(self, store: ObjectStore, log: str, names: Sequence[str]) -> Witness | None:
        """Return how far the log was verified, or None. Raise `NotVerified` where it no longer holds what it held then.

        `names` are those of the log's objects now.
        """
        since = self._state.witness
        if since is None:
            return None
        before = up_to(log, names, since.head.seq)
        last = hashlib.sha256(await store.get(since.newest)).digest() if since.newest in before else b""
        if _digest(before) == self._state.names and last == since.head.object_hash:
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
        """Yield index and line of what may answer a query, in the order of the log; never too few."""
        if not self._state.sizes[0]:
            return
        fields, rest = query.parts()
        row_may_match, may_match = fields.sieve(), rest.sieve()
        has_rest = bool(rest.patterns or rest.words)
        with mmap.mmap(self._rows.fileno(), 0, access=mmap.ACCESS_READ) as rows:
            found = blocks_with(rows, needle) if (needle := _needle(fields)) is not None else blocks(rows)
            try:
                for place, some in found:
                    may_have = row_may_match(some) and place.may_have(query.span)
                    indexes = [index_of(row) for row in some.splitlines() if row_may_match(row)] if may_have else []
                    if not indexes:
                        continue
                    lines = self._unpacked(place, indexes[-1])
                    if has_rest and lines.isascii() and not may_match(lines):  # which takes long where it is not
                        continue
                    for index in indexes:
                        if may_match(line := place.line(index, lines)):
                            yield index, line
            except (ValueError, LookupError, TypeError, ZstdError) as error:
                raise CannotRead(f"The index in {self.path} is damaged; remove that folder. {error}") from error

    def _unpacked(self, place: Place, index: int) -> bytes:
        """Return what a segment holds up to a record; no more of it, because that is what takes longest."""
        stored = os.pread(self._segments.fileno(), place.length, place.start)
        return ZstdDecompressor().stream_reader(stored).read(place.end_of(index))

    # --- taking in

    def add(self, sifted: Sifted, stored: bytes) -> None:
        """Take in a segment that was verified, and its object."""
        if not sifted.gist.link.count:
            return
        with self._writing():
            self._rows.write(placed(sifted.rows, self._segments.tell()))
            self._segments.write(stored)
            self._ids.write(sifted.gist.ids)

    def keep(self, log: str, names: Sequence[str], reached: Witness | None) -> None:
        """Keep all that was added: the log, whose objects have these names, verifies up to there.

        Raise `NotVerified` where it repeats what it held before, which a walk that begins in the middle cannot see.
        """
        if reached is None or reached == self._state.witness:
            return
        files = (self._rows, self._segments, self._ids)
        with self._writing():
            # A segment that a power cut takes away is missed when it is read; a row or an id never would be.
            _flush(self._rows)
            _flush(self._ids)
            self._segments.flush()
        self._refuse_repeated(log)
        self._state = _State(reached, _digest(up_to(log, names, reached.head.seq)), [file.tell() for file in files])
        with self._writing():
            self._state.write(self.path / _STATE)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise `CannotRead` where the disk takes no more: without the ids that are new, repeats would not be seen."""
        try:
            yield
        except OSError as error:
            raise CannotRead(
                f"The index in {self.path} cannot be written: {error.strerror}. Make room for it, or give --no-index."
            ) from error

    def _refuse_repeated(self, log: str) -> None:
        before, now = self._state.sizes[2], self._ids.tell()
        if not before or before == now:
            return
        with mmap.mmap(self._ids.fileno(), 0, access=mmap.ACCESS_READ) as ids:
            new = {ids[start : start + ID_BYTES]: start for start in range(before, now, ID_BYTES)}
            for start in range(0, before, ID_BYTES):
                if (again := new.get(ids[start : start + ID_BYTES])) is not None:
                    earlier, index = start // ID_BYTES, again // ID_BYTES
                    why = f"holds record {index}, which tells of the same thing as record {earlier}: each is recorded once"
                    raise NotVerified(Finding(Kind.REPEATED, f"log {log}", why))


def _needle(query: Query) -> bytes | None:
    """Return the longest text that a row must hold for a query to be answered by it, or None where there is none."""
    fields = (query.needles(name) for name in query.patterns if name != "anything")
    needles = [needle for alternatives in fields if len(alternatives) == 1 for needle in alternatives[0]]
    return max(needles, key=len, default=None)


def _close(file: IO[bytes]) -> None:
    """Close a file; what is not kept by then does not matter, not even that it finds no room."""
    with suppress(OSError):
        file.close()


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
