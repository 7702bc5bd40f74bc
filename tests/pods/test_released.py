"""Helm upgrades and rolls back while access is held: all pods are replaced, and no end is late (P2)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.pods.ground import ON_TIME, Ground, name_of
from tools.installation import CHART

BEFORE = timedelta(seconds=50)
"""How long before the end helm begins: it replaces pods while the grant goes on, and perhaps ends."""


@pytest.mark.parametrize(
    "command",
    [
        ("upgrade", "curfew", str(CHART), "--reset-then-reuse-values", "--set", "config.log.level=debug", "--wait"),
        ("rollback", "curfew", "--wait"),
    ],
    ids=["upgrade", "rollback"],
)
def test_all_pods_are_replaced_while_access_is_held(
    ground: Ground, measured: Callable[[str, timedelta], None], command: tuple[str, ...]
) -> None:
    before = {name_of(pod) for pod in ground.await_replicas()}
    name = ground.grant()

    ended = ground.watch_the_end(name, BEFORE, lambda: ground.helm(*command))

    measured(f"{command[0]}: access was gone after its end, at most", ended.late)
    assert ended.refused > ended.promised - timedelta(seconds=1)
    assert ended.late < ON_TIME
    after = {name_of(pod) for pod in ground.await_replicas()}
    assert not before & after
    assert ground.story_of(name)[-2:] == ["grant.expired", "request.closed"]
    ground.verify()
