"""One operator at a time, with a bucket of its own for each module, and people who know how to ask."""

import asyncio
import base64
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import Evidence, read_evidence
from tests.integration.operator.minute import Minute, play
from tests.integration.operator.place import Place
from tests.integration.operator.pulse import Pulse
from tests.integration.operator.stage import Stage, a_stage
from tests.support.operator_process import OperatorProcess

_numbers = itertools.count(1)


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, timedelta], None]:
    """Return a note of how long something took; it is shown at the end of the run."""
    return lambda name, took: record_property(name, f"{took.total_seconds() * 1000:.0f} ms")


@pytest.fixture(scope="session")
def signing_key(cluster: Installed) -> str:
    """Return the key that the chart made."""
    asked = cluster.kubectl("get", "secret", "curfew-signing-key", "-n", SYSTEM, "-o", r"jsonpath={.data.key\.pem}")
    return base64.b64decode(asked.stdout).decode()


@pytest.fixture(scope="session")
def new_operator(
    cluster: Installed, signing_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., OperatorProcess]:
    """Return a maker of operators, each with a locked bucket of its own unless told otherwise; none is started."""

    def make(**settings: Any) -> OperatorProcess:
        name = f"operator-{next(_numbers)}"
        folder = tmp_path_factory.mktemp(name)
        s3 = cluster.environment.s3
        if "store" not in settings:
            settings["store"] = f"s3://{s3.make_bucket(name)}/curfew"
        return OperatorProcess(
            folder,
            kubeconfig=cluster.operator_kubeconfig(folder / "kubeconfig"),
            signing_key=signing_key,
            # It is told whom to trust here; to read the machine's own authorities is a twentieth of its start.
            environ={"SSL_CERT_FILE": os.devnull, **s3.env(), **settings.pop("environ", {})},
            **settings,
        )

    return make


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess]) -> Iterator[OperatorProcess]:
    """Return an operator that grants. That it ends when asked to is part of every test."""
    process = new_operator()
    process.start()
    try:
        process.await_ready()
        yield process
        process.await_ready()
    except BaseException:
        process.kill()
        raise
    process.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for people's certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
async def stage(request: pytest.FixtureRequest, cluster: Installed, certificates: Path) -> AsyncIterator[Stage]:
    """Return a stage for one test, with a pulse if the test asks for it."""
    async with a_stage(cluster, certificates, has_pulse="pulse" in request.fixturenames) as made:
        yield made


@pytest.fixture
def pulse(stage: Stage) -> Pulse:
    """Return what tells how slow the machine is meanwhile."""
    return stage.sights.pulse


@pytest.fixture
async def place(stage: Stage) -> Place:
    """Return a place for one test."""
    return await stage.place()


@pytest.fixture(scope="session")
def read_log(cluster: Installed) -> Callable[[OperatorProcess], Evidence]:
    """Return a reader of operators' logs, which fails for one that does not verify."""
    client = cluster.environment.s3.client()
    return lambda operator: read_evidence(client, operator)


@pytest.fixture(scope="session")
def minute(cluster: Installed, certificates: Path, new_operator: Callable[..., OperatorProcess]) -> Minute:
    """Return what was seen of one busy minute. Its operator is gone when the tests look."""
    process = new_operator()
    process.start()

    async def played() -> Minute:
        async with a_stage(cluster, certificates, has_pulse=True) as made:
            return await play(made, process)

    try:
        process.await_ready()
        seen = asyncio.run(played())
    finally:
        process.kill()
    return seen
