"""An API server that does not know our kinds, or not any more: the operator says so, and comes alive when they are there."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import SOON
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment

KINDS = ("accesspolicies.curfew.dev", "accessrequests.curfew.dev")
SENTENCE = f"the API server does not know {' and '.join(KINDS)}; install Curfew's chart, or apply the files in crds/"


class Definitions:
    """The two kinds, which can be taken away and put back."""

    def __init__(self, cluster: Installed) -> None:
        """Keep them as they are."""
        kept = json.loads(cluster.kubectl("get", "crd", *KINDS, "--output=json").stdout)
        self._cluster = cluster
        self._manifests = [
            {
                **{key: kind[key] for key in ("apiVersion", "kind", "spec")},
                "metadata": {key: kind["metadata"].get(key, {}) for key in ("name", "labels", "annotations")},
            }
            for kind in kept["items"]
        ]
        self._are_there = True

    def delete(self) -> None:
        """Take them away, with all objects of these kinds."""
        self._are_there = False
        self._cluster.kubectl("delete", "crd", *KINDS)

    def put_back(self) -> None:
        """Put them back if they are away, and return when all of the chart is in force again."""
        if not self._are_there:
            self._cluster.apply(*self._manifests)
            self._cluster.await_in_force()
            self._are_there = True


@pytest.fixture
def definitions(cluster: Installed) -> Iterator[Definitions]:
    """Return the definitions; they are there afterwards, whatever happened."""
    made = Definitions(cluster)
    yield made
    made.put_back()


async def test_kinds_that_are_deleted_end_what_was_granted_and_the_operator_comes_back_with_them(
    cluster: Installed,
    definitions: Definitions,
    new_operator: Callable[..., OperatorProcess],
    certificates: Path,
    read_log: Callable[[OperatorProcess], Evidence],
) -> None:
    """All requests are deleted with them. The process ends, and is started as Kubernetes would: its log says what to do.

    When that is done, it is ready by itself and grants again.
    """
    operator = new_operator()
    operator.start()
    try:
        await asyncio.to_thread(operator.await_ready)
        async with a_stage(cluster, certificates) as stage:
            place = await stage.place()
            asked = await place.active(place.people.alice, duration="1h")

            await asyncio.to_thread(definitions.delete)
            await asked.unbound()
            await asyncio.to_thread(operator.await_exit)
            await asyncio.to_thread(operator.start)
            await asyncio.to_thread(operator.await_said, SENTENCE)
            status, said = await asyncio.to_thread(operator.readyz)
            await asyncio.to_thread(definitions.put_back)
            await asyncio.to_thread(operator.await_ready)

            again = await stage.place()
            await (await again.ask(again.people.alice, "automatic")).phase("Active")
            async with asyncio.timeout(SOON):
                while "request.closed" not in (told := (await asyncio.to_thread(read_log, operator)).story(asked.uid)):
                    await a_moment()
    finally:
        operator.kill()
    assert (status, said["parts"]["cluster"]) == (503, "not everything is listed yet")
    assert {"grant.revoked", "grant.binding_removed"} & set(told)
    assert told[-1] == "request.closed"
