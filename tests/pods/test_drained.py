"""Nodes are drained while access is held: first the leader's, then all. No end is late while a replica is left (P2, P7)."""

from collections.abc import Callable
from datetime import timedelta

from tests.pods.ground import ON_TIME, Ground, name_of, now, until
from tools.cluster.node import Node

Measured = Callable[[str, timedelta], None]


def drain(ground: Ground, node: Node) -> None:
    """Drain a node, as its owner would."""
    ground.kubectl("drain", node.name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=100s")


def test_the_leaders_node_is_drained(ground: Ground, measured: Measured) -> None:
    ground.await_replicas()
    name = ground.grant()
    node = ground.node_of(ground.leader())

    begun = now()
    try:
        drain(ground, node)
        measured("the drain took", now() - begun)
        pods = ground.await_replicas()
        assert node.name not in {pod["spec"]["nodeName"] for pod in pods}
        ended = ground.watch_the_end(name)
    finally:
        ground.kubectl("uncordon", node.name)

    measured("access was gone after its end, at most", ended.late)
    assert ended.late < ON_TIME
    assert ground.story_of(name)[-2:] == ["grant.expired", "request.closed"]
    ground.verify()


def test_all_nodes_are_drained_and_access_ends_when_one_is_back(ground: Ground, measured: Measured) -> None:
    """Nothing can run, not even the sweeper. What is overdue ends as soon as something can."""
    ground.await_replicas()
    name = ground.grant()

    try:
        for node in ground.cluster.nodes:
            drain(ground, node)
        assert not [pod for pod in ground.pods() if "nodeName" in pod["spec"]]
        until(lambda: now() > ground.end_of(name), "the end of the grant")
        assert ground.may_list_pods()  # nobody is there to end it
    finally:
        for node in ground.cluster.nodes:
            ground.kubectl("uncordon", node.name)
    back = now()
    ended = ground.watch_the_end(name)

    measured("access was gone after nodes were back", ended.refused - back)
    ground.await_replicas()
    assert "grant.expired" in ground.story_of(name)
    assert [name_of(pod) for pod in ground.pods()] != []
    ground.verify()
