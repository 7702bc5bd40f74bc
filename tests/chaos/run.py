"""One run: servers, replicas, people and faults; then quiet, until every story is over; then the verdict."""

import asyncio
import base64
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from curfew.evidence.history.terms import JudgingTerms
from tests.chaos.disk import SmallDisk
from tests.chaos.faults import MOST_STEP, FaultMaker
from tests.chaos.load import ChaosLoad
from tests.chaos.proxy import ChaosProxy
from tests.chaos.reach import Reachability
from tests.chaos.replica import Replica
from tests.chaos.schedule import FaultKind, PlannedFault
from tests.chaos.verdict import ChaosVerdict, verdict
from tests.chaos.weather import Weather
from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import fetch_evidence
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import CURFEW
from tools.servers.pki import Authority
from tools.servers.ports import LOOPBACK
from tools.servers.processes import clean_environ
from tools.servers.spawn import spawn

LATE: Final = timedelta(seconds=2)
"""How late an end may be while a replica can reach the API server, on a machine that has time for it."""

QUIET_SECONDS: Final = 120.0
"""Within which every story is over once nothing fails any more."""

SWEEP_SECONDS: Final = 30.0

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """What a run is made of."""

    seed: int
    seconds: float
    replicas: int
    schedule: list[PlannedFault]
    rate: float = 1.0  # requests a second
    late: timedelta = LATE
    longest: float = 45.0  # seconds that a grant lasts at most


@dataclass
class ChaosResult:
    """What came of it."""

    verdict: ChaosVerdict
    load: ChaosLoad
    faults: FaultMaker
    unreachable: timedelta
    notes: list[str] = field(default_factory=list)


async def play(
    plan: ChaosPlan, cluster: Installed, folder: Path, signing_key: str, disk: SmallDisk | None = None
) -> ChaosResult:
    """Play a plan, and judge it."""
    chance = random.Random(f"play {plan.seed}")  # noqa: S311  to be had again, not secret
    s3 = cluster.environment.s3
    bucket = s3.make_bucket(f"chaos-{plan.seed}-{next(_numbers)}")
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(a_stage(cluster, folder))
        proxy = ChaosProxy(int(s3.url.rpartition(":")[2]), Weather(chance))
        await stack.enter_async_context(proxy)
        replicas = await _replicas(plan, cluster, folder, chance)
        environ = {**s3.env(), "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{proxy.port}"}
        settings = {"signing_key": signing_key, "store": f"s3://{bucket}/curfew", "environ": environ}
        for replica in replicas:
            await replica.enter(stack, **settings)
        await asyncio.to_thread(replicas[0].operator.await_listed)
        place = await stage.place()
        load = ChaosLoad(place, chance, plan.rate, plan.longest)
        await load.first()
        faults = FaultMaker(cluster.environment, replicas, proxy, disk)
        # The API server reads each kind over a connection to etcd of its own, and each comes back in its own time.
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place.namespace}/rolebindings/none"
        async with Reachability(place.people.admin, path, replicas) as reach, _swept(cluster, folder):
            async with asyncio.TaskGroup() as group:
                group.create_task(faults.play(plan.schedule))
                group.create_task(load.run(plan.seconds))
            problems = await _come_to_rest(load, replicas)
        await _told(load, replicas, s3.client())
        for replica in replicas:
            await asyncio.to_thread(replica.operator.await_listed)
            try:
                await asyncio.to_thread(replica.operator.stop)
            except AssertionError as error:
                problems.append(str(error))
        evidence = await asyncio.to_thread(fetch_evidence, s3.client(), replicas[0].operator)
        clocks = MOST_STEP if any(one.kind is FaultKind.STEP_CLOCK for one in plan.schedule) else 0
        terms = JudgingTerms(late=plan.late, clocks=timedelta(seconds=clocks + 1), outages=tuple(reach.unreachable))
        logs = sorted(cluster.environment.control_plane.audit_log.parent.glob("audit*.log"))
        found = await asyncio.to_thread(verdict, logs, evidence, stage.sights, place.namespace, terms)
    for asked in load.untold(evidence):
        problems.append(f"{asked}: its story in the log is {' '.join(evidence.story(asked.uid)) or 'empty'}")
    found.problems += [*problems, *faults.failures]
    away = sum((one.until - one.since for one in reach.unreachable), timedelta(0))
    return ChaosResult(found, load, faults, away)


async def _replicas(plan: ChaosPlan, cluster: Installed, folder: Path, chance: random.Random) -> list[Replica]:
    authority = Authority("chaos")
    token = await asyncio.to_thread(cluster.operator_token)
    return [
        Replica(number, cluster, folder / f"replica-{number}", token, authority, random.Random(chance.random()))  # noqa: S311  to be had again
        for number in range(plan.replicas)
    ]


async def _come_to_rest(load: ChaosLoad, replicas: list[Replica]) -> list[str]:
    """Wait until every story is over; return what is not."""
    for replica in replicas:
        replica.start()
    with suppress(AssertionError):
        await load.place.sights.requests.until(lambda: not load.open(), "the end of all stories", QUIET_SECONDS)
    problems = [f"{asked} did not come to its end; its status is {asked.status}" for asked in load.open()]
    left = [
        binding
        for binding in load.place.sights.bindings.objects.values()
        if binding["metadata"]["namespace"] == load.place.namespace
    ]
    return [*problems, *(f"RoleBinding {binding['metadata']['name']} is still there" for binding in left)]


async def _told(load: ChaosLoad, replicas: list[Replica], client: Any) -> None:
    """Return when the log tells the end of each story, or too late: that of a deleted request is nowhere else to be seen."""
    with suppress(TimeoutError):
        async with asyncio.timeout(QUIET_SECONDS):
            while load.untold(  # noqa: ASYNC110  a bucket tells nobody
                await asyncio.to_thread(fetch_evidence, client, replicas[0].operator)
            ):
                await asyncio.sleep(1)


@asynccontextmanager
async def _swept(cluster: Installed, folder: Path) -> AsyncIterator[None]:
    """Sweep again and again, as the chart's CronJob does."""
    kubeconfig = await asyncio.to_thread(cluster.sweeper_kubeconfig, folder / "sweeper")

    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with (folder / "sweeper.log").open("ab") as output:
                process = spawn([*CURFEW, "sweep", "--kubeconfig", kubeconfig], output=output, environ=clean_environ())
            await asyncio.to_thread(process.wait)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def key_of(cluster: Installed) -> str:
    """Return the key that the chart made, in PEM."""
    asked = cluster.kubectl("get", "secret", "curfew-signing-key", "-n", SYSTEM, "-o", r"jsonpath={.data.key\.pem}")
    return base64.b64decode(asked.stdout).decode()
