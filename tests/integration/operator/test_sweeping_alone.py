"""Everything of Curfew is stopped but the sweeper: it alone ends all access, within its interval."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from curfew.api.names import SWEEPER_CRON_JOB
from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.place import Asked, Place, now
from tests.integration.operator.stage import Stage
from tests.support.operator_process import OperatorProcess
from tests.support.scale import soaks
from tools.servers.processes import clean_environ

GRANTS: Final = 5 if soaks() else 3
"""In each of two namespaces."""

FIRST_END: Final = timedelta(seconds=10)
APART: Final = timedelta(seconds=1)
"""Between two ends."""

INTERVAL: Final = timedelta(seconds=3)
"""Between two sweeps. The chart's is a minute, which no test waits for: an end is late by the interval and a sweep at most."""

SLOW: Final = (sys.executable, "-m", "tests.support.shifted", "-600")
"""Curfew with a clock that is ten minutes behind the API server's: then the API server's counts."""


class Sweeper:
    """The chart's CronJob, of which this is the clock and the node: nothing here runs pods."""

    def __init__(self, cluster: Installed, folder: Path) -> None:
        """Read what it runs."""
        found = cluster.kubectl("get", "cronjob", SWEEPER_CRON_JOB, "--namespace", SYSTEM, "--output=json")
        job = json.loads(found.stdout)["spec"]["jobTemplate"]["spec"]
        (container,) = job["template"]["spec"]["containers"]
        program, *arguments = container["command"]
        assert (program, job["template"]["spec"]["serviceAccountName"]) == ("curfew", "curfew-sweeper")
        self._command = [*SLOW, *arguments, "--kubeconfig", str(cluster.sweeper_kubeconfig(folder / "sweeper"))]
        self._deadline = float(job["activeDeadlineSeconds"])

    async def sweep(self) -> timedelta:
        """Run it once, for no longer than its Job may, and return how long that took."""
        began = now()
        environ = {**os.environ, **clean_environ()}
        done = await asyncio.to_thread(
            subprocess.run, self._command, env=environ, capture_output=True, timeout=self._deadline, check=False
        )
        assert done.returncode == 0, done.stderr
        return now() - began


async def granted(place: Place, first: datetime) -> list[Asked]:
    """Have grants that end one after the other."""
    ends = [first + number * APART for number in range(GRANTS)]
    people = place.people
    who = [people.alice if number % 2 else people.carol for number in range(GRANTS)]
    return await asyncio.gather(
        *(
            place.active(by, duration="1h", notAfter=f"{end:%Y-%m-%dT%H:%M:%SZ}")
            for by, end in zip(who, ends, strict=True)
        )
    )


async def test_the_sweeper_alone_ends_all_access(
    cluster: Installed,
    stage: Stage,
    new_operator: Callable[..., OperatorProcess],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """No grant outlives the first sweep that begins after its end, although that node's clock is slow. Others stay."""
    operator = new_operator()
    operator.start()
    try:
        operator.await_ready()
        places = [await stage.place(), await stage.place()]
        first = now() + FIRST_END
        grants = [
            asked for found in await asyncio.gather(*(granted(place, first) for place in places)) for asked in found
        ]
        stays = await places[0].active(places[0].people.alice, duration="1h")
    finally:
        operator.kill()
    ends = {asked.uid: asked.time("expiresAt") for asked in grants}
    open_ = [asked for asked in grants if (await asked.binding_now()).is_ok]
    assert open_, "all grants were over before the operator was stopped"
    record_property("grants that the sweeper had to end", len(open_))
    sweeper, took = Sweeper(cluster, tmp_path), []

    began = first
    while began <= max(ends.values()):
        began = now()
        took.append(await sweeper.sweep())
        there = [asked for asked in open_ if (await asked.binding_now()).is_ok]
        assert [str(asked) for asked in there if ends[asked.uid] <= began] == [], "these outlived a sweep"
        await asyncio.sleep(max(0.0, (began + INTERVAL - now()).total_seconds()))

    late = [await asked.unbound() - ends[asked.uid] for asked in open_]
    assert min(late) >= timedelta(0)
    assert (await stays.binding_now()).is_ok
    record_property(
        f"latest end, with a sweep each {INTERVAL.total_seconds():g} s", f"{max(late).total_seconds():.1f} s"
    )
    record_property("a sweep took at most", f"{max(took).total_seconds():.1f} s")
