"""The control groups under which a node's pods run: the one thing of a node that its namespaces do not take along."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MOUNT: Final = Path("/sys/fs/cgroup")
NAME: Final = "curfew-cluster"
PATIENCE_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05


def may_be_made() -> bool:
    """Tell whether there are hierarchies in which we may make groups."""
    hierarchies = list(_hierarchies()) if MOUNT.is_dir() else []
    return bool(hierarchies) and all(os.access(hierarchy, os.W_OK) for hierarchy in hierarchies)


def make(node: str) -> str:
    """Make the groups of a node, one in each hierarchy, and return their path there, as a kubelet wants it."""
    path = f"{NAME}/{node}"
    for hierarchy in _hierarchies():
        (hierarchy / path).mkdir(parents=True, exist_ok=True)
        cpuset = hierarchy / "cpuset.cpus"
        if cpuset.exists() and not (hierarchy / "cgroup.controllers").exists():
            _fill_cpuset(hierarchy, path)
    return f"/{path}"


def remove() -> None:
    """End what still runs in the groups of all nodes, and take the groups away."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := [hierarchy / NAME for hierarchy in _hierarchies() if (hierarchy / NAME).exists()]:
        for group in left:
            for folder, _, _ in os.walk(group, topdown=False):
                _end_processes(Path(folder))
                # A process that was killed a moment ago keeps its group a little longer.
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        if time.monotonic() > deadline:
            raise TimeoutError(f"Processes in {left[0]} do not end.")
        time.sleep(POLL_SECONDS)


def _hierarchies() -> Iterator[Path]:
    """Yield the one hierarchy of version 2, or each of version 1, beside which one of version 2 may be."""
    if (MOUNT / "cgroup.controllers").exists():
        yield MOUNT
        return
    seen = set()
    for folder in sorted(MOUNT.iterdir()):
        if folder.is_dir() and folder.is_mount() and folder.stat().st_dev not in seen:
            seen.add(folder.stat().st_dev)
            yield folder


def _fill_cpuset(hierarchy: Path, path: str) -> None:
    """Give each new group of version 1 all processors and memory: it has none, and may then hold no process."""
    parent = hierarchy
    for part in path.split("/"):
        parent, above = parent / part, parent
        for name in ("cpuset.cpus", "cpuset.mems"):
            (parent / name).write_text((above / name).read_text())


def _end_processes(group: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
