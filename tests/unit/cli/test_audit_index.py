"""The index of a searched log: it answers as the log would, reads only what is new, and is not fooled by a log that changed."""

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curfew.audit.canonical import canonical
from curfew.audit.query import FIELDS, Query, answers
from curfew.audit.when import Span
from curfew.cli import main
from curfew.cli.audit import search
from curfew.cli.audit.index import index_path, open_index
from curfew.cli.audit.stream import read_record
from tests.support.logs import ALog, a_log, a_record, a_signer
from tests.support.stores import MemoryStore
from tests.vectors.make_vectors import the_log


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
    source = search._Source(store or MemoryStore(log.objects), "main", log.verifier, {}, has_index)
    async with aclosing(search._find(source, query or Query())) as records:
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
    assert {path.name for path in kept.iterdir()} == {"rows", "segments", "ids", "state.json"}
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
        assert not list(cache.rglob("state.json"))

    log.lay(folder)
    assert len(audit("search", folder, "-o", "csv").stdout.splitlines()) == 7


def test_what_is_recorded_again_after_the_index_was_made_is_found(log: ALog, tmp_path: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    log.append([a_record(9), a_record(2)])
    log.lay(folder)

    result = audit("search", folder)

    assert result.exit_code == 1
    assert "Log main holds record 7, which tells of the same thing as record 2" in result.stderr


@pytest.mark.parametrize("known", ["the old key", "the new key"])
async def test_the_key_may_be_handed_over_before_or_after_the_index_was_made(log: ALog, known: str) -> None:
    old, new = log.signer, a_signer(seed=2)
    verifier = old.verifier if known == "the old key" else new.verifier
    source = search._Source(MemoryStore(log.objects), "main", verifier, {}, has_index=True)
    for signer in (new, a_signer(seed=3)):
        log.hand_over(signer)
        log.append([a_record(10 + signer.verifier.key_hash[0])])
        async with aclosing(search._find(source, Query())) as records:
            assert [record.index async for record in records] == list(range(log.head.range.size))


def test_an_index_that_cannot_be_used_is_not_needed(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    (kept,) = cache.iterdir()
    (kept / "state.json").write_bytes(b"rubbish")

    result = audit("search", folder)

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 7
    assert "Note: the index cannot be used, and the whole log is read." in result.stderr
    assert (kept / "state.json").read_bytes() == b"rubbish"


def test_an_index_that_does_not_know_how_far_it_is_is_not_needed(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    state = next(cache.iterdir()) / "state.json"
    state.write_text(state.read_text().replace("curfew.witness/v1", "curfew.witness/v2"))

    result = audit("search", folder)

    assert result.exit_code == 0
    assert "Note: the index cannot be used, and the whole log is read." in result.stderr


def test_an_index_that_another_search_writes_is_not_waited_for(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    (kept,) = cache.iterdir()

    with open_index(kept):
        result = audit("search", folder)

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 7
    assert (
        f"Note: the index cannot be used, and the whole log is read. {kept} is in use by another search"
        in result.stderr
    )


@pytest.mark.parametrize("name", ["rows", "segments"])
def test_a_damaged_index_is_said_to_be_damaged(log: ALog, tmp_path: Path, cache: Path, name: str) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    (kept,) = cache.iterdir()
    (kept / name).write_bytes(b"")

    result = audit("search", folder)

    assert result.exit_code == 3
    assert f"The index in {kept} is damaged; remove that folder." in result.stderr


def test_a_disk_that_returns_other_bytes_is_not_believed(log: ALog, tmp_path: Path, cache: Path) -> None:
    """Whichever byte of the segments it is: what is shown is what was verified, or nothing."""
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    verified = audit("search", folder, "-o", "jsonl").stdout.splitlines()
    segments = next(cache.rglob("segments"))
    good, refused = segments.read_bytes(), 0

    for position in range(0, len(good), 16):
        segments.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        result = audit("search", folder, "-o", "jsonl")
        refused += result.exit_code
        assert (result.stdout.splitlines() == verified) == (result.exit_code == 0)
        assert verified[: len(result.stdout.splitlines())] == result.stdout.splitlines()

    assert refused


def test_what_a_search_did_not_bring_to_its_end_is_forgotten(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")
    audit("search", folder)
    (kept,) = cache.iterdir()
    sizes = {path.name: path.stat().st_size for path in kept.iterdir()}
    for name in ("rows", "segments", "ids"):
        with (kept / name).open("ab") as file:
            file.write(b"half of something")

    assert len(audit("search", folder, "-o", "csv").stdout.splitlines()) == 7
    assert {path.name: path.stat().st_size for path in kept.iterdir()} == sizes


def test_a_disk_that_takes_no_more_is_told_of(log: ALog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = log.lay(tmp_path / "trail")

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = audit("search", folder, "-o", "csv")

    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 7
    assert "cannot be written: No space left on device. Make room for it, or give --no-index." in result.stderr


def test_it_is_said_once_what_is_kept_and_where(log: ALog, tmp_path: Path, cache: Path) -> None:
    folder = log.lay(tmp_path / "trail")

    first, second = audit("search", folder), audit("search", folder)

    (kept,) = cache.iterdir()
    assert f" MB of what was verified are kept in {kept}, so that the next search is quick;" in first.stderr
    assert str(kept) not in second.stderr


def test_without_an_index_nothing_is_kept(log: ALog, tmp_path: Path, cache: Path) -> None:
    assert audit("search", log.lay(tmp_path / "trail"), "--no-index").exit_code == 0

    assert not cache.exists()


def test_where_there_is_no_cache_folder_yet_it_is_the_one_of_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/auditor")

    assert os.fspath(index_path("file:///a", "main", a_signer().verifier).parent) == "/home/auditor/.cache/curfew"


THE_LOG = the_log()
THE_RECORDS = [record for record in map(read_record, THE_LOG.lines) if record is not None]
ANSWERS = {name: sorted({text for record in THE_RECORDS for text in answers(name, record.body)}) for name in FIELDS}


@pytest.mark.parametrize("name", sorted(FIELDS))
async def test_the_index_answers_as_the_log_does_to_each_text_and_its_parts(name: str) -> None:
    for text in ANSWERS[name] if name != "anything" else ANSWERS[name][::8]:
        half = len(text) // 2
        for pattern in (text, f"{text[:half]}*", f"*{text[half:]}", f"{text[:half]}?{text[half + 1 :]}"):
            query = Query({name: (pattern, "nothing")})
            expected = [index for index, record in enumerate(THE_RECORDS) if query.matches(record)]

            assert expected
            assert await found(THE_LOG, query) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.data())
async def test_the_index_answers_as_the_log_does_whatever_is_asked_together(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2, unique=True))
    patterns = {name: (data.draw(st.sampled_from(ANSWERS[name])),) for name in names}
    times = st.none() | st.sampled_from([record.at for record in THE_RECORDS])
    words = data.draw(st.just(()) | st.sampled_from(ANSWERS["anything"]).map(lambda text: (text[:5].upper(),)))
    query = Query(patterns, words, Span(data.draw(times), data.draw(times)))

    assert await found(THE_LOG, query) == await found(THE_LOG, query, has_index=False)
