"""The operator looks after the sweeper: an outage is told once, and a failed look changes nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.core.sweeping import SweeperState, Sweeps
from curfew.ports import Forbidden
from curfew.processes.operator.sweeper_watch import SweeperWatch
from tests.support.world import FakeClock
from tests.unit.core.test_sweeping import cron_job

pytestmark = pytest.mark.looptime

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Looks:
    """What each look finds: a CronJob, none, or a refusal. Ten minutes go by before each."""

    clock: FakeClock
    found: Iterator[dict[str, Any] | Forbidden | None]
    seen: list[Sweeps] = field(default_factory=list)
    told: list[datetime] = field(default_factory=list)

    async def get_cron_job(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Answer a look."""
        assert (namespace, name) == ("curfew-system", "curfew-sweeper")
        self.clock.advance(minutes=10)
        found = next(self.found)
        if isinstance(found, Forbidden):
            raise found
        return found

    def note(self, state: SweeperState) -> None:
        """Note what was seen."""
        self.seen.append(state.reason)

    def tell(self, _: SweeperState, since: datetime) -> None:
        """Note an outage."""
        self.told.append(since)


async def watched(*found: dict[str, Any] | Forbidden | None) -> tuple[Looks, str]:
    """Let the operator look so often; return what it told, and its sentence at the end."""
    looks = Looks(FakeClock(NOON), iter(found))
    watch = SweeperWatch(looks, looks.clock, "curfew-system", looks.note, looks.tell)
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(60 * len(found) - 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return looks, watch.message


async def test_each_outage_is_told_once() -> None:
    on_time = NOON + timedelta(minutes=30)

    looks, message = await watched(cron_job(None), cron_job(None), cron_job(on_time), cron_job(on_time), None)

    assert looks.told == [NOON, on_time]
    late, fine = Sweeps.OVERDUE, Sweeps.ON_TIME
    assert looks.seen == [late, late, fine, late, Sweeps.NOT_INSTALLED]
    assert message == "no sweeper is installed"


async def test_a_refusal_is_told_and_begins_no_outage_anew() -> None:
    looks, message = await watched(cron_job(NOON), Forbidden("no right"), cron_job(NOON), Forbidden("no right"))

    assert looks.told == [NOON]
    assert message == "Curfew cannot check whether the sweeper runs: no right"
