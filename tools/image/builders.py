"""The programs that can build an image, and what each is asked: the same, so that the image is the same each time."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.image.errors import ImageError

Command = list[str]


@dataclass(frozen=True, slots=True)
class Build:
    """One image to build."""

    base: str
    tag: str
    epoch: int
    """Every file in the image and the image itself are this old, in seconds since 1970."""

    labels: Mapping[str, str]
    archive: Path
    certificates: Path | None = None
    """The certificates that pip trusts, if not its own."""

    def options(self) -> Command:
        """Return what every builder understands."""
        options = ["--no-cache", "--tag", self.tag, "--build-arg", f"BASE={self.base}"]
        for name, value in self.labels.items():
            options += ["--label", f"{name}={value}"]
        if self.certificates is not None:
            options += ["--secret", f"id=pip-cert,src={self.certificates}"]
        return options


def _buildah(build: Build) -> list[Command]:
    same = ["--timestamp", str(build.epoch), "--identity-label=false", "--pull=false"]
    return [
        ["buildah", "bud", *same, *build.options(), "."],
        ["buildah", "push", "--quiet", "--format", "oci", build.tag, f"oci-archive:{build.archive}:{build.tag}"],
    ]


def _podman(build: Build) -> list[Command]:
    same = ["--timestamp", str(build.epoch), "--identity-label=false", "--pull=missing"]
    return [
        ["podman", "build", *same, *build.options(), "."],
        ["podman", "save", "--quiet", "--format", "oci-archive", "--output", str(build.archive), build.tag],
    ]


def _docker(build: Build) -> list[Command]:
    same = ["--build-arg", f"SOURCE_DATE_EPOCH={build.epoch}", "--provenance=false"]
    to = ["--output", f"type=oci,dest={build.archive},rewrite-timestamp=true"]
    return [["docker", "buildx", "build", *same, *build.options(), *to, "."]]


BUILDERS: Final[Mapping[str, Callable[[Build], list[Command]]]] = {
    "buildah": _buildah,
    "podman": _podman,
    "docker": _docker,
}
"""The first that is on PATH builds."""


def commands(build: Build) -> list[Command]:
    """Return what builds the image and writes its archive on this machine, or raise `ImageError`."""
    for program, asked in BUILDERS.items():
        if shutil.which(program) is not None:
            return asked(build)
    raise ImageError(
        "An image is built by buildah, podman or docker, and none of them is on PATH.\n"
        "On Debian and Ubuntu: apt install buildah. Without a daemon and namespaces (as root): BUILDAH_ISOLATION=chroot."
    )
