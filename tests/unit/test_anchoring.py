"""The newest checkpoint is put up for others to keep: rarely, in nobody's way, and never in place of a larger one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from curfew.api.names import CHECKPOINT_CONFIG_MAP, CHECKPOINT_KEY
from curfew.audit.checkpoint import Checkpoint, open_note, sign_note
from curfew.audit.segment import origin
from curfew.ports import ClusterError, Forbidden, Unavailable
from curfew.processes.operator.anchoring import Anchoring
from tests.support.stores import MemoryStore
from tests.support.trail import LOG, OTHER_SIGNER, SIGNER, Observer, a_trail, records, running, settle

pytestmark = pytest.mark.looptime


@dataclass
class Board:
    """A ConfigMap, or none, that may refuse."""

    data: dict[str, str] | None = field(default_factory=dict)
    refusals: list[ClusterError] = field(default_factory=list)
    written: list[tuple[float, str]] = field(default_factory=list)
    read: int = 0

    async def get_config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return it as the API server does: one that holds nothing has no data."""
        self.read += 1
        assert (namespace, name) == ("curfew-system", CHECKPOINT_CONFIG_MAP)
        if self.refusals:
            raise self.refusals.pop(0)
        if self.data is None:
            return None
        return {"metadata": {"resourceVersion": "7"}, **({"data": self.data} if self.data else {})}

    async def patch_config_map(self, namespace: str, name: str, resource_version: str, data: Mapping[str, str]) -> None:
        """Set keys."""
        assert self.data is not None
        assert resource_version == "7"
        self.data = {**self.data, **data}
        self.written.append((asyncio.get_running_loop().time(), data[CHECKPOINT_KEY]))


@dataclass
class Counts:
    """Counts."""

    sizes: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def anchored(self, size: int) -> None:
        """Note a size."""
        self.sizes.append(size)

    def not_anchored(self, reason: str) -> None:
        """Note a failure."""
        self.failures.append(reason)


@asynccontextmanager
async def anchoring(board: Board, counts: Counts | None = None) -> AsyncIterator[Anchoring]:
    """Put checkpoints up as long as the block."""
    made = Anchoring(board, "curfew-system", [SIGNER.verifier], counts or Counts())
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def segments(number: int) -> list[tuple[int, bytes]]:
    """Return the sizes of a log after each of its segments, and the segments."""
    observer = Observer()
    async with running(trail := a_trail(MemoryStore(), observer)):
        for each in range(number):
            trail.submit(records(each, each))
            await settle()
    return [(first + len(lines), stored) for first, lines, stored in observer.segments]


def note(size: int, root: bytes = bytes(32), *, signer: Any = SIGNER) -> str:
    """Return a checkpoint of a log of that size."""
    return sign_note(Checkpoint(origin(LOG), size, root), signer)


async def test_what_is_put_up_is_the_newest_note_that_the_log_holds() -> None:
    written, counts, board = await segments(3), Counts(), Board()
    async with anchoring(board, counts) as made:
        for size, stored in written:
            made.appended(size, stored)
        await settle()

    assert board.data is not None
    size, stored = written[-1]
    assert open_note(board.data[CHECKPOINT_KEY], SIGNER.verifier).size == size
    assert counts.sizes == [size]


async def test_it_is_put_up_rarely_and_only_when_the_log_has_grown() -> None:
    written, board = await segments(12), Board()
    started = asyncio.get_running_loop().time()
    async with anchoring(board) as made:
        for size, stored in written:
            made.appended(size, stored)
            made.appended(size, b"a sign of life: nothing new, and not even looked at")
            await asyncio.sleep(1)
        await asyncio.sleep(600)

    assert [round(at - started) for at, _ in board.written] == [0, 5, 10, 15]
    assert len({text for _, text in board.written}) == 4


async def test_a_larger_checkpoint_is_not_replaced_and_that_is_said_loudly() -> None:
    """Somebody cut the log off, and started the operator again."""
    written, counts, board = await segments(3), Counts(), Board({CHECKPOINT_KEY: note(41)})
    with capture_logs() as logs:
        async with anchoring(board, counts) as made:
            made.appended(*written[-1])
            await asyncio.sleep(100)

    assert board.data == {CHECKPOINT_KEY: note(41)}
    assert set(counts.failures) == {"Ahead"}
    (said,) = (entry for entry in logs if entry["log_level"] == "error")
    assert "holds a checkpoint of 41 records, but the log now holds 5 records, or other ones" in said["problem"]


async def test_another_log_of_the_same_size_does_not_replace_it_either() -> None:
    written, counts = await segments(3), Counts()
    board = Board({CHECKPOINT_KEY: note(written[-1][0])})
    async with anchoring(board, counts) as made:
        made.appended(*written[-1])
        await settle()

    assert counts.failures == ["Ahead"]
    assert board.written == []


@pytest.mark.parametrize(
    "there", ["", "rubbish", note(41, signer=OTHER_SIGNER)], ids=["empty", "rubbish", "another key"]
)
async def test_what_our_key_did_not_sign_is_replaced(there: str) -> None:
    written, counts, board = await segments(1), Counts(), Board({CHECKPOINT_KEY: there, "other": "kept"})
    with capture_logs() as logs:
        async with anchoring(board, counts) as made:
            made.appended(*written[-1])
            await settle()

    assert counts.failures == []
    assert board.data is not None
    assert open_note(board.data[CHECKPOINT_KEY], SIGNER.verifier).size == written[-1][0]
    assert [entry["note"] for entry in logs if "note" in entry] == ([there] if there else [])


async def test_a_failure_is_counted_said_once_and_made_good() -> None:
    written, counts = await segments(2), Counts()
    refusals = [Unavailable("the API server is away"), Unavailable("the API server is away"), Forbidden("no")]
    board = Board(refusals=refusals)
    with capture_logs() as logs:
        async with anchoring(board, counts) as made:
            made.appended(*written[0])
            await asyncio.sleep(45)
            made.appended(*written[1])
            await asyncio.sleep(60)

    assert counts.failures == ["Unavailable", "Unavailable", "Refused"]
    assert counts.sizes == [written[1][0]]
    assert [entry["problem"] for entry in logs] == ["the API server is away", "no"]


async def test_a_config_map_that_is_not_there_is_said() -> None:
    written, counts, board = await segments(1), Counts(), Board(None)
    with capture_logs() as logs:
        async with anchoring(board, counts) as made:
            made.appended(*written[0])
            await settle()

    assert counts.failures == ["Missing"]
    assert logs[0]["problem"] == "There is no ConfigMap curfew-system/curfew-checkpoint; the chart creates it."
