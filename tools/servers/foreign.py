"""Clusters that are not ours: one that exists, and one that kind makes. One becomes a person by impersonation."""

import base64
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tools.servers.build import binary
from tools.servers.cluster import Cluster, run_command
from tools.servers.errors import CommandFailed, ServersError
from tools.servers.pki import ADMIN, PEOPLE, write_private

KIND_SECONDS = 600.0


class ExistingCluster(Cluster):
    """The cluster of the current context of the user's kubeconfig. Its user must have the right to impersonate."""

    def __init__(self, folder: Path) -> None:
        """Ask nothing yet."""
        super().__init__(folder)
        self._cluster: dict[str, Any] = {}

    @property
    def kubectl_path(self) -> Path:
        """Return the user's own kubectl: it may know ways to log in that ours does not."""
        own = shutil.which("kubectl")
        return Path(own) if own else binary("kubectl")

    @property
    def server(self) -> str:
        """Return the API server's URL."""
        return str(self._cluster["server"])

    @property
    def ca(self) -> Path:
        """Return the file with the authority's certificate."""
        return self.folder / "ca.crt"

    def start(self) -> None:
        """Return when the cluster has answered."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_kubeconfig()
        try:
            self.kubectl("get", "--raw", "/readyz", user=ADMIN, timeout=30)
        except ServersError as error:
            raise ServersError(
                f"The cluster at {self.server} (current context of your kubeconfig) does not answer. Is it running, "
                f"and is it the one you mean?\n{error}"
            ) from error

    def stop(self) -> None:
        """Leave the cluster as it is: it is not ours."""

    def _as_person(self, user: str, program: Literal["kubectl", "helm"]) -> Sequence[str]:
        if user == ADMIN:
            return ()
        return ("--as" if program == "kubectl" else "--kube-as-user", PEOPLE[user])

    def _take_kubeconfig(self) -> None:
        """Copy the current context, so that switching it in another window does not lead us elsewhere."""
        try:
            asked = run_command(
                [str(self.kubectl_path), "config", "view", "--raw", "--flatten", "--minify", "--output=json"],
                os.environ,
                stdin=None,
                check=True,
                timeout=30,
            )
        except CommandFailed as error:
            raise ServersError(
                "CLUSTER=existing means the current context of your kubeconfig, and there is none. Set KUBECONFIG, or "
                f"leave CLUSTER unset for a control plane of your own.\n{error}"
            ) from error
        self._adopt(asked.stdout)

    def _adopt(self, config: str) -> None:
        self._cluster = json.loads(config)["clusters"][0]["cluster"]
        write_private(self.kubeconfig, config.encode())
        if data := self._cluster.get("certificate-authority-data"):
            write_private(self.ca, base64.b64decode(data))
        else:
            raise ServersError(
                f"The kubeconfig for {self.server} names no certificate authority; Curfew's tools want one "
                "(certificate-authority or certificate-authority-data)."
            )


class KindCluster(ExistingCluster):
    """A cluster in containers, made by kind for one run."""

    def __init__(self, folder: Path) -> None:
        """Make nothing yet."""
        super().__init__(folder)
        self._name = f"curfew-{secrets.token_hex(3)}"
        self._made = False

    @property
    def host(self) -> str:
        """Return this machine's address in the containers' network."""
        asked = ["docker", "network", "inspect", "kind", "--format={{range .IPAM.Config}}{{.Gateway}} {{end}}"]
        gateways = run_command(asked, os.environ, stdin=None, check=True, timeout=30).stdout.split()
        return next(gateway for gateway in gateways if ":" not in gateway)

    def start(self) -> None:
        """Return when kind has made the cluster and it has answered."""
        require_kind()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._made = True
        made = self.folder / "kind.kubeconfig"
        print(f"kind: making the cluster {self._name}; a minute or two.", flush=True)
        self._kind("create", "cluster", f"--name={self._name}", f"--kubeconfig={made}", "--wait=180s")
        asked = run_command(
            [str(self.kubectl_path), f"--kubeconfig={made}", "config", "view", "--raw", "--flatten", "--output=json"],
            os.environ,
            stdin=None,
            check=True,
            timeout=30,
        )
        self._adopt(asked.stdout)

    def stop(self) -> None:
        """Delete the cluster."""
        if self._made:
            self._kind("delete", "cluster", f"--name={self._name}", f"--kubeconfig={self.folder / 'kind.kubeconfig'}")
            self._made = False

    def _kind(self, *args: str) -> None:
        run_command(["kind", *args], os.environ, stdin=None, check=True, timeout=KIND_SECONDS)


def require_kind() -> None:
    """Raise one message that names all that kind needs and this machine lacks."""
    lacks = [f"`{program}` on PATH" for program in ("kind", "docker") if shutil.which(program) is None]
    if not lacks:
        info = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
        if info.returncode != 0:
            lacks.append("a running Docker that this user may use (`docker info` fails)")
    if lacks:
        raise ServersError(
            f"CLUSTER=kind needs kind and Docker; this machine lacks {' and '.join(lacks)}. Install that, or leave "
            "CLUSTER unset: the control plane then runs without containers."
        )
