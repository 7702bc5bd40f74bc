"""Which binaries there are, at which versions, and the key under which each is cached.

The versions stand in one place only: the go.mod beside this package.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.servers.errors import ServersError
from tools.servers.folders import MODULES, bin_folder


@dataclass(frozen=True, slots=True)
class Binary:
    """One program, and how it is built."""

    name: str
    folder: str
    module: str
    package: str
    expected: str
    """How long a first build takes on two cores, for people who wait."""
    version_flags: tuple[str, ...] = ()
    """Linker flags without which the program would not know its own version; {version}, {major}, {minor}."""
    tags: tuple[str, ...] = ()
    """Build tags."""


KUBERNETES_VERSION_FLAGS = (
    "-X k8s.io/component-base/version.gitVersion={version}",
    "-X k8s.io/component-base/version.gitMajor={major}",
    "-X k8s.io/component-base/version.gitMinor={minor}",
    "-X k8s.io/component-base/version.gitTreeState=clean",
)


def _kubernetes(name: str, expected: str, folder: str = "kubernetes") -> Binary:
    return Binary(
        name=name,
        folder=folder,
        module="k8s.io/kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        expected=expected,
        version_flags=KUBERNETES_VERSION_FLAGS,
    )


def _helm(name: str, major: str, expected: str) -> Binary:
    return Binary(
        name=name,
        folder=name,
        module=f"helm.sh/helm/{major}",
        package=f"helm.sh/helm/{major}/cmd/helm",
        expected=expected,
        version_flags=(f"-X helm.sh/helm/{major}/internal/version.version={{version}}",),
    )


def _prometheus(name: str, expected: str) -> Binary:
    return Binary(
        name=name,
        folder="prometheus",
        module="github.com/prometheus/prometheus",
        package=f"github.com/prometheus/prometheus/cmd/{name}",
        expected=expected,
        version_flags=("-X github.com/prometheus/common/version.Version={version}",),
        # Without the clients of two dozen clouds, which would find machines to scrape: half of what is to be compiled.
        tags=("remove_all_sd",),
    )


def _containerd(name: str, expected: str) -> Binary:
    return Binary(
        name=name,
        folder="containerd",
        module="github.com/containerd/containerd/v2",
        package=f"github.com/containerd/containerd/v2/cmd/{name}",
        expected=expected,
        version_flags=("-X github.com/containerd/containerd/v2/version.Version={version}",),
        # Without filesystems that no node here is on.
        tags=("no_btrfs", "no_devmapper", "no_zfs"),
    )


# The small ones first: whoever watches sees that it works before the long wait.
SERVERS: tuple[Binary, ...] = (
    Binary(
        name="etcd",
        folder="etcd",
        module="go.etcd.io/etcd/server/v3",
        package="go.etcd.io/etcd/server/v3",
        expected="about 40 s",
    ),
    Binary(
        name="versitygw",
        folder="versitygw",
        module="github.com/versity/versitygw",
        package="github.com/versity/versitygw/cmd/versitygw",
        expected="about 1 min",
        version_flags=("-X main.Version={version}",),
    ),
    Binary(
        name="fake-gcs-server",
        folder="fake-gcs-server",
        module="github.com/fsouza/fake-gcs-server",
        package="github.com/fsouza/fake-gcs-server",
        expected="about 1 min",
    ),
    _kubernetes("kubectl", "about 1 min"),
    _helm("helm", "v4", "about 1 min 30 s"),
    # Many still upgrade with it, and it changes objects in another way: it patches them, and does not apply on the server.
    _helm("helm3", "v3", "about 30 s after helm"),
    _kubernetes("kube-apiserver", "about 3 to 5 min"),
    _kubernetes("kube-controller-manager", "about 1 min"),
    _prometheus("prometheus", "about 1 min 45 s"),
    _prometheus("promtool", "about 45 s"),
)

# What a node with real pods has, in modules of their own: who runs no pods never fetches or builds them.
NODE: tuple[Binary, ...] = (
    _containerd("containerd", "about 1 min 30 s"),
    _containerd("containerd-shim-runc-v2", "about 30 s"),
    _containerd("ctr", "about 15 s"),
    _kubernetes("kube-scheduler", "about 1 min", "node"),
    _kubernetes("kube-proxy", "about 15 s", "node"),
    _kubernetes("kubelet", "about 1 min", "node"),
)

BINARIES: tuple[Binary, ...] = (*SERVERS, *NODE)

BY_NAME: Mapping[str, Binary] = {binary.name: binary for binary in BINARIES}


def required_version(go_mod: str, module: str) -> str:
    """Return the version at which a go.mod requires `module`."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ServersError(f"The go.mod does not require {module}.")
    return found[1]


def go_version(go_mod: str) -> str:
    """Return the Go version that a go.mod wants."""
    found = re.search(r"^go (\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ServersError("The go.mod has no go line.")
    return found[1]


def linker_flags(binary: Binary, version: str) -> str:
    """Return what to hand to the Go linker."""
    major, minor, *_ = [*version.removeprefix("v").split("."), ""]
    flags = [flag.format(version=version, major=major, minor=minor) for flag in binary.version_flags]
    return " ".join(["-s", "-w", *flags])


def cache_key(go_mod: bytes, go_sum: bytes, flags: Sequence[str], platform: str) -> str:
    """Return 16 hex digits that change whenever the built binary would."""
    digest = hashlib.sha256()
    for part in (go_mod, go_sum, " ".join(flags).encode(), platform.encode()):
        # With its length before it, no part can run over into the next.
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One binary at its pinned version, on this platform: what to run, and where the result goes."""

    binary: Binary
    version: str
    arguments: tuple[str, ...]
    key: str

    @property
    def folder_name(self) -> str:
        """Return the name of the cache folder that holds the binary."""
        return f"{self.binary.name}-{self.version}-{self.key}"

    @property
    def path(self) -> Path:
        """Return where the built binary is, or will be."""
        return bin_folder() / self.folder_name / self.binary.name

    @property
    def module_folder(self) -> Path:
        """Return the folder with the go.mod."""
        return MODULES / self.binary.folder

    @property
    def is_built(self) -> bool:
        """Tell whether the cache has it; a folder appears there only whole."""
        return self.path.exists()


def recipe(binary: Binary, platform: str) -> Recipe:
    """Return how to build `binary` for a platform such as linux/amd64."""
    folder = MODULES / binary.folder
    go_mod, go_sum = (folder / "go.mod").read_bytes(), (folder / "go.sum").read_bytes()
    version = required_version(go_mod.decode(), binary.module)
    tags = (f"-tags={','.join(binary.tags)}",) if binary.tags else ()
    flags = ("-trimpath", "-buildvcs=false", "-mod=readonly", *tags, "-ldflags", linker_flags(binary, version))
    arguments = ("build", *flags)
    return Recipe(binary, version, arguments, cache_key(go_mod, go_sum, (*arguments, binary.package), platform))
