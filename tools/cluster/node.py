"""A node: containerd, a kubelet and a kube-proxy in namespaces of their own. What they mount and set up ends with them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tools.cluster import cgroups, containerd, network
from tools.cluster.pause import write_pause_image
from tools.servers import kubeconfig
from tools.servers.errors import ServersError
from tools.servers.pki import Authority, write_private
from tools.servers.processes import Server, clean_environ, stop_all
from tools.servers.toolchain import last_lines

MACHINE: Final = Path(__file__).with_name("machine.py")
CTR_SECONDS: Final = 300.0


class Node:
    """One node. It is a machine to the cluster: it can be started, stopped, and lose its power."""

    def __init__(self, number: int, folder: Path, binaries: Mapping[str, Path]) -> None:
        """Start nothing yet. Nodes are counted from 1."""
        self.number = number
        self.name = f"node{number}"
        self.address = network.node_address(number)
        self.folder = folder / self.name
        self._binaries = binaries
        self._servers: list[Server] = []

    @property
    def servers(self) -> Sequence[Server]:
        """Return what was started, the machine first."""
        return self._servers

    def start(self, api: str, ca: Path, authority: Authority) -> None:
        """Return when its kubelet, its kube-proxy and its containerd run; the node is Ready some seconds later."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start_machine()
            self._start_containerd()
            self._start_kubelet(api, ca, authority)
            self._start_proxy(api, authority)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take the machine away, with all that runs in it."""
        self.cut_power()

    def cut_power(self) -> None:
        """End everything in it at once. Its disk stays."""
        machine, *inside = [*self._servers, None]
        if machine is not None and machine.is_running:
            machine.kill()
        stop_all(inside)
        self._servers.clear()
        network.disconnect(self.number)

    def load(self, archive: Path) -> None:
        """Take the images of an archive in."""
        load(self.folder, self._binaries["ctr"], archive)

    def command(self, *words: str | Path) -> list[str]:
        """Return what runs a command in the node."""
        return inside(self.folder, *words)

    def _start_machine(self) -> None:
        (self.folder / "up").unlink(missing_ok=True)
        for name in ("lib", "log", "tmp"):
            (self.folder / "var" / name).mkdir(parents=True, exist_ok=True)
        run = self.folder / "var" / "run"
        if not run.is_symlink():
            run.symlink_to("/run")
        namespaces = ("--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child=SIGKILL", "--propagation=private")
        machine = self._launch(
            "machine", [_program("unshare"), *namespaces, sys.executable, "-I", "-S", MACHINE, self.folder]
        )
        machine.await_ready((self.folder / "up").exists)
        (pid,) = Path(f"/proc/{machine.pid}/task/{machine.pid}/children").read_text().split()
        (self.folder / "pid").write_text(pid)
        network.connect(self.number, int(pid))

    @property
    def machine_pid(self) -> int:
        """Return process 1 of the node, as this machine counts processes."""
        return int((self.folder / "pid").read_text())

    def _start_containerd(self) -> None:
        settings = containerd.write_settings(self.folder, self.number)
        # It looks for its shim and for runc on PATH.
        path = f"{self._binaries['containerd-shim-runc-v2'].parent}:{os.environ['PATH']}"
        server = self._launch(
            "containerd",
            [*self.command("env", f"PATH={path}"), self._binaries["containerd"], f"--config={settings}"],
        )
        asked = self.command(self._binaries["ctr"], "--connect-timeout=1s", "version")
        server.await_ready(lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0)
        pause = self.folder / "pause.tar"
        write_pause_image(pause)
        self.load(pause)

    def _start_kubelet(self, api: str, ca: Path, authority: Authority) -> None:
        own = self._kubeconfig("kubelet", api, authority, f"system:node:{self.name}", ["system:nodes"])
        identity = authority.server(self.name, [self.address])
        certificate = write_private(self.folder / "kubelet.crt", identity.certificate)
        key = write_private(self.folder / "kubelet.key", identity.key)
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.address,
            "healthzBindAddress": self.address,
            "readOnlyPort": 0,
            "tlsCertFile": str(certificate),
            "tlsPrivateKeyFile": str(key),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(ca)},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{containerd.SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroups.make(self.name),
            "failCgroupV1": False,
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            # Images come by hand, and nothing would bring them back.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            # There is no DNS: pods use addresses.
            "clusterDNS": [],
            "resolvConf": "",
        }
        settings = self._write("kubelet.yaml", config)
        self._launch(
            "kubelet",
            [
                *self.command(self._binaries["kubelet"]),
                f"--config={settings}",
                f"--kubeconfig={own}",
                f"--hostname-override={self.name}",
                f"--node-ip={self.address}",
            ],
        )

    def _start_proxy(self, api: str, authority: Authority) -> None:
        own = self._kubeconfig("kube-proxy", api, authority, "system:kube-proxy", [])
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(own)},
            "clusterCIDR": network.PODS,
            "bindAddress": self.address,
            "healthzBindAddress": f"{self.address}:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            # The table of connections is the machine's; its size is not ours to set.
            "conntrack": {"maxPerCore": 0},
            "hostnameOverride": self.name,
        }
        settings = self._write("kube-proxy.yaml", config)
        self._launch("kube-proxy", [*self.command(self._binaries["kube-proxy"]), f"--config={settings}"])

    def _kubeconfig(self, name: str, api: str, authority: Authority, user: str, groups: Sequence[str]) -> Path:
        return kubeconfig.write_for_people(
            self.folder / f"{name}.kubeconfig",
            server=api,
            ca=authority.certificate,
            people={name: authority.client(user, groups)},
            current=name,
        )

    def _write(self, name: str, config: Mapping[str, Any]) -> Path:
        path = self.folder / name
        path.write_text(yaml.safe_dump(dict(config)))
        return path

    def _launch(self, name: str, command: Sequence[str | Path]) -> Server:
        log = self.folder / f"{name}.log"
        server = Server(f"{self.name} {name}", command, log=log, environ=clean_environ(network.HOST))
        self._servers.append(server)
        return server


def load(folder: Path, ctr: Path, archive: Path) -> None:
    """Take the images of an archive into the node that is in a folder."""
    asked = inside(folder, ctr, "--namespace=k8s.io", "images", "import", "--all-platforms", archive)
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=CTR_SECONDS)
    if done.returncode != 0:
        raise ServersError(f"{folder.name} did not take {archive} in:\n{last_lines(done.stderr)}")


def inside(folder: Path, *words: str | Path) -> list[str]:
    """Return what runs a command in the node that is in a folder."""
    pid = (folder / "pid").read_text()
    return [_program("nsenter"), f"--target={pid}", "--mount", "--pid", "--net", "--ipc", *map(str, words)]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ServersError(f"There is no {name} on PATH.")
    return found
