"""The trail on a real bucket server: outages, deaths and two writers, with real time and real bytes."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from curfew.audit.carried import cut
from curfew.audit.record import Record
from curfew.ports import ObjectStore
from curfew.processes.operator.recall import Trail
from tests.integration.emitting import was_read
from tests.support.trail import LOG, Observer, a_record, a_trail, log_of, records, running, told_once, until
from tools.servers.s3 import S3Server


async def objects(store: ObjectStore) -> dict[str, bytes]:
    """Return all that lies in the log's folder."""
    return {name: await store.get(name) for name in await store.list(f"v1/log={LOG}/")}


@dataclass
class SetClock:
    """A clock that shows what it is set to."""

    at: datetime

    def now(self) -> datetime:
        """Return the time that it is set to."""
        return self.at


async def two_segments_more(observer: Observer) -> None:
    """Return when two more segments are durable: the second was begun after this was called."""
    enough = len(observer.segments) + 2
    await until(observer, lambda: len(observer.segments) >= enough, within=30)


def all_durable(trail: Trail, told: Iterable[Record]) -> bool:
    """Whether all of these are."""
    return all(trail.receipt(record.id) is not None for record in told)


def ids(told: Iterable[Record]) -> list[str]:
    """Return the ids of records."""
    return [record.id for record in told]


async def test_a_locked_bucket_makes_a_healthy_trail(store: ObjectStore) -> None:
    observer, told = Observer(), records(1, 2000)
    trail = a_trail(store, observer, clock=SystemClock())
    async with running(trail):
        await until(observer, lambda: trail.health.ok, within=30)
        trail.submit(told)
        await until(observer, lambda: all_durable(trail, told), within=30)

    assert told_once(await objects(store)) == ids(told)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_server_that_goes_away_and_comes_back_costs_no_record(
    store: ObjectStore, s3: S3Server, how: str
) -> None:
    observer, told = Observer(), records(1, 300)
    trail = a_trail(store, observer, clock=SystemClock())
    try:
        async with running(trail):
            await until(observer, lambda: trail.health.ok, within=30)
            writing = asyncio.create_task(submit_one_by_one(trail, told))
            await until(observer, lambda: all_durable(trail, told[:50]), within=30)
            await asyncio.to_thread(s3.kill if how == "kill" else s3.stop)
            await until(observer, lambda: not trail.health.ok, within=30)
            assert "cannot be reached (connection refused)" in trail.health.message
            await writing
            await asyncio.to_thread(s3.start)
            await until(observer, lambda: all_durable(trail, told), within=30)
            assert trail.health.ok
            await trail.close()
    finally:
        s3.start()

    stored = await objects(store)
    assert told_once(stored) == ids(told)
    events = [record.event for record in log_of(stored)]
    assert (events.count("audit.sink_failed"), events.count("audit.sink_recovered")) == (1, 1)


async def submit_one_by_one(trail: Trail, told: Iterable[Record]) -> None:
    """Hand records over one at a time, so that many segments are made of them."""
    for record in told:
        trail.submit([record])
        await asyncio.sleep(0.001)


async def test_lives_that_end_without_warning_leave_one_whole_log(store: ObjectStore) -> None:
    told = records(1, 400)
    for life in range(10):
        trail = a_trail(store, clock=SystemClock(), writer=f"curfew-{life}")
        task = asyncio.create_task(trail.run())
        trail.submit(told[: 40 * (life + 1)])
        await asyncio.sleep(0.005 * life)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    observer = Observer()
    last = a_trail(store, observer, clock=SystemClock(), writer="curfew-last")
    async with running(last):
        last.submit(told)
        await until(observer, lambda: all_durable(last, told), within=30)

    assert sorted(told_once(await objects(store))) == sorted(ids(told))


async def test_two_writers_on_one_bucket_write_one_chain(store: ObjectStore, bucket_name: str) -> None:
    observers = [Observer(), Observer()]
    own, both = (records(1, 60), records(100, 160)), records(200, 230)
    trails = [
        a_trail(
            open_store(f"s3://{bucket_name}/curfew/trail"),
            observer,
            clock=SystemClock(),
            writer=f"curfew-{number}",
        )
        for number, observer in enumerate(observers)
    ]
    # Both read the log before either writes: so one of them must find the other's segment in its place.
    await asyncio.gather(*(trail.open() for trail in trails))
    async with running(trails[0]), running(trails[1]):
        await asyncio.gather(
            submit_one_by_one(trails[0], [*own[0], *both]),
            submit_one_by_one(trails[1], [*own[1], *both]),
        )
        await until(observers[0], lambda: all_durable(trails[0], [*own[0], *both]), within=30)
        await until(observers[1], lambda: all_durable(trails[1], [*own[1], *both]), within=30)

    stored = await objects(store)
    assert sorted(told_once(stored)) == sorted(ids([*own[0], *own[1], *both]))
    was_read(log_of(stored))


async def test_a_story_of_last_month_is_known_after_a_start(store: ObjectStore) -> None:
    """The log carries it forward every six hours. The clock is set, the bucket and the bytes are real."""
    clock = SetClock(SystemClock().now() - timedelta(days=31))
    opened = [a_record(1, event="request.accepted"), a_record(2, event="grant.intended")]
    observer = Observer()
    first = a_trail(store, observer, clock=clock, heartbeat=timedelta(milliseconds=20))
    async with running(first):
        first.submit(opened)
        await until(observer, lambda: all_durable(first, opened), within=30)
        receipt = first.receipt(opened[1].id)
        for _ in range(31):
            clock.at += timedelta(days=1)
            await two_segments_more(observer)

    again = a_trail(store, clock=SystemClock(), writer="curfew-2")
    await again.open()
    assert set(again.open_stories()) == {opened[0].subject}
    assert again.intent(opened[0].subject) == cut(opened[1])
    assert again.receipt(opened[1].id) == receipt
    assert again.receipt(opened[0].id) is not None
    was_read(log_of(await objects(store)))


async def test_a_bucket_without_a_lock_is_written_but_not_healthy(
    s3: S3Server, s3_environment: None, bucket_name: str
) -> None:
    plain = open_store(f"s3://{s3.make_bucket(bucket_name, object_lock=False, versioning=False)}")
    observer = Observer()
    trail = a_trail(plain, observer, clock=SystemClock())
    async with running(trail):
        await until(observer, lambda: trail.health.reason == "NotWriteOnce", within=30)
        assert "keeps no versions" in trail.health.message
        trail.submit(records(1, 1))
        await until(observer, lambda: all_durable(trail, records(1, 1)), within=30)


async def test_a_bucket_that_is_made_late_is_found(s3: S3Server, s3_environment: None, bucket_name: str) -> None:
    observer = Observer()
    trail = a_trail(open_store(f"s3://{bucket_name}/curfew"), observer, clock=SystemClock())
    async with running(trail):
        await until(observer, lambda: trail.health.reason == "StoreUnavailable", within=30)
        assert trail.health.message.startswith(f"The bucket {bucket_name} does not exist")
        await asyncio.to_thread(s3.make_bucket, bucket_name)
        await until(observer, lambda: trail.health.ok, within=30)


async def test_a_deleted_end_is_not_written_over(store: ObjectStore, bucket_name: str, s3: S3Server) -> None:
    """In a versioned bucket a plain DELETE hides an object, and the lock keeps it: the name stays taken."""
    async with running(first := a_trail(store, observer := Observer(), clock=SystemClock())):
        first.submit(records(1, 1))
        await until(observer, lambda: first.health.ok and all_durable(first, records(1, 1)), within=30)
        await first.close()
    newest = (await store.list(f"v1/log={LOG}/"))[-1]
    s3.client().delete_object(Bucket=bucket_name, Key=f"curfew/trail/{newest}")

    observer = Observer()
    second = a_trail(store, observer, clock=SystemClock(), call_timeout=timedelta(seconds=5))
    async with running(second):
        second.submit(records(2, 2))
        await until(observer, lambda: second.health.reason == "SlotTaken", within=30)

    assert newest in second.health.message
    assert second.receipt(records(2, 2)[0].id) is None
