"""A defect below the watches ends neither the process nor what ends access: everything is listed and watched again."""

import asyncio
import functools
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import kopf
import pytest

from curfew.processes.operator import watching
from curfew.processes.operator.app import Operator

pytestmark = pytest.mark.looptime(start=0)


class FailingOperator(Operator):
    """An operator whose watches fail, as often as is asked for."""

    def __init__(self, failures: int) -> None:
        async def done(what: str, result: Any = None) -> Any:
            self.told.append(what)
            return result

        self.told: list[str] = []
        self.failures = failures
        parts = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: datetime.now(UTC)),
            cluster=SimpleNamespace(missing_kinds=functools.partial(done, "kinds", [])),
            lister=SimpleNamespace(relist=functools.partial(done, "list")),
            known=SimpleNamespace(requests=list),
            roles=SimpleNamespace(run=asyncio.Event().wait),
        )
        super().__init__(cast(Any, parts))

    async def _run_kopf(self) -> None:
        self.told.append("watch")
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError("Connection closed.")


async def test_after_a_defect_everything_is_listed_and_watched_again() -> None:
    operator = FailingOperator(failures=2)
    await operator._watch()
    assert operator.told == ["kinds", "list", "watch", "list", "watch", "list", "watch"]


async def test_when_asked_to_stop_a_defect_is_only_logged() -> None:
    operator = FailingOperator(failures=1)
    operator._supervisor.stop.set()
    await operator._watch()
    assert operator.told == ["kinds", "list"]


def test_a_watch_that_failed_does_not_end_the_process_later() -> None:
    """Kopf sends itself SIGKILL some time after it failed, unless it is told not to."""
    settings = kopf.OperatorSettings()
    watching.configure(settings)
    assert settings.process.ultimate_exiting_timeout is None
