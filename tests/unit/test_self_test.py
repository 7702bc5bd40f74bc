"""What `helm test` looks at: each thing that is wrong is named, and what is slow to come is waited for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from curfew.adapters.readiness import NoAnswer, read_readiness
from curfew.processes.self_test import Unseen, look_until_good

pytestmark = pytest.mark.looptime
PARTS = {"enforcement": "All admission policies are in force."}


@dataclass
class Installed:
    """An installation as it is found."""

    missing: list[str] = field(default_factory=list)
    ready: list[int] = field(default_factory=lambda: [2])
    answer: tuple[bool, Mapping[str, str]] | str = (True, PARTS)

    async def missing_kinds(self) -> list[str]:
        """Return what is missing."""
        return self.missing

    async def replicas(self) -> tuple[int, int]:
        """Return how many are ready: at each look the next number."""
        return self.ready.pop(0) if len(self.ready) > 1 else self.ready[0], 2

    async def readiness(self) -> tuple[bool, Mapping[str, str]]:
        """Answer for the operator."""
        if isinstance(self.answer, str):
            raise Unseen(self.answer)
        return self.answer


async def looked_at(installed: Installed) -> tuple[bool, list[str]]:
    said: list[str] = []
    return await look_until_good(installed, 60, said.append), said


async def test_all_is_well() -> None:
    is_good, said = await looked_at(Installed())

    assert is_good
    assert said == [
        "ok    kinds: all definitions are served",
        "ok    operators: 2 of 2 are ready",
        "ok    work: an operator can do all its work\n        enforcement: All admission policies are in force.",
    ]


async def test_what_is_slow_is_waited_for() -> None:
    is_good, _ = await looked_at(Installed(ready=[0, 1, 1, 2]))

    assert is_good


@pytest.mark.parametrize(
    ("installed", "complaint"),
    [
        (Installed(missing=["accesslocks.curfew.dev"]), "WRONG kinds: the API server does not serve accesslocks"),
        (Installed(ready=[1]), "WRONG operators: 1 of 2 are ready"),
        (Installed(answer=(False, {"enforcement": "not in force"})), "WRONG work: an operator cannot do all its work"),
        (Installed(answer=(True, {"leader": "another one"})), "WRONG work: no operator that leads has answered"),
        (Installed(answer="no operator answers"), "WRONG work: no operator answers"),
    ],
)
async def test_what_is_wrong_is_named(installed: Installed, complaint: str) -> None:
    is_good, said = await looked_at(installed)

    assert not is_good
    assert any(line.startswith(complaint) for line in said), said


@pytest.mark.looptime(False)
@pytest.mark.parametrize("body", ["", "[]", '{"ready": true}', "<html>"])
async def test_an_answer_of_somebody_else_is_none(body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_get("/readyz", answer)
    async with TestServer(app) as server:
        with pytest.raises(NoAnswer, match="not Curfew's"):
            await read_readiness(str(server.make_url("/readyz")))
    with pytest.raises(NoAnswer):
        await read_readiness("http://127.0.0.1:1/readyz")
