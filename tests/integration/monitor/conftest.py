"""A control plane whose API server sends its audit events, with an operator and a monitor.

They end when the last test of this folder is over: to run beside all other tests would take as long as a module.
"""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from curfew.api.names import CHECKPOINT_CONFIG_MAP
from tests.integration.installed import SYSTEM, Installed
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence, read_evidence
from tests.integration.operator.stage import a_stage
from tests.integration.operator.story_of_metrics import await_nothing_is_collected
from tests.support.api import MERGE, succeed
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess
from tools.installation import MONITOR_SIGNING_KEY, SIGNING_KEY
from tools.servers.audit import AuditFeed
from tools.servers.environment import Environment

CHECKPOINT = f"/api/v1/namespaces/{SYSTEM}/configmaps/{CHECKPOINT_CONFIG_MAP}"

TOKEN_SECONDS = 4 * 3600
"""For a soak, in which a pair of processes lives long."""

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditFeed]:
    """Return the way from the API server to the monitor."""
    # Five tries take 16 s or a little more: longer than a monitor needs to start again.
    made = AuditFeed(tmp_path_factory.mktemp("feed"), initial_backoff="2s")
    yield made
    made.close()


@pytest.fixture(scope="package")
def environment(request: pytest.FixtureRequest, feed: AuditFeed) -> Iterator[Environment]:
    """Return servers of our own: those that all others share send their audit events nowhere."""
    mutating = not request.config.getoption("--without-stamping")
    with Environment(choice="local", mutating_admission=mutating, apiserver_args=feed.apiserver_args) as running:
        yield running


@pytest.fixture(scope="package")
def cluster(environment: Environment) -> Iterator[Installed]:
    """Return the cluster with the chart installed and its policies in force."""
    installed = Installed(environment)
    installed.install()
    yield installed
    installed.close()


def _key(cluster: Installed, secret: str) -> str:
    found = succeed(cluster.api.ask("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{secret}"))
    return base64.b64decode(json.loads(found)["data"]["key.pem"]).decode()


def _started(process: OperatorProcess) -> OperatorProcess:
    """Return a process when it is ready; one that does not become ready does not go on running."""
    process.start()
    try:
        process.await_ready()
    except BaseException:
        process.kill()
        raise
    return process


def _forget_the_last_log(cluster: Installed) -> None:
    """Take down the last operator's checkpoint: if its log was longer, the next one's would seem to be cut off."""
    succeed(cluster.api.ask("PATCH", CHECKPOINT, {"data": None}, content_type=MERGE))


def _new_operator(cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> OperatorProcess:
    """Return an operator with a bucket of its own, which is not started yet."""
    name = f"monitored-{next(_numbers)}"
    folder, s3 = tmp_path_factory.mktemp(name), cluster.environment.s3
    return OperatorProcess(
        folder,
        kubeconfig=cluster.operator_kubeconfig(folder / "kubeconfig", TOKEN_SECONDS),
        signing_key=_key(cluster, SIGNING_KEY),
        store=f"s3://{s3.make_bucket(name)}/curfew",
        environ=s3.env(),
    )


def _new_monitor(
    cluster: Installed,
    feed: AuditFeed,
    operator: OperatorProcess,
    tmp_path_factory: pytest.TempPathFactory,
    **settings: Any,
) -> MonitorProcess:
    """Return a monitor beside an operator, which is not started yet."""
    folder = tmp_path_factory.mktemp(f"monitor-{next(_numbers)}")
    return MonitorProcess(
        folder,
        kubeconfig=cluster.monitor_kubeconfig(folder / "kubeconfig", TOKEN_SECONDS),
        signing_key=_key(cluster, MONITOR_SIGNING_KEY),
        operator=operator,
        feed=feed,
        environ=cluster.environment.s3.env(),
        **settings,
    )


@dataclass
class Pair:
    """An operator and a monitor that modules share. They make way for those of other modules: one port, one Lease."""

    operator: OperatorProcess
    monitor: MonitorProcess

    def stop(self) -> None:
        """Stop what runs; that both end when asked to is part of every test."""
        for process in (self.monitor, self.operator):
            if process.is_running:
                process.stop()


@pytest.fixture(scope="package")
def pair(cluster: Installed, feed: AuditFeed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Return the operator and the monitor of all modules that have none of their own; they are started when needed."""
    operator = _new_operator(cluster, tmp_path_factory)
    made = Pair(operator, _new_monitor(cluster, feed, operator, tmp_path_factory))
    try:
        yield made
        made.stop()
    finally:
        made.monitor.kill()
        made.operator.kill()


@pytest.fixture(scope="module")
def operator(
    request: pytest.FixtureRequest, cluster: Installed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Return an operator that grants: the shared one, or one with a log of its own in a module with its own monitor."""
    if "monitor" not in vars(request.module):
        shared: Pair = request.getfixturevalue("pair")
        if not shared.operator.is_running:
            _forget_the_last_log(cluster)
            _started(shared.operator)
        yield shared.operator
        return
    if "cluster" not in vars(request.module):
        request.getfixturevalue("pair").stop()
    _forget_the_last_log(cluster)
    await_nothing_is_collected(cluster)
    process = _started(_new_operator(cluster, tmp_path_factory))
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


@pytest.fixture(scope="module")
def new_monitor(
    cluster: Installed, feed: AuditFeed, operator: OperatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., MonitorProcess]:
    """Return a maker of monitors beside the operator; none is started."""
    return partial(_new_monitor, cluster, feed, operator, tmp_path_factory)


@pytest.fixture(scope="module")
def monitor(operator: OperatorProcess, pair: Pair) -> MonitorProcess:
    """Return the shared monitor, which receives everything from here on."""
    if not pair.monitor.is_running:
        _started(pair.monitor)
    pair.monitor.await_covered()
    return pair.monitor


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for people's certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
async def sessions(
    request: pytest.FixtureRequest, cluster: Installed, certificates: Path, operator: OperatorProcess
) -> AsyncIterator[Sessions]:
    """Return a place in which alice can have sessions; a test with a monitor begins when that receives everything."""
    if "monitor" in request.fixturenames:
        # The test before may have killed it: then nothing is known of a session that begins before its first test calls.
        await asyncio.to_thread(request.getfixturevalue("monitor").await_covered)
    async with a_stage(cluster, certificates) as stage:
        yield Sessions(await stage.place())


@pytest.fixture(scope="package")
def read_log(cluster: Installed) -> Callable[[OperatorProcess], Evidence]:
    """Return a reader of logs, the operators' and the monitors', which fails for one that does not verify."""
    client = cluster.environment.s3.client()
    return lambda process: read_evidence(client, process)
