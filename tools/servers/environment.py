"""Everything that the demo and the tests run against: a cluster and a bucket server, in one run folder."""

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.cluster.pods import PodCluster
from tools.servers.binaries import NODE
from tools.servers.build import build
from tools.servers.cluster import COMMAND_SECONDS, Cluster
from tools.servers.control_plane import ControlPlane
from tools.servers.errors import ServersError
from tools.servers.folders import OwnFolder
from tools.servers.foreign import ExistingCluster, KindCluster
from tools.servers.pki import ADMIN
from tools.servers.processes import Server
from tools.servers.s3 import S3Server

OUR_OWN = ("etcd", "versitygw", "kubectl", "helm", "kube-apiserver", "kube-controller-manager")

NEEDED: Mapping[str, Sequence[str]] = {
    "local": OUR_OWN,
    "pods": (*OUR_OWN, *(binary.name for binary in NODE)),
    "existing": ("versitygw", "kubectl", "helm"),
    "kind": ("versitygw", "kubectl", "helm"),
}
"""Which binaries each choice of CLUSTER needs."""


def chosen_cluster(environ: Mapping[str, str] = os.environ) -> str:
    """Return what CLUSTER says: local, pods, existing or kind."""
    choice = environ.get("CLUSTER") or "local"
    if choice not in NEEDED:
        raise ServersError(f"CLUSTER is {choice!r}; it can be {', '.join(NEEDED)}, or unset for local.")
    return choice


class Environment:
    """A cluster and an S3 server that live as long as the `with` block."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        choice: str | None = None,
        bucket_server: bool = True,
        durable: bool = False,
        mutating_admission: bool = True,
        apiserver_args: Sequence[str] = (),
    ) -> None:
        """Start nothing yet. Without a folder, one is made for the run and removed after it."""
        self.choice = choice or chosen_cluster()
        self._bucket_server = bucket_server
        self._own_folder: OwnFolder | None = None
        if folder is None:
            self._own_folder = OwnFolder()
            folder = self._own_folder.path
        self.folder = folder
        self.s3 = S3Server(self.folder / "s3")
        cluster_folder = self.folder / "cluster"
        self.cluster: Cluster
        if self.choice in ("local", "pods"):
            kind = ControlPlane if self.choice == "local" else PodCluster
            self.cluster = kind(
                cluster_folder,
                durable=durable,
                mutating_admission=mutating_admission,
                apiserver_args=apiserver_args,
            )
        elif self.choice == "existing":
            self.cluster = ExistingCluster(cluster_folder)
        else:
            self.cluster = KindCluster(cluster_folder)

    @property
    def control_plane(self) -> ControlPlane:
        """Return the cluster as our own control plane, or raise: others have no audit log and no server to restart."""
        if isinstance(self.cluster, ControlPlane):
            return self.cluster
        raise ServersError(f"This needs a control plane of our own, and CLUSTER is {self.choice}.")

    @property
    def servers(self) -> list[Server]:
        """Return all servers that have been started."""
        started = self.cluster.servers if isinstance(self.cluster, ControlPlane) else []
        return [*self.s3.servers, *started]

    def environ(self) -> dict[str, str]:
        """Return the variables by which kubectl, helm and S3 clients find all of it."""
        return {**self.cluster.environ(), **(self.s3.env() if self._bucket_server else {})}

    def kubectl(
        self,
        *args: str,
        user: str = "alice",
        stdin: str | None = None,
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a person."""
        return self.cluster.kubectl(*args, user=user, stdin=stdin, check=check, timeout=timeout)

    def helm(
        self,
        *args: str,
        user: str = ADMIN,
        stdin: str | None = None,
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run helm as a person."""
        return self.cluster.helm(*args, user=user, stdin=stdin, check=check, timeout=timeout)

    def start(self) -> None:
        """Build what is missing and return when all of it is ready; leave nothing running when that fails."""
        try:
            build([name for name in NEEDED[self.choice] if self._bucket_server or name != "versitygw"])
            self.cluster.start()
            if self._bucket_server:
                self.s3.host = self.cluster.host
                self.s3.start()
        except BaseException as error:
            # An interrupted start is nobody's riddle; a failed one is, and its logs are in the folder.
            self._take_down(remove=not isinstance(error, Exception))
            raise

    def stop(self) -> None:
        """Stop all of it. Stopping twice is harmless."""
        self._take_down(remove=True)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _take_down(self, *, remove: bool) -> None:
        with contextlib.ExitStack() as steps:  # in reverse, each even if one before it fails
            if self._own_folder is not None:
                steps.callback(self._own_folder.close, remove=remove)
            # Asked to stop, servers wait for clients: for ten seconds, when a test or its process has connections open.
            is_thrown_away = self._own_folder is not None and remove and isinstance(self.cluster, ControlPlane)
            steps.callback(self.s3.kill if is_thrown_away else self.s3.stop)
            steps.callback(self.control_plane.kill if is_thrown_away else self.cluster.stop)
