"""A folder as object store: what survives a power cut, and what it says when it cannot be used."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curfew.adapters.objectstore import open_store
from curfew.adapters.objectstore.folder import NOT_EXCLUSIVE, NOT_WRITE_ONCE, FolderStore
from curfew.ports import MOST_READ, LockEvidence, ObjectExists, ObjectMissing, StoreUnavailable

NAME = "v1/log=main/dt=2026-11-24/000000000007-ab.jsonl.zst"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Return a store in a folder that is not there yet."""
    return FolderStore(tmp_path / "trail")


class Disk:
    """Watches what is flushed, and when a name appears."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self._fsync, self._link = os.fsync, os.link
        monkeypatch.setattr(os, "fsync", self._flush)
        monkeypatch.setattr(os, "link", self._name)

    def _flush(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.done.append("flush file" if path.is_file() else f"flush {path.name}")
        self._fsync(descriptor)

    def _name(self, source: str, target: str, **options: bool) -> None:
        self._link(source, target, **options)
        self.done.append("name")


async def test_a_record_is_on_the_disk_before_its_name_and_the_name_before_the_answer(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    disk = Disk(monkeypatch)
    await store.create(NAME, b"body")

    new_folders = [f"flush {name}" for name in (tmp_path.name, "trail", "v1", "log=main")]
    assert disk.done == [*new_folders, "flush file", "name", "flush dt=2026-11-24"]


async def test_who_hears_that_a_name_is_taken_may_rely_on_its_surviving(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(NAME, b"body")
    disk = Disk(monkeypatch)
    with pytest.raises(ObjectExists):
        await store.create(NAME, b"body")

    assert disk.done[-1] == "flush dt=2026-11-24"


async def test_a_flush_that_fails_is_a_failure_and_the_next_try_makes_it_good(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreUnavailable, match=r"cannot be used: Input/output error\.$"):
            await store.create(NAME, b"body")

    await store.create(NAME, b"body")
    assert await store.get(NAME) == b"body"


async def test_what_was_left_unfinished_is_not_an_object(store: FolderStore, tmp_path: Path) -> None:
    await store.create(NAME, b"body")
    partition = (tmp_path / "trail" / NAME).parent
    (partition / ".123-ab.unfinished").write_bytes(b"bo")
    (partition.parent / ".hidden").mkdir()

    assert await store.list("v1/log=main/") == [NAME]
    assert await store.list_partitions("v1/log=main/") == ["v1/log=main/dt=2026-11-24/"]


async def test_nothing_unfinished_is_left_behind(store: FolderStore, tmp_path: Path) -> None:
    await store.create(NAME, b"body")
    with pytest.raises(ObjectExists):
        await store.create(NAME, b"body")

    assert [path.name for path in (tmp_path / "trail" / NAME).parent.iterdir()] == [Path(NAME).name]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "v1/../../outside", "v1/.hidden", "", "."])
async def test_a_name_stays_in_the_folder(store: FolderStore, name: str) -> None:
    with pytest.raises(StoreUnavailable, match="is not a name"):
        await store.create(name, b"x")
    with pytest.raises(StoreUnavailable, match="is not a name"):
        await store.get(name)


async def test_a_folder_in_a_place_that_does_not_exist_is_an_error_not_an_empty_log(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/mistyped/trail")
    sentence = f"The folder {tmp_path}/mistyped does not exist. Create it, or correct the address {store.url}."
    for call in (store.list("v1/"), store.list_partitions("v1/"), store.get(NAME), store.create(NAME, b"x")):
        with pytest.raises(StoreUnavailable) as missing:
            await call
        assert str(missing.value) == sentence


async def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "trail").write_text("not a folder")
    store = open_store(f"file://{tmp_path}/trail")
    for call in (store.list("v1/"), store.list_partitions("v1/"), store.create(NAME, b"x")):
        with pytest.raises(StoreUnavailable, match="Not a directory"):
            await call


def test_a_right_that_is_missing_is_named(store: FolderStore) -> None:
    sentence = store._folder.sentence(PermissionError(13, "Permission denied", "/data/trail"))
    assert (
        sentence
        == "/data/trail may not be used by this user (Permission denied). Give it the right, or use another folder."
    )


async def test_a_folder_never_counts_as_write_once(store: FolderStore) -> None:
    await store.create(NAME, b"body")
    attestation = await store.attest(NAME, NOON)

    assert not attestation.sufficient
    assert attestation.evidence is LockEvidence.REFUSED
    assert attestation.findings == (NOT_WRITE_ONCE,)


async def test_a_folder_that_gives_names_twice_is_found_out(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(NAME, b"body")
    monkeypatch.setattr(Path, "hardlink_to", lambda target, source: source.replace(target))
    attestation = await store.attest(NAME, NOON)

    assert attestation.evidence is LockEvidence.NONE
    assert attestation.findings == (NOT_EXCLUSIVE, NOT_WRITE_ONCE)


def as_a_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def as_a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [as_a_link, as_a_pipe])
async def test_what_is_no_file_is_named_and_not_waited_for(
    store: FolderStore, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "trail" / NAME
    path.parent.mkdir(parents=True)
    make(path)

    assert await store.list("v1/") == [NAME]
    with pytest.raises(
        StoreUnavailable, match=f"^{path} is not a regular file but a link, a pipe, a device or a socket"
    ):
        async with asyncio.timeout(5):
            await store.get(NAME)


async def test_a_folder_in_place_of_an_object_is_no_object(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "trail" / NAME).mkdir(parents=True)

    assert await store.list("v1/") == []
    with pytest.raises(ObjectMissing):
        await store.get(NAME)


async def test_of_a_file_without_an_end_no_more_is_read_than_is_of_use(store: FolderStore, tmp_path: Path) -> None:
    await store.create(NAME, b"")
    os.truncate(tmp_path / "trail" / NAME, 20 << 30)  # a sparse file: it takes no room on the disk

    assert await store.get(NAME) == bytes(MOST_READ + 1)
