"""The index of a searched log: it answers as the log would, reads only what is new, and is not fooled by a log that changed."""

import contextlib
import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curfew.audit.canonical import canonical
from curfew.audit.query import FIELDS, Query, answers
from curfew.audit.timespan import Span
from curfew.cli import main
from curfew.cli.audit import finding
from curfew.reader.errors import CannotRead
from curfew.reader.parallel_search import sifted_records
from curfew.reader.search_index.index import index_path, open_index
from curfew.reader.search_index.matching import _PLACES
from curfew.reader.stream import read_record
from tests.support.logs import ALog, a_log, a_record, a_signer, alter
from tests.support.scale import times
from tests.support.stores import MemoryStore
from tests.support.watching import records_of, the_activity
from tests.vectors.make_vectors import the_log

PAGE = (Path(__file__).parents[3] / "docs" / "auditing.md").read_text()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache folder that is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "curfew"


@pytest.fixture
def log() -> ALog:
    """Return a log of six records in four segments."""
    return a_log(1, 2, 0, 3)


class CountingStore(MemoryStore):
    """A store that remembers what was read."""

    def __init__(self, log: ALog) -> None:
        """Hold a log."""
        super().__init__(log.objects)
        self.read: list[str] = []

    async def get(self, name: str) -> bytes:
        """Return an object."""
        self.read.append(name)
        return await super().get(name)


async def found(
    log: ALog, query: Query | None = None, store: MemoryStore | None = None, *, has_index: bool = True
) -> list[int]:
    """Return the indexes of what is found."""
    source = finding.SearchedLog(store or MemoryStore(log.objects), "main", log.verifier, {}, has_index)
    async with aclosing(finding.find(source, query or Query())) as records:
        return [record.index async for record in records]


def audit(*arguments: object) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")


async def test_a_second_search_reads_only_the_last_segment_and_what_is_new(log: ALog) -> None:
    store = CountingStore(log)
    assert await found(log, store=store) == [0, 1, 2, 3, 4, 5]
    assert store.read == log.names

    store.read.clear()
    assert await found(log, store=store) == [0, 1, 2, 3, 4, 5]
    assert store.read == [log.names[3]] * 2

    store.read.clear()
    new = [log.append(), log.append([a_record(8), a_record(9)])]
    assert await found(log, store=store) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert store.read == [log.names[3], log.names[3], *new]


async def test_a_log_without_records_has_an_index_too(log: ALog) -> None:
    empty = ALog()
    empty.append()

    assert await found(empty) == []
    empty.append([a_record(1)])
    assert await found(empty) == [0]


async def test_lines_that_this_version_cannot_read_move_nothing(log: ALog) -> None:
    """A later version may have written them, before, between and after what this one can read."""
    unread = [canonical({"of": "a later version", "number": number}) for number in range(4)]
    log.append_lines([unread[0], a_record(8).line(), unread[1], unread[2], a_record(9).line(), unread[3]])

    for _ in ("making it", "asking it"):
        assert await found(log, Query({"id": (a_record(9).id,)})) == [10]
    assert await found(log) == [0, 1, 2, 3, 4, 5, 7, 10]


def test_the_index_is_private_and_of_one_place_log_and_key(log: ALog, tmp_path: Path, cache: Path) -> None:
    assert audit("search", log.lay(tmp_path / "trail"), "--key", log.verifier).exit_code == 0

    assert cache.stat().st_mode & 0o777 == 0o700
    (kept,) = cache.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in kept.iterdir()} == {
        "index.sqlite": 0o600,
        "segments.zst": 0o600,
    }
    others = {
        index_path("file:///a", "main", log.verifier),
        index_path("file:///b", "main", log.verifier),
        index_path("file:///a", "other", log.verifier),
        index_path("file:///a", "main", a_signer(seed=2).verifier),
    }
    assert len(others) == 4


def lose_the_end(log: ALog) -> None:
    """Remove the last segment."""
    del log.objects[log.names[3]]


def lose_one(log: ALog) -> None:
    """Remove a segment in the middle."""
    del log.objects[log.names[1]]


def put_another_end(log: ALog) -> None:
    """Sign another last segment, under the same name."""
    name = log.names[3]
    del log.objects[name], log.heads[4:]
    log.append([a_record(7)])
    assert log.names[3] == name


def put_another_log(log: ALog) -> None:
    """Sign another log from the beginning."""
    log.objects.clear()
    log.objects |= a_log(2, 1, 3, 1, 5).objects


@pytest.mark.parametrize("change", [lose_the_end, lose_one, put_another_end, put_another_log])
def test_a_log_that_no_longer_holds_what_was_verified_is_refused_loudly_and_the_index_kept(
    log: ALog, tmp_path: Path, cache: Path, change: Callable[[ALog], None]
) -> None:
    """Even one that verifies by itself: cut off at its end, or signed anew by whoever has the key."""
    folder = log.lay(tmp_path / "trail")
    assert audit("search", folder).exit_code == 0
    for name in log.names:
        (folder / name).unlink()
    change(log)
    log.lay(folder)

    result = audit("search", folder)

    assert result.exit_code == 1
    assert result.stdout == ""
    (kept,) = cache.iterdir()
    assert (
        "Log main no longer holds the 6 records that were verified here before. Their index is kept as evidence in "
        f"{kept}. To search what is there now, give --no-index, or move that folder away."
    ) in result.stderr
    assert (audit("search", folder, "--no-index").exit_code == 0) == (change is not lose_one)
    shutil.rmtree(kept)
    assert (audit("search", folder).exit_code == 0) == (change is not lose_one)


def test_nothing_is_kept_of_a_log_that_does_not_verify_to_its_end(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    (folder / log.names[3]).write_bytes(log.objects[log.names[3]][:-1])

    for _ in range(2):
        result = audit("search", folder, "-o", "csv")
        assert result.exit_code == 1
        assert len(result.stdout.splitlines()) == 4
        assert f"Segment 3 ({log.names[3]}) does not end with a signature" in result.stderr
        assert is_empty(cache)

    log.lay(folder)
    assert len(audit("search", folder, "-o", "csv").stdout.splitlines()) == 7


def test_what_is_recorded_again_after_the_index_was_made_is_found(log: ALog, tmp_path: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    log.append([a_record(9), a_record(2)])
    log.lay(folder)

    result = audit("search", folder)

    assert result.exit_code == 1
    assert "holds record 7, which repeats record 2" in result.stderr
    assert result.stdout.count("\n") == 7  # what comes before it
    assert audit("search", folder).exit_code == 1


@pytest.mark.parametrize("known", ["the old key", "the new key"])
async def test_the_key_may_be_handed_over_before_or_after_the_index_was_made(log: ALog, known: str) -> None:
    old, new = log.signer, a_signer(seed=2)
    verifier = old.verifier if known == "the old key" else new.verifier
    source = finding.SearchedLog(MemoryStore(log.objects), "main", verifier, {}, has_index=True)
    for signer in (new, a_signer(seed=3)):
        log.hand_over(signer)
        log.append([a_record(10 + signer.verifier.key_hash[0])])
        async with aclosing(finding.find(source, Query())) as records:
            assert [record.index async for record in records] == list(range(log.head.range.size))


def sql(file: Path, statement: str) -> list[Any]:
    """Run a statement in a database, as people may from outside."""
    database = sqlite3.connect(file)
    with contextlib.closing(database), database:
        return database.execute(statement).fetchall()


def is_empty(cache: Path) -> bool:
    """Whether no index holds a table."""
    return not any(sql(file, "SELECT * FROM sqlite_schema") for file in cache.rglob("index.sqlite"))


def overwrite(file: Path, content: bytes = b"rubbish" * 1000) -> None:
    """Put something else into a file."""
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "rubbish": lambda kept: overwrite(kept / "index.sqlite"),
    "cut off": lambda kept: os.truncate(kept / "index.sqlite", 40_000),
    "segments cut off": lambda kept: overwrite(kept / "segments.zst", b""),
    "another version": lambda kept: sql(kept / "index.sqlite", "PRAGMA user_version = 3"),
    "another table": lambda kept: sql(kept / "index.sqlite", "CREATE TABLE more (x)"),
    "a table less": lambda kept: sql(kept / "index.sqlite", "DROP TABLE decisions"),
    "another log": lambda kept: sql(kept / "index.sqlite", "UPDATE about SET location = 'file:///elsewhere'"),
    "another witness": lambda kept: sql(
        kept / "index.sqlite", "UPDATE about SET witness = replace(witness, 'v1', 'v2')"
    ),
    "no witness": lambda kept: sql(kept / "index.sqlite", "DELETE FROM about"),
    "a record less": lambda kept: sql(kept / "index.sqlite", "DELETE FROM records WHERE record = 2"),
    "a record too many": lambda kept: sql(kept / "index.sqlite", "INSERT INTO records (record) VALUES (6)"),
    "a record exchanged": lambda kept: sql(kept / "index.sqlite", "UPDATE records SET record = 7 WHERE record = 5"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_that_is_damaged_or_of_something_else_is_made_again(
    log: ALog, tmp_path: Path, cache: Path, damage: str
) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    (kept,) = cache.iterdir()
    DAMAGES[damage](kept)

    result = audit("search", folder, "-o", "csv")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 7
    assert f"Note: The index in {kept} is being rebuilt: " in result.stderr
    again = audit("search", folder, "-o", "csv")
    assert (again.stdout, "Note: The index" in again.stderr) == (result.stdout, False)


def test_an_index_that_cannot_be_opened_is_not_needed(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    cache.parent.mkdir()
    cache.write_text("not a folder")

    result = audit("search", folder)

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 7
    assert "Note: the index cannot be used, so the whole log is read." in result.stderr
    assert audit("index", folder).exit_code == 3


def test_two_searches_at_once_find_the_same_and_one_of_them_keeps_it(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")

    with open_index(f"file://{folder}", "main", log.verifier) as other:
        assert other._file.lock()
        result = audit("search", folder, "-o", "csv")
        assert audit("index", folder).exit_code == 3

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 7
    assert "cannot be written: another search is adding to it. The result is complete" in result.stderr
    assert is_empty(cache)


async def test_what_another_search_has_added_meanwhile_is_not_added_twice(log: ALog) -> None:
    store = MemoryStore(log.objects)
    await found(log, store=store)
    log.append([a_record(9)])
    store = MemoryStore(log.objects)

    with open_index(store.url, "main", log.verifier) as late:
        since = await late.since(store, "main", log.names, None)
        assert await found(log, store=store) == list(range(7))
        async with aclosing(sifted_records(store, "main", log.names, log.verifier, Query(), late, since)) as records:
            assert [index async for index, _ in records] == [6]
        assert late.not_kept == "another search has added to it meanwhile"

    assert await found(log, store=store) == list(range(7))


async def test_an_index_that_another_search_makes_again_hides_nothing(log: ALog) -> None:
    store = MemoryStore(log.objects)
    await found(log, store=store)

    with (
        open_index(store.url, "main", log.verifier) as one,
        open_index(store.url, "main", log.verifier) as other,
    ):
        other._file.empty()
        with pytest.raises(
            CannotRead, match=r"Another search has rebuilt the index in .* at the same time\. Search again\."
        ):
            list(one.find(Query()))


def test_a_record_that_the_tables_say_otherwise_is_shown_as_it_is_in_the_log(
    log: ALog, tmp_path: Path, cache: Path
) -> None:
    """The tables only say where to look: what is shown, and whether it answers, comes from what was verified."""
    folder = log.lay(tmp_path / "trail")
    shown = audit("search", folder, "-o", "csv").stdout
    (kept,) = cache.iterdir()
    sql(kept / "index.sqlite", "UPDATE records SET actor = 'mallory', event = 'request.created', time = 0")

    assert audit("search", folder, "-o", "csv").stdout == shown
    assert "No matching records" in audit("search", folder, "--person", "mallory").stdout


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segments SET leaves = zeroblob(length(leaves))",
        "UPDATE segments SET leaves = NULL",
        "UPDATE segments SET start = start + 1",
        "UPDATE segments SET start = -1",
        "UPDATE segments SET length = 1000000000000",
        "UPDATE segments SET length = 'long'",
        "UPDATE segments SET count = 0",
        "UPDATE segments SET first = first + 100",
        "UPDATE segments SET first = 0 WHERE first = 1; ",
        "DELETE FROM segments",
    ],
)
def test_a_segment_that_is_not_where_the_index_has_it_is_noticed(
    log: ALog, tmp_path: Path, cache: Path, statement: str
) -> None:
    folder = log.lay(tmp_path / "trail")
    shown = audit("search", folder, "-o", "csv").stdout
    (kept,) = cache.iterdir()
    if "first = 0" in statement:
        sql(kept / "index.sqlite", "DELETE FROM segments WHERE first = 0")
    sql(kept / "index.sqlite", statement)

    result = audit("search", folder, "-o", "csv")

    assert result.exit_code == 3
    assert shown.startswith(result.stdout)
    assert f"The index in {kept} is damaged: " in result.stderr
    assert "It was emptied. Search again" in result.stderr
    assert audit("search", folder, "-o", "csv").stdout == shown


def test_a_disk_that_returns_other_bytes_is_not_believed(log: ALog, tmp_path: Path, cache: Path) -> None:
    """Whichever byte of the segments it is: what is shown is what was verified, or nothing."""
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    verified = audit("search", folder, "-o", "jsonl").stdout.splitlines()
    (kept,) = cache.iterdir()
    segments, database = kept / "segments.zst", kept / "index.sqlite"
    good, tables, refused = segments.read_bytes(), database.read_bytes(), 0

    for position in range(0, len(good), 16):
        database.write_bytes(tables)
        segments.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        result = audit("search", folder, "-o", "jsonl")
        refused += result.exit_code
        assert (result.stdout.splitlines() == verified) == (result.exit_code == 0)
        assert verified[: len(result.stdout.splitlines())] == result.stdout.splitlines()

    assert refused


def test_a_database_with_other_bytes_never_makes_something_up(log: ALog, tmp_path: Path, cache: Path) -> None:
    """Bytes all over it, changed: no crash, and nothing that the log does not hold."""
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    verified = audit("search", folder, "-o", "jsonl").stdout.splitlines()
    database = next(cache.rglob("index.sqlite"))
    segments = next(cache.rglob("segments.zst"))
    good, stored = database.read_bytes(), segments.read_bytes()

    for position in [place for place, byte in enumerate(good) if byte][::211]:
        database.write_bytes(good[:position] + bytes([good[position] ^ 0x41]) + good[position + 1 :])
        segments.write_bytes(stored)
        result = audit("search", folder, "-o", "jsonl")
        assert result.exit_code in (0, 1, 3), result.output
        assert set(result.stdout.splitlines()) <= set(verified)
        if result.exit_code == 0:
            assert result.stdout.splitlines() == verified


def test_what_a_search_did_not_bring_to_its_end_is_forgotten(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    segments = next(cache.rglob("segments.zst"))
    with segments.open("ab") as file:
        file.write(b"half of something")
    log.append([a_record(9)])
    log.lay(folder)

    assert len(audit("search", folder, "-o", "csv").stdout.splitlines()) == 8
    assert b"half of something" not in segments.read_bytes()
    assert len(audit("search", folder, "-o", "csv").stdout.splitlines()) == 8


async def test_a_search_that_is_broken_off_leaves_nothing_behind(log: ALog) -> None:
    store = MemoryStore(log.objects)
    source = finding.SearchedLog(store, "main", log.verifier, {}, has_index=True)
    async with aclosing(finding.find(source, Query())) as records:
        async for record in records:
            assert record.index == 0
            break

    with open_index(store.url, "main", log.verifier) as kept:
        assert kept.witness is None
    assert await found(log, store=store) == list(range(6))


@pytest.mark.parametrize("is_first", [True, False])
def test_a_disk_that_takes_no_more_does_not_keep_a_search_from_answering(
    log: ALog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_first: bool
) -> None:
    folder = log.lay(tmp_path / "trail")
    if not is_first:
        audit("search", folder)
        log.append([a_record(9)])
        log.lay(folder)
    number = len(log.lines)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        result = audit("search", folder, "-o", "csv")
        assert audit("index", folder).exit_code == 3

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == number + 1
    assert "cannot be written: [Errno 28] No space left on device. The result is complete" in result.stderr
    assert len(audit("search", folder, "-o", "csv").stdout.splitlines()) == number + 1


def test_a_database_that_takes_no_more_does_not_either(
    log: ALog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 5")
        return database

    folder = log.lay(tmp_path / "trail")
    monkeypatch.setattr("sqlite3.connect", small)

    result = audit("search", folder, "-o", "csv")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 7
    assert "cannot be written: database or disk is full. The result is complete" in result.stderr


def test_an_index_on_a_disk_that_cannot_be_written_is_read(
    log: ALog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    log.append([a_record(9)])
    log.lay(folder)
    opened, connect = os.open, sqlite3.connect

    def refuse(path: Path, flags: int, *mode: int) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *mode)

    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("sqlite3.connect", lambda to, **how: connect(to.replace("=rw", "=ro"), **how))
    result = audit("search", folder, "-o", "csv")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 8
    assert "cannot be written: it is read-only. The result is complete" in result.stderr


def test_the_command_makes_the_index_and_names_it(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")

    first = audit("index", folder, "--key", log.verifier)
    log.append([a_record(9)])
    log.lay(folder)
    second = audit("index", folder, "--key", log.verifier)

    (kept,) = cache.iterdir()
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout == f"{kept / 'index.sqlite'}\n"
    assert "6 records of log main, up to checkpoint 6, sealed with segment 3 at" in first.stderr
    assert "7 records of log main, up to checkpoint 7, sealed with segment 4 at" in second.stderr
    assert [row[0] for row in sql(kept / "index.sqlite", "SELECT record FROM log")] == list(range(7))
    alter(log, 4)
    log.lay(folder)
    assert audit("index", folder, "--key", log.verifier).exit_code == 1


def test_the_tables_hold_what_the_documentation_shows(tmp_path: Path) -> None:
    """The view is for people; each field that can be asked for is in it."""
    folder = THE_LOG.lay(tmp_path / "trail")
    file = Path(audit("index", folder).stdout.strip())

    asked = "SELECT at, event, actor, requester, role, ticket, decided_by FROM log WHERE event = 'grant.activated'"
    (row,) = sql(file, asked)
    (record,) = [one for one in THE_RECORDS if one.event == "grant.activated"]
    story = record.block["story"]
    assert datetime.fromisoformat(row[0]) == record.at
    assert row[1:] == (
        "grant.activated",
        record.block["actor"],
        story["requester"],
        story["role"]["name"],
        story.get("ticket"),
        ", ".join(one["by"] for one in story["decisions"]),
    )
    assert _PLACES.keys() == FIELDS.keys() - {"anything"}


def columns(folder: Path) -> dict[str, set[str]]:
    """Return the columns of each table and view of the index of a log."""
    file = Path(audit("index", THE_LOG.lay(folder)).stdout.strip())
    found: dict[str, set[str]] = {}
    for table, column in sql(file, "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"):
        found.setdefault(table, set()).add(column)
    return found


@pytest.mark.parametrize("table", ["records", "stories", "decisions", "segments", "about"])
def test_each_column_of_a_table_is_documented(table: str, tmp_path: Path) -> None:
    (row,) = re.findall(rf"^\| `{table}` \| (.*) \|$", PAGE, re.MULTILINE)

    assert columns(tmp_path / "trail")[table] - set(re.findall(r"`(\w+)`", row)) == set()


def test_each_column_of_the_view_is_documented_and_no_other(tmp_path: Path) -> None:
    (told,) = re.findall(r"^The view `log` has (.*?)Each\s+log has", PAGE, re.MULTILINE | re.DOTALL)
    documented = set(re.findall(r"`(\w+)`", told.partition(":")[2])) | {"record", "at", "event", "actor"}

    assert columns(tmp_path / "trail")["log"] == documented


def test_it_is_said_once_what_is_kept_and_where(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")

    first, second = audit("search", folder), audit("search", folder)

    (kept,) = cache.iterdir()
    assert f" MB of verified records are kept in {kept}, so that the next search is quick;" in first.stderr
    assert str(kept) not in second.stderr


def test_without_an_index_nothing_is_kept(log: ALog, tmp_path: Path, cache: Path) -> None:
    assert audit("search", log.lay(tmp_path / "trail"), "--no-index").exit_code == 0

    assert not cache.exists()


def test_where_there_is_no_cache_folder_yet_it_is_the_one_of_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/auditor")

    assert os.fspath(index_path("file:///a", "main", a_signer().verifier).parent) == "/home/auditor/.cache/curfew"


def both_logs_in_one() -> ALog:
    """Return a log with the records of the trail and of the log of activity: so each field has an answer in it."""
    log = the_log()
    log.append(records_of(the_activity())[1:])
    return log


THE_LOG = both_logs_in_one()
THE_RECORDS = [record for record in map(read_record, THE_LOG.lines) if record is not None]
ANSWERS = {name: sorted({text for record in THE_RECORDS for text in answers(name, record.body)}) for name in FIELDS}


@pytest.mark.parametrize("name", sorted(FIELDS))
async def test_the_index_answers_as_the_log_does_to_each_text_and_its_parts(name: str) -> None:
    assert ANSWERS[name]
    for text in ANSWERS[name] if name != "anything" else ANSWERS[name][::8]:
        half = len(text) // 2
        for pattern in (text, f"{text[:half]}*", f"*{text[half:]}", f"{text[:half]}?{text[half + 1 :]}"):
            query = Query({name: (pattern, "nothing")})
            expected = [index for index, record in enumerate(THE_RECORDS) if query.matches(record)]

            assert expected
            assert await found(THE_LOG, query) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=times(200))
@given(st.data())
async def test_the_index_answers_as_the_log_does_whatever_is_asked_together(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2, unique=True))
    patterns = {name: (data.draw(st.sampled_from(ANSWERS[name])),) for name in names}
    times = st.none() | st.sampled_from([record.at for record in THE_RECORDS])
    words = data.draw(st.just(()) | st.sampled_from(ANSWERS["anything"]).map(lambda text: (text[:5].upper(),)))
    query = Query(patterns, words, Span(data.draw(times), data.draw(times)))

    assert await found(THE_LOG, query) == await found(THE_LOG, query, has_index=False)
