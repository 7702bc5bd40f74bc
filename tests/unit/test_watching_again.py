"""A defect below the watches ends neither the process nor what ends access: everything is listed and watched again."""

import asyncio
import functools
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import kopf
import pytest

from curfew.ports import ClusterError
from curfew.processes.operator import watching
from curfew.processes.operator.app import WATCH_TRIES, WATCHED_WELL_SECONDS, Operator

pytestmark = pytest.mark.looptime(start=0)


class FailingOperator(Operator):
    """An operator whose watches fail, as often as is asked for."""

    def __init__(self, failures: int, after: float = 0) -> None:
        async def done(what: str) -> None:
            self.told.append(what)

        self.told: list[str] = []
        self.missing: list[str] = []  # once everything was listed
        self.failures = failures
        self.after = after  # seconds
        parts = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: datetime.now(UTC)),
            cluster=SimpleNamespace(missing_kinds=self._missing_kinds),
            lister=SimpleNamespace(relist=functools.partial(done, "list")),
            known=SimpleNamespace(requests=list),
            roles=SimpleNamespace(run=asyncio.Event().wait),
        )
        super().__init__(cast(Any, parts))

    async def _missing_kinds(self) -> list[str]:
        self.told.append("kinds")
        return self.missing if "list" in self.told else []

    async def _run_kopf(self) -> None:
        self.told.append("watch")
        if self.failures > 0:
            self.failures -= 1
            await asyncio.sleep(self.after)
            raise RuntimeError("Connection closed.")
        self._supervisor.stop.set()


async def test_after_a_defect_everything_is_listed_and_watched_again() -> None:
    operator = FailingOperator(failures=2)
    await operator._watch()
    assert operator.told == ["kinds", "list", "watch"] * 3


async def test_a_defect_that_lasts_ends_the_process() -> None:
    operator = FailingOperator(failures=100)
    with pytest.raises(ExceptionGroup):
        await operator._watch()
    assert operator.told.count("watch") == WATCH_TRIES


async def test_defects_far_apart_do_not_end_it() -> None:
    operator = FailingOperator(failures=3 * WATCH_TRIES, after=WATCHED_WELL_SECONDS)
    await operator._watch()
    assert operator.told.count("watch") == 3 * WATCH_TRIES + 1


async def test_when_the_kinds_are_gone_the_process_ends_to_begin_anew() -> None:
    operator = FailingOperator(failures=1)
    operator.missing = ["accessrequests.curfew.dev"]
    with pytest.raises(ClusterError, match=r"does not know accessrequests\.curfew\.dev"):
        await operator._watch()
    assert operator.told == ["kinds", "list", "watch", "kinds"]


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
