"""What this machine must have for nodes with real pods, and the lock that lets one cluster at a time use it."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

from tools.cluster import cgroups
from tools.servers.errors import ServersError
from tools.servers.folders import cache_folder

PROGRAMS: Final = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "runc": "runc",
}
"""Each program that a node needs, and the Debian package that has it."""

PLUGIN_FOLDERS: Final = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
PLUGIN_PACKAGE: Final = "containernetworking-plugins"

HIDDEN: Final = (Path("/var"), Path("/run"))
"""A node has its own of these."""

NETWORKS: Final = ("10.243.", "10.244.", "10.245.")
"""Of nodes, of pods, of Services."""

LOCK: Final = Path("/run/curfew-cluster.lock")


def require_host() -> None:
    """Raise one message that says all that is missing."""
    lacks = missing()
    if lacks:
        raise ServersError(
            f"A cluster with real pods cannot be had here: {'; '.join(lacks)}.\n"
            "Where there is Docker, kind makes one: make cluster CLUSTER=kind. Without pods: make up (needs no root)."
        )


def missing() -> list[str]:
    """Return what is missing, in words."""
    if sys.platform != "linux":
        return [f"it needs Linux, and this is {sys.platform}"]
    lacks = []
    if os.geteuid() != 0:
        lacks.append("it needs root, for namespaces, mounts and a bridge")
    packages = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if not (plugin_folder() / "ptp").exists():
        packages.add(PLUGIN_PACKAGE)
    if packages:
        lacks.append(f"programs are missing (on Debian and Ubuntu: apt install {' '.join(sorted(packages))})")
    if not packages and os.geteuid() == 0 and (why := _refused()):
        lacks.append(f"this root may not make namespaces, bridges and control groups ({why})")
    if any(hidden in cache_folder().resolve().parents for hidden in HIDDEN):
        lacks.append(f"the cache {cache_folder()} is below /var or /run, which nodes do not see: set CURFEW_CACHE")
    return lacks


def _refused() -> str:
    """Return why this machine, perhaps a container, does not let us; the try leaves nothing behind."""
    namespaces = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--propagation=private"]
    tried = subprocess.run(
        [*namespaces, "ip", "link", "add", "x", "type", "bridge"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        return tried.stderr.strip()
    return "" if cgroups.may_be_made() else f"{cgroups.MOUNT} cannot be written to"


def plugin_folder() -> Path:
    """Return the folder with the network plugins, or the usual one if there are none."""
    return next((folder for folder in PLUGIN_FOLDERS if folder.is_dir()), PLUGIN_FOLDERS[0])


def require_free_networks(ours: str) -> None:
    """Raise if this machine has routes to the networks that the cluster uses, but for those on our own bridge."""
    listed = subprocess.run(["ip", "-json", "-4", "route", "show"], capture_output=True, text=True, check=True)
    for route in json.loads(listed.stdout):
        if route["dst"].startswith(NETWORKS) and route.get("dev") != ours:
            raise ServersError(
                f"This machine has a route to {route['dst']} by {route.get('dev')}, and the cluster would use that network."
            )


def take_host() -> IO[str]:
    """Return the open, locked file, or raise if a cluster has this machine."""
    lock = try_host()
    if lock is None:
        raise ServersError("Another cluster with real pods is up on this machine. Stop it: make cluster-down")
    return lock


def try_host() -> IO[str] | None:
    """Return the open, locked file, or None if a cluster has this machine."""
    lock = LOCK.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
