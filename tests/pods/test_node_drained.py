"""The leader's node is drained while access is held: another replica leads, and the end is not late (P2, P7)."""

from collections.abc import Callable
from datetime import timedelta

from tests.pods.ground import ON_TIME, Ground
from tools.cluster.node import Node

Measured = Callable[[str, timedelta], None]

BEFORE = timedelta(seconds=50)
"""How long before the end the drain begins."""


def drain(ground: Ground, node: Node) -> None:
    """Drain a node, as its owner would."""
    ground.kubectl("drain", node.name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=100s")


def test_the_leaders_node_is_drained(ground: Ground, measured: Measured) -> None:
    ground.await_replicas()
    name = ground.grant()
    node = ground.node_of(ground.leader())

    try:
        # While she looks on: the drain may take until after the end.
        ended = ground.watch_the_end(name, BEFORE, lambda: drain(ground, node))
        pods = ground.await_replicas()
        assert node.name not in {pod["spec"]["nodeName"] for pod in pods}
    finally:
        ground.kubectl("uncordon", node.name)

    measured("access was gone after its end, at most", ended.late)
    assert ended.late < ON_TIME
    assert ground.story_of(name)[-2:] == ["grant.expired", "request.closed"]
    ground.verify()
