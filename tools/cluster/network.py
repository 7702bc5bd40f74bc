"""The network between this machine and the nodes: one bridge here, and a pair of interfaces for each node.

Nothing of it leads out of this machine. What a node does to its own network ends with its namespace.
"""

import subprocess
from typing import Final

BRIDGE: Final = "curfew0"
HOST: Final = "10.243.0.1"
"""This machine, as nodes and pods see it."""

PODS: Final = "10.244.0.0/16"
SERVICES: Final = "10.245.0.0/24"
KUBERNETES_SERVICE: Final = "10.245.0.1"


def node_address(number: int) -> str:
    """Return the address of a node."""
    return f"10.243.0.{10 + number}"


def pod_network(number: int) -> str:
    """Return the addresses of a node's pods."""
    return f"10.244.{number}.0/24"


def make_bridge() -> None:
    """Make the bridge, with this machine's address on it."""
    ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "add", f"{HOST}/24", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")


def remove_bridge() -> None:
    """Take the bridge away, with all routes over it, if it is there."""
    ip("link", "delete", BRIDGE, check=False)


def connect(number: int, machine: int) -> None:
    """Give a node its address and its ways: to this machine, and to the other nodes' pods. `machine` is its process 1."""
    outside, address = f"curfew-node{number}", node_address(number)
    ip("link", "delete", outside, check=False)
    ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", str(machine))
    ip("link", "set", outside, "master", BRIDGE, "up")
    inside = ("nsenter", f"--target={machine}", "--net")
    for arguments in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{address}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", HOST),
    ):
        _run(*inside, "ip", *arguments)
    _run(*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    ip("route", "replace", pod_network(number), "via", address)


def connect_pods(number: int, machine: int, others: list[int]) -> None:
    """Let a node reach the pods of others without this machine between."""
    for other in others:
        way = ("route", "replace", pod_network(other), "via", node_address(other))
        _run("nsenter", f"--target={machine}", "--net", "ip", *way)
    if number == 1:
        # The API server calls webhooks in pods by their Service: the first node leads it there.
        ip("route", "replace", SERVICES, "via", node_address(number))


def disconnect(number: int) -> None:
    """Take a node's interface away, if it is there."""
    ip("link", "delete", f"curfew-node{number}", check=False)


def ip(*arguments: str, check: bool = True) -> None:
    """Run ip on this machine."""
    _run("ip", *arguments, check=check)


def _run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, capture_output=True)
