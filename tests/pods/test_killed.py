"""In the last second of a grant the leader's pod, its process or its whole node is killed. Access ends on time (P2, P7)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.pods.ground import ON_TIME, Ground, until
from tools.installation import SYSTEM

LAST_SECOND = timedelta(seconds=0.8)


@pytest.mark.parametrize("how", ["pod deleted by force", "process killed", "power cut"])
def test_the_leader_goes_in_the_last_second(
    ground: Ground, measured: Callable[[str, timedelta], None], how: str
) -> None:
    ground.await_replicas()
    name = ground.grant()
    leader = ground.leader()
    node = ground.node_of(leader)
    actions: dict[str, Callable[[], None]] = {
        "pod deleted by force": lambda: ground.delete_at_once(leader),
        "process killed": lambda: ground.kill_container(leader),
        "power cut": node.cut_power,
    }

    ended = ground.watch_the_end(name, LAST_SECOND, actions[how])

    measured(f"{how}: access was gone after its end, at most", ended.late)
    assert ended.refused > ended.promised - timedelta(seconds=1)
    assert ended.late < ON_TIME
    if how == "power cut":
        # The other replica takes the lead over, while the node is away.
        until(lambda: ground.leader() != leader, "that another replica leads")
        ground.cluster.start_node(node)
        ground.cluster.await_ready(node)
        restarted = f"--field-selector=metadata.name={leader}"
        ground.kubectl("wait", "pod", restarted, "--for=condition=Ready", f"--namespace={SYSTEM}", "--timeout=120s")
    ground.await_replicas()
    assert ground.story_of(name)[-2:] == ["grant.expired", "request.closed"]
    assert ground.bindings() == []
    ground.verify()
