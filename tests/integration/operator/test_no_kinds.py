"""An API server that does not know our kinds: the operator says so, and comes alive when they are there."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.installed import Installed
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess

KINDS = ("accesspolicies.curfew.dev", "accessrequests.curfew.dev")


@pytest.fixture
def put_back(cluster: Installed) -> Iterator[Callable[[], None]]:
    """Take the definitions away, and return what puts them back; they are back afterwards, whatever happened."""
    kept = json.loads(cluster.kubectl("get", "crd", *KINDS, "--output=json").stdout)
    manifests = [
        {
            **{key: kind[key] for key in ("apiVersion", "kind", "spec")},
            "metadata": {key: kind["metadata"].get(key, {}) for key in ("name", "labels", "annotations")},
        }
        for kind in kept["items"]
    ]
    cluster.kubectl("delete", "crd", *KINDS)

    def apply() -> None:
        cluster.apply(*manifests)
        cluster.await_in_force()

    yield apply
    apply()


async def test_missing_kinds_are_named_and_noticed_when_they_come(
    cluster: Installed, put_back: Callable[[], None], new_operator: Callable[..., OperatorProcess], certificates: Path
) -> None:
    """The log says what to do; when it is done, the operator is ready by itself and grants."""
    operator = new_operator()
    operator.start()
    try:
        sentence = (
            f"the API server does not know {' and '.join(KINDS)}; install Curfew's chart, or apply the files in crds/"
        )
        await asyncio.to_thread(operator.await_said, sentence)
        status, said = await asyncio.to_thread(operator.readyz)
        assert status == 503
        assert said["parts"]["cluster"] == "not everything is listed yet"

        await asyncio.to_thread(put_back)

        await asyncio.to_thread(operator.await_ready)
        async with a_stage(cluster, certificates) as stage:
            place = await stage.place()
            await (await place.ask(place.people.alice, "automatic")).phase("Active")
    finally:
        operator.kill()
