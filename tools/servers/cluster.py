"""A cluster to work against, whoever runs it: kubectl as this or that person, and service-account tokens."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from tools.servers import kubeconfig
from tools.servers.build import binary
from tools.servers.errors import CommandFailed, ServersError
from tools.servers.pki import ADMIN, PEOPLE
from tools.servers.ports import LOOPBACK

COMMAND_SECONDS = 120.0

Done = subprocess.CompletedProcess[str]
"""A command that has ended: its output and its exit status."""


class Cluster(ABC):
    """What tests and the demo ask of a cluster; each kind says how it is made and how one becomes a person there."""

    def __init__(self, folder: Path) -> None:
        """Keep everything of this cluster in `folder`."""
        self.folder = folder
        self.kubeconfig: Path = folder / "kubeconfig"

    @property
    @abstractmethod
    def server(self) -> str:
        """Return the API server's URL."""

    @property
    def host(self) -> str:
        """Return the address at which servers of this machine are reached from the cluster; known once it is started."""
        return LOOPBACK

    @property
    @abstractmethod
    def ca(self) -> Path:
        """Return the file with the certificate of the authority that the API server's certificate is from."""

    @abstractmethod
    def start(self) -> None:
        """Return when the cluster can be used."""

    @abstractmethod
    def stop(self) -> None:
        """Take away what `start` has made. Stopping twice is harmless."""

    @abstractmethod
    def _as_person(self, user: str, program: Literal["kubectl", "helm"]) -> Sequence[str]:
        """Return the program's arguments that make the caller this person."""

    @property
    def kubectl_path(self) -> Path:
        """Return the kubectl to use."""
        return binary("kubectl")

    def program_folders(self) -> list[Path]:
        """Return the folders with the kubectl and the helm to use, for a PATH."""
        return [self.kubectl_path.parent, binary("helm").parent]

    def environ(self) -> Mapping[str, str]:
        """Return the variables with which kubectl and helm find this cluster and leave the user's own files alone."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            # Ports come back in later runs; what kubectl remembers of a cluster must not.
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
            "HELM_CACHE_HOME": str(self.folder / "helm" / "cache"),
            "HELM_CONFIG_HOME": str(self.folder / "helm" / "config"),
            "HELM_DATA_HOME": str(self.folder / "helm" / "data"),
        }

    def kubectl(
        self,
        *args: str,
        user: str = "alice",
        stdin: str | None = None,
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
    ) -> Done:
        """Run kubectl as a person; raise `CommandFailed` when it fails, unless `check` is off."""
        command = [str(self.kubectl_path), *self._as_person(known(user), "kubectl"), *args]
        return run_command(command, {**os.environ, **self.environ()}, stdin=stdin, check=check, timeout=timeout)

    def helm(
        self,
        *args: str,
        user: str = ADMIN,
        stdin: str | None = None,
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
    ) -> Done:
        """Run helm as a person; raise `CommandFailed` when it fails, unless `check` is off."""
        command = [str(binary("helm")), *self._as_person(known(user), "helm"), *args]
        return run_command(command, {**os.environ, **self.environ()}, stdin=stdin, check=check, timeout=timeout)

    def token(
        self, service_account: str, namespace: str, duration_seconds: int = 3600, *, options: Sequence[str] = ()
    ) -> str:
        """Return a new token of a service account, made with more options of kubectl's.

        The API server issues none for less than ten minutes.
        """
        where = ("--namespace", namespace, f"--duration={duration_seconds}s")
        asked = self.kubectl("create", "token", service_account, *where, *options, user=ADMIN)
        return asked.stdout.strip()

    def kubeconfig_for_token(self, path: Path, token: str | Path) -> Path:
        """Write a kubeconfig for a token, or for a file (a Path) that holds one and may be renewed."""
        return kubeconfig.write_for_token(path, server=self.server, ca=self.ca.read_bytes(), token=token)


def known(user: str) -> str:
    """Return the user, or raise if there is none of this name."""
    if user != ADMIN and user not in PEOPLE:
        raise ServersError(f"There is no {user} here; there are {', '.join([*PEOPLE, ADMIN])}.")
    return user


def run_command(
    command: Sequence[str], environ: Mapping[str, str], *, stdin: str | None, check: bool, timeout: float
) -> Done:
    """Run a command that ends by itself; raise `CommandFailed` with its own words when it fails."""
    words = " ".join([Path(command[0]).name, *command[1:]])
    try:
        done = subprocess.run(
            command,
            input=stdin,
            # Without input there is none; waiting for the terminal would hang.
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env=environ,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise ServersError(f"`{words}` had not ended after {timeout:.0f} s.") from error
    if check and done.returncode != 0:
        raise CommandFailed(words, done.returncode, done.stdout, done.stderr)
    return done
