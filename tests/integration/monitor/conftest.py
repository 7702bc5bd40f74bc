"""A control plane whose API server sends its audit events, with an operator and a monitor for each module."""

import base64
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installed import SYSTEM, Installed
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence, read_evidence
from tests.integration.operator.stage import a_stage
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess
from tools.installation import MONITOR_SIGNING_KEY, SIGNING_KEY
from tools.servers.audit import AuditFeed
from tools.servers.environment import Environment

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditFeed]:
    """Return the way from the API server to the monitor."""
    # Five tries take 16 s or a little more: longer than a monitor needs to start again.
    made = AuditFeed(tmp_path_factory.mktemp("feed"), initial_backoff="2s")
    yield made
    made.close()


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest, feed: AuditFeed) -> Iterator[Environment]:
    """Return servers of our own: those that all others share send their audit events nowhere."""
    mutating = not request.config.getoption("--without-stamping")
    with Environment(choice="local", mutating_admission=mutating, apiserver_args=feed.apiserver_args) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(environment: Environment) -> Iterator[Installed]:
    """Return the cluster with the chart installed and its policies in force."""
    installed = Installed(environment)
    installed.install()
    yield installed
    installed.close()


def _key(cluster: Installed, secret: str) -> str:
    asked = cluster.kubectl("get", "secret", secret, "-n", SYSTEM, "-o", r"jsonpath={.data.key\.pem}")
    return base64.b64decode(asked.stdout).decode()


@pytest.fixture(scope="module")
def operator(cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Return an operator that grants, with a bucket of its own."""
    name = f"monitored-{next(_numbers)}"
    folder, s3 = tmp_path_factory.mktemp(name), cluster.environment.s3
    process = OperatorProcess(
        folder,
        kubeconfig=cluster.operator_kubeconfig(folder / "kubeconfig"),
        signing_key=_key(cluster, SIGNING_KEY),
        store=f"s3://{s3.make_bucket(name)}/curfew",
        environ=s3.env(),
    )
    process.start()
    try:
        process.await_ready()
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

    def make(**settings: Any) -> MonitorProcess:
        folder = tmp_path_factory.mktemp(f"monitor-{next(_numbers)}")
        return MonitorProcess(
            folder,
            kubeconfig=cluster.monitor_kubeconfig(folder / "kubeconfig"),
            signing_key=_key(cluster, MONITOR_SIGNING_KEY),
            operator=operator,
            feed=feed,
            environ=cluster.environment.s3.env(),
            **settings,
        )

    return make


@pytest.fixture(scope="module")
def monitor(new_monitor: Callable[..., MonitorProcess]) -> Iterator[MonitorProcess]:
    """Return a monitor that receives everything. That it ends when asked to is part of every test."""
    process = new_monitor()
    process.start()
    try:
        process.await_ready()
        process.await_covered()
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for people's certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
async def sessions(cluster: Installed, certificates: Path, operator: OperatorProcess) -> AsyncIterator[Sessions]:
    """Return a place in which alice can have sessions."""
    async with a_stage(cluster, certificates) as stage:
        yield Sessions(await stage.place())


@pytest.fixture(scope="session")
def read_log(cluster: Installed) -> Callable[[OperatorProcess], Evidence]:
    """Return a reader of logs, the operators' and the monitors', which fails for one that does not verify."""
    client = cluster.environment.s3.client()
    return lambda process: read_evidence(client, process)
