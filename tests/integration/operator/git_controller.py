"""A small GitOps controller: as a service account, it applies what a Git repository holds, and deletes what has left it.

Argo CD and Flux do these steps in this order: fetch, server-side apply that takes back every field of theirs, prune, and
then ask each object how it is. How they judge that is in `argo_cd` and `kstatus`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from lupa.lua51 import LuaRuntime, lua_type

from tools.servers.cluster import Cluster, Done, run_command

EXAMPLES: Final = Path(__file__).parents[3] / "examples" / "gitops"
HEALTH: Final = yaml.safe_load((EXAMPLES / "argo-cd" / "health.yaml").read_text())["data"]
WAVE: Final = "argocd.argoproj.io/sync-wave"

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Kind and name."""


class Repository:
    """A Git repository in which people commit manifests."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")

    def commit(self, **files: str | None) -> None:
        """Commit manifests by name; None removes one."""
        for name, text in files.items():
            path = self.folder / f"{name}.yaml"
            path.unlink() if text is None else path.write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message=What somebody has merged")


@dataclass
class GitController:
    """The controller of one repository."""

    repository: Repository
    checkout: Path
    cluster: Cluster
    kubeconfig: Path
    namespace: str
    applied: set[Key] = field(default_factory=set)

    def sync(self) -> Done:
        """Fetch, apply, prune; return what the apply printed, also if something was refused."""
        if self.checkout.exists():
            git(self.checkout, "pull", "--quiet", "--ff-only")
        else:
            git(self.repository.folder, "clone", "--quiet", str(self.repository.folder), str(self.checkout))
        wanted = sorted(self._manifests(), key=lambda one: int(one["metadata"].get("annotations", {}).get(WAVE, "0")))
        done = self.kubectl(
            *("apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-"),
            stdin=yaml.safe_dump_all(wanted),
        )
        keys = {(one["kind"], one["metadata"]["name"]) for one in wanted}
        for kind, name in self.applied - keys:
            self.kubectl("delete", kind, name, "--ignore-not-found", "--wait=false").check_returncode()
        self.applied = keys
        return done

    def kubectl(self, *args: str, stdin: str | None = None) -> Done:
        """Run kubectl as the service account, in its namespace."""
        environ = {**os.environ, **self.cluster.environ(), "KUBECONFIG": str(self.kubeconfig)}
        command = [str(self.cluster.kubectl_path), f"--namespace={self.namespace}", *args]
        return run_command(command, environ, stdin=stdin, check=False, timeout=60)

    def _manifests(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self.checkout.glob("*.yaml")):
            yield from (one for one in yaml.safe_load_all(path.read_text()) if one)


def git(folder: Path, *args: str) -> None:
    """Run git as somebody, whatever the machine's own settings are."""
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    run_command(["git", "-C", str(folder), *who, *args], environ, stdin=None, check=True, timeout=60)


def argo_cd(shown: Object) -> tuple[str, str]:
    """Return health and message as Argo CD gets them from the example's script, run by Lua 5.1 as Argo CD does."""
    lua = LuaRuntime(register_eval=False, register_builtins=False, unpack_returned_tuples=True)
    lua.globals()["obj"] = lua.table_from(shown, recursive=True)
    answer = lua.execute(HEALTH[f"resource.customizations.health.curfew.dev_{shown['kind']}"])
    assert lua_type(answer) == "table"
    return answer["status"], answer["message"]


def kstatus(shown: Object) -> str:
    """Return what Flux and `kubectl wait`-like tools make of an object (sigs.k8s.io/cli-utils, kstatus: the generic rules)."""
    meta, status = shown["metadata"], shown.get("status", {})
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    if "deletionTimestamp" in meta:
        return "Terminating"
    if status.get("observedGeneration", meta["generation"]) != meta["generation"]:
        return "InProgress"
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"
