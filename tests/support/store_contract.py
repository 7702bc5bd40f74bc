"""What every `ObjectStore` must do, as tests: inherit, and give it a `store` fixture."""

import asyncio
import os
from datetime import UTC, datetime

import pytest

from curfew.ports import MOST_READ, LockEvidence, ObjectExists, ObjectMissing, ObjectStore

NAME = "v1/log=main/dt=2026-11-24/000000000007-0123456789abcdef.jsonl.zst"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class StoreContract:
    """The contract of `ports.ObjectStore`."""

    async def test_what_was_created_can_be_read(self, store: ObjectStore) -> None:
        body = bytes(range(256)) * 5
        await store.create(NAME, body)

        assert body == await store.get(NAME)

    async def test_a_large_object_arrives_whole(self, store: ObjectStore) -> None:
        body = os.urandom(MOST_READ)
        await store.create(NAME, body)

        assert body == await store.get(NAME)

    async def test_a_name_is_given_once(self, store: ObjectStore) -> None:
        await store.create(NAME, b"first")

        with pytest.raises(ObjectExists):
            await store.create(NAME, b"second")
        with pytest.raises(ObjectExists):
            await store.create(NAME, b"first")

        assert await store.get(NAME) == b"first"

    async def test_of_eight_who_create_at_once_one_wins(self, store: ObjectStore) -> None:
        for number in range(20):
            name = f"v1/log=main/dt=2026-11-24/{number:012d}.jsonl.zst"
            bodies = [b"writer %d" % writer for writer in range(8)]
            results = await asyncio.gather(*(store.create(name, body) for body in bodies), return_exceptions=True)

            assert [type(result) for result in results if result is not None] == [ObjectExists] * 7
            assert await store.get(name) == bodies[results.index(None)]

    async def test_what_is_not_there_is_missing(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectMissing):
            await store.get(NAME)
        await store.create(NAME, b"body")
        with pytest.raises(ObjectMissing):
            await store.get(NAME.replace("000000000007", "000000000008"))
        with pytest.raises(ObjectMissing):
            await store.get("v1/log=main/dt=2026-11-24")

    async def test_an_empty_store_lists_nothing(self, store: ObjectStore) -> None:
        assert list(await store.list("v1/log=main/")) == []
        assert list(await store.list_partitions("v1/log=main/")) == []

    async def test_names_are_listed_in_order_and_whole(self, store: ObjectStore) -> None:
        names = [f"v1/log=main/dt=2026-11-{day}/{seq:012d}-ab.jsonl.zst" for day in (23, 24) for seq in (1, 2, 10)]
        for name in reversed(names):
            await store.create(name, b"x")
        await store.create("v1/log=main-2/dt=2026-11-24/000000000000-ab.jsonl.zst", b"x")

        assert list(await store.list("v1/log=main/")) == names
        assert list(await store.list("v1/log=main/dt=2026-11-24/")) == names[3:]
        assert list(await store.list("v1/log=other/")) == []

    async def test_more_names_than_a_page_are_all_listed(self, store: ObjectStore) -> None:
        names = [f"v1/log=main/dt=2026-11-24/{seq:012d}-ab.jsonl.zst" for seq in range(1100)]
        for start in range(0, len(names), 10):  # more at once take too long for a busy server
            await asyncio.gather(*(store.create(name, b"") for name in names[start : start + 10]))

        assert list(await store.list("v1/log=main/dt=2026-11-24/")) == names
        assert list(await store.list("v1/log=main/", keep=lambda name: name.endswith("0-ab.jsonl.zst"))) == names[::10]
        # A page is 1,000 names; no more of them is asked for than is needed.
        assert 10 <= len(await store.list("v1/log=main/", most=10)) <= 1000

    async def test_of_an_object_that_is_too_large_only_the_beginning_is_read(self, store: ObjectStore) -> None:
        await store.create(NAME, bytes(MOST_READ) + b"abc")

        assert await store.get(NAME) == bytes(MOST_READ) + b"a"

    async def test_partitions_are_the_folders_one_level_down(self, store: ObjectStore) -> None:
        await store.create("v1/log=main/dt=2026-11-24/000000000001-ab.jsonl.zst", b"x")
        await store.create("v1/log=main/dt=1970-01-01/000000000000-ab.jsonl.zst", b"x")
        await store.create("v1/log=main/note.txt", b"x")
        await store.create("v1/log=main-2/dt=2026-11-25/000000000000-ab.jsonl.zst", b"x")

        expected = ["v1/log=main/dt=1970-01-01/", "v1/log=main/dt=2026-11-24/"]
        assert list(await store.list_partitions("v1/log=main/")) == expected

    async def test_attesting_leaves_the_sample_as_it_was(self, store: ObjectStore) -> None:
        await store.create(NAME, b"body")
        attestation = await store.attest(NAME, NOON)

        assert attestation.at == NOON
        assert attestation.evidence is not LockEvidence.NONE
        assert await store.get(NAME) == b"body"
