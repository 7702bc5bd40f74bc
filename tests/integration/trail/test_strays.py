"""Objects that somebody with the bucket's credentials has put there, on a real S3 server: a start passes them by."""

import asyncio
from datetime import timedelta
from pathlib import Path

from curfew.audit.segment import partition
from curfew.ports import ObjectStore
from tests.support.logs import BEGIN, a_log
from tests.support.peak import measured

LARGE = 79 << 20
LIMIT = 256  # MiB; half of what the chart gives the pod


async def test_large_objects_named_like_segments_take_no_memory_of_a_start(store: ObjectStore, tmp_path: Path) -> None:
    log = a_log(2, 1, 3)
    for name, stored in log.objects.items():
        await store.create(name, stored)
    for number in range(5):
        folder = partition("main", BEGIN.date() + timedelta(days=number % 2))
        await store.create(f"{folder}{10**11 + number:012d}-{number:016x}.jsonl.zst", bytes(LARGE))
    for number in range(200):
        await store.create(f"{partition('main', BEGIN.date())}{number:012d}-{number:016x}.jsonl.zst", b"x")

    command = ["-m", "tests.support.starting", store.url, log.verifier]
    run = await asyncio.to_thread(measured, command, tmp_path)

    assert (run.exit_code, run.output) == (0, f"segment {log.head.seq}\n")
    assert run.peak < LIMIT
