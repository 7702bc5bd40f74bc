"""Who has a turn when records become durable: whoever may wait for that, and nobody else."""

from collections.abc import Callable
from typing import Any

import pytest

from curfew.core.keys import Key, RequestKey
from curfew.processes.operator.observer import UNAWAITED, Observer
from tests.support.stage import Stage, active, pending


class Silent:
    """Hears of everything and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return what does nothing."""
        return lambda *_, **__: None


def woken(stage: Stage, *events: str) -> list[Key]:
    """Return whose turn it is when all records of these events become durable."""
    keys: list[Key] = []
    silent: Any = Silent()
    observer = Observer(
        stage.store, silent, silent, None, silent, namespace="curfew", me="me", clock=stage.clock, add=keys.append
    )
    observer.durable([record for record in stage.log if record.event in events])
    return keys


@pytest.mark.parametrize("event", sorted(UNAWAITED))
async def test_who_waits_for_people_or_for_the_end_has_no_turn(event: str) -> None:
    """Nothing would become of it."""
    stage = Stage()
    await active(stage)

    assert event in stage.events()
    assert woken(stage, event) == []


async def test_who_waits_for_an_announcement_or_an_end_has_a_turn() -> None:
    """Access is given, or the end is shown."""
    stage = Stage()
    uid = await active(stage)

    assert woken(stage, "grant.intended") == [RequestKey(uid)]
    assert woken(stage, "request.accepted", "review.approved") == [RequestKey(uid)]


async def test_a_status_that_shows_that_the_log_was_away_is_put_right() -> None:
    """Whatever it waits for otherwise (promise P11)."""
    stage = Stage()
    stage.trail.ok = False
    uid = await pending(stage)
    assert (stage.phase(), stage.condition("Recorded")["status"]) == ("Pending", "False")
    stage.trail.ok = True
    stage.trail.flush()

    assert woken(stage, "request.accepted") == [RequestKey(uid)]


async def test_a_request_that_is_gone_has_a_turn() -> None:
    """Its story may be over with this record."""
    stage = Stage()
    uid = await pending(stage)
    stage.store.memories.saw_gone(uid)

    assert woken(stage, "request.accepted") == [RequestKey(uid)]
