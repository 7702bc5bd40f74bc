"""The cluster with real pods: the control plane of tools/servers with all its controllers, a scheduler, and nodes."""

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final

from tools.cluster import cgroups, network
from tools.cluster.host import require_free_networks, require_host, take_host
from tools.cluster.node import Node
from tools.servers import kubeconfig
from tools.servers.binaries import NODE
from tools.servers.build import build
from tools.servers.control_plane import ControlPlane
from tools.servers.errors import ServersError
from tools.servers.pki import ADMIN, ADMIN_GROUP, Authority
from tools.servers.ports import LOOPBACK
from tools.servers.processes import Server, answers, on_free_ports

NODES: Final = 2
READY_SECONDS: Final = 120.0
KUBELET_CLIENT: Final = "apiserver-kubelet-client"


class PodCluster(ControlPlane):
    """A cluster of this machine only, with nodes that run pods. It needs Linux and root, and one at a time can be up."""

    controllers = ("*",)
    service_network = network.SERVICES
    service_address = network.KUBERNETES_SERVICE

    def __init__(self, folder: Path, *, nodes: int = NODES, **options: Any) -> None:
        """Start nothing yet."""
        super().__init__(folder, **options)
        self._count = nodes
        self._lock: IO[str] | None = None
        self._scheduler: Server | None = None
        self._authority: Authority | None = None
        self.nodes: list[Node] = []
        self.add_apiserver_args(
            [
                f"--kubelet-client-certificate={self._pki / KUBELET_CLIENT}.crt",
                f"--kubelet-client-key={self._pki / KUBELET_CLIENT}.key",
                f"--kubelet-certificate-authority={self.ca}",
                "--kubelet-preferred-address-types=InternalIP",
            ]
        )

    @property
    def host(self) -> str:
        """Return this machine's address on the bridge: nodes, pods and people use the same."""
        return network.HOST

    @property
    def servers(self) -> list[Server]:
        """Return the servers that have been started."""
        more = [self._scheduler] if self._scheduler else []
        return [*super().servers, *more, *(server for node in self.nodes for server in node.servers)]

    def environ(self) -> Mapping[str, str]:
        """Return the variables for kubectl and helm: no proxy stands between them and the bridge."""
        direct = f"{LOOPBACK},localhost,{self.host}"
        return {**super().environ(), "NO_PROXY": direct, "no_proxy": direct}

    def start(self) -> None:
        """Return when all nodes are Ready; leave nothing behind when that fails."""
        require_host()
        binaries = build([binary.name for binary in NODE])
        self._lock = take_host()
        try:
            remove_leftovers()
            require_free_networks(network.BRIDGE)
            network.make_bridge()
            self.nodes = [Node(number, self.folder, binaries) for number in range(1, self._count + 1)]
            super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take nodes, control plane, bridge and control groups away."""
        with contextlib.ExitStack() as steps:  # in reverse, each even if one before it fails
            if self._lock is not None:
                steps.callback(self._lock.close)
                steps.callback(remove_leftovers)
            steps.callback(super().stop)
            steps.callback(self.stop_apiserver)  # it would wait for the watches of nodes that are gone
            if self._scheduler is not None:
                steps.callback(self._scheduler.stop)
            for node in self.nodes:
                steps.callback(node.stop)
        self._lock = None

    def kill(self) -> None:
        """Do as `stop` does: whatever it takes away is on this machine, also when nobody needs the data any more."""
        self.stop()

    def load(self, archive: Path) -> None:
        """Let all nodes take the images of an archive in."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.load(archive), self.nodes))

    def start_node(self, node: Node) -> None:
        """Start a node that was stopped, or lost its power, with its disk."""
        if self._authority is None:
            raise ServersError("The control plane was not started.")
        node.start(self.server, self.ca, self._authority)
        others = [other.number for other in self.nodes if other is not node]
        network.connect_pods(node.number, node.machine_pid, others)

    def await_ready(self, node: Node) -> None:
        """Return when the node says that it is ready for pods."""
        asked = (f"node/{node.name}", f"--timeout={READY_SECONDS:.0f}s")
        self.kubectl("wait", "--for=create", *asked, user=ADMIN, timeout=READY_SECONDS)
        self.kubectl("wait", "--for=condition=Ready", *asked, user=ADMIN, timeout=READY_SECONDS)

    def _write_keys(self) -> Authority:
        authority = super()._write_keys()
        self._write_identity(KUBELET_CLIENT, authority.client("kube-apiserver-kubelet-client", [ADMIN_GROUP]))
        self._authority = authority
        return authority

    def _start_others(self, authority: Authority) -> None:
        self._scheduler = on_free_ports(lambda: self._start_scheduler(authority))
        for node in self.nodes:
            self.start_node(node)
        for node in self.nodes:
            self.await_ready(node)

    def _start_scheduler(self, authority: Authority) -> Server:
        port = self._new_port()
        own = kubeconfig.write_for_people(
            self._pki / "scheduler.kubeconfig",
            server=self.server,
            ca=authority.certificate,
            people={"scheduler": authority.client("system:kube-scheduler")},
            current="scheduler",
        )
        command: Sequence[str | Path] = [
            build(["kube-scheduler"])["kube-scheduler"],
            f"--kubeconfig={own}",
            f"--authentication-kubeconfig={own}",
            f"--authorization-kubeconfig={own}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={port}",
            f"--tls-cert-file={self._pki / 'apiserver.crt'}",
            f"--tls-private-key-file={self._pki / 'apiserver.key'}",
            "--leader-elect=false",
        ]
        return self._launch("kube-scheduler", command, lambda: answers(port, "/healthz", self._tls))


def remove_leftovers() -> None:
    """Take away what a cluster leaves on this machine that was killed: who calls this holds the machine's lock."""
    cgroups.remove()
    for number in range(1, 10):
        network.disconnect(number)
    network.remove_bridge()
