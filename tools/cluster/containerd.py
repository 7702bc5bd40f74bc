"""containerd in a node: its settings, and the network that it gives to pods."""

import json
from pathlib import Path
from typing import Final

from tools.cluster.host import plugin_folder
from tools.cluster.network import pod_network
from tools.cluster.pause import PAUSE

SOCKET: Final = Path("/run/containerd/containerd.sock")
"""Where containerd listens inside a node; nobody else sees it."""

CONFIG: Final = """\
version = 3
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{snapshotter}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{pause}"
[plugins.'io.containerd.cri.v1.runtime']
  # Root of a container on this machine may not be allowed to lower it.
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{plugins}"]
  conf_dir = "{networks}"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def write_settings(folder: Path, number: int) -> Path:
    """Write the settings of a node's containerd into its folder, and return the file."""
    networks = folder / "cni"
    networks.mkdir(exist_ok=True)
    # Each pod has a line of its own to its node, so that all goes by the node's routes and rules.
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": pod_network(number)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    network = {"cniVersion": "1.0.0", "name": "curfew", "plugins": [{"type": "ptp", "ipam": addresses}]}
    (networks / "curfew.conflist").write_text(json.dumps(network))
    settings = folder / "containerd.toml"
    settings.write_text(
        CONFIG.format(snapshotter=_snapshotter(folder), pause=PAUSE, plugins=plugin_folder(), networks=networks)
    )
    return settings


def _snapshotter(folder: Path) -> str:
    """Return how layers are laid over each other: an overlay cannot lie on another overlay, as in a container."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(Path(mount[1]), mount[2]) for mount in mounts if Path(mount[1]) in folder.resolve().parents]
    _, kind = max(above, key=lambda mount: len(mount[0].parts))
    return "native" if kind == "overlay" else "overlayfs"
