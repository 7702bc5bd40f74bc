"""Twenty seconds of chaos with two replicas, drawn anew in each run: the ten minutes are `make chaos`."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from curfew.cli.audit.check_output import histogram
from tests.chaos.run import ChaosPlan, play
from tests.chaos.schedule import PlannedFault, drawn_schedule
from tests.integration.installed import Installed
from tests.support.scale import seed

SECONDS = 20.0
REPLICAS = 2
BUSY = timedelta(seconds=15)
"""How late an end may be: other tests run beside this one, and `make chaos` is held to two seconds."""


def smoke_schedule(number: int) -> list[PlannedFault]:
    """Return faults that fit into the time: none lasts longer than a few seconds."""
    drawn = drawn_schedule(number, 10 * SECONDS, REPLICAS)
    return [
        dataclasses.replace(fault, at=fault.at / 10, lasts=min(fault.lasts, 3.0))
        for fault in drawn
        if fault.at / 10 + 3 < SECONDS
    ][:6]


def test_twenty_seconds_of_chaos_break_no_promise(
    cluster: Installed, signing_key: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    schedule = smoke_schedule(seed())
    plan = ChaosPlan(seed(), SECONDS, REPLICAS, schedule, late=BUSY, longest=12.0)

    result = asyncio.run(play(plan, cluster, tmp_path, signing_key))

    for row in histogram(result.verdict.judgement.lateness):
        record_property("ends", row)
    told = "\n".join([*result.verdict.problems, f"CURFEW_SEED={plan.seed}", *map(str, schedule)])
    assert not result.verdict.problems, told
    assert result.verdict.judgement.bindings > 0
    assert result.faults.done
