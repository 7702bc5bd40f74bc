"""Curfew's image for the cluster: built once for each state of the sources.

Its base is the public one, a given one, or one of Debian's packages.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.image.builders import BUILDERS
from tools.image.origin import CHECKOUT, project, public_base
from tools.servers.errors import ServersError
from tools.servers.folders import cache_folder
from tools.servers.toolchain import last_lines

SOURCES: Final = (
    "Dockerfile",
    "requirements.lock",
    "requirements-build.lock",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)

DEBIAN: Final = "trixie"
DEBIAN_BASE: Final = f"localhost/curfew-base:{DEBIAN}"
DEBIAN_PACKAGES: Final = "python3,python3-venv,ca-certificates"


def image_name() -> str:
    """Return the name under which nodes know the image."""
    return f"localhost/curfew:{project()['version']}"


def lacks(base: str | None) -> list[str]:
    """Return what is missing for the image to be built, in words."""
    if not any(map(shutil.which, BUILDERS)):
        return ["no program is there that builds images (on Debian and Ubuntu: apt install buildah)"]
    try:
        if not base:
            _base(only_look=True)
    except ServersError as error:
        return [str(error)]
    return []


def image_archive(base: str | None) -> Path:
    """Return the archive with the image, built before if the sources have changed since it was."""
    folder = cache_folder() / "images"
    archive = folder / f"curfew-{_key(base)}.oci.tar"
    if archive.exists():
        return archive
    base = base or _base()
    print(f"Building the image on {base}; a minute or two.", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".unfinished")
    command = [sys.executable, "-m", "tools.image", "build", "--base", base, "--to", str(unfinished)]
    done = subprocess.run(command, cwd=CHECKOUT, env=_environ(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServersError(f"The image could not be built:\n{last_lines(done.stdout + done.stderr, 20)}")
    for older in folder.glob("curfew-*"):
        if older != unfinished:
            older.unlink()
    unfinished.rename(archive)
    return archive


def _key(base: str | None) -> str:
    digest = hashlib.sha256((base or "").encode())
    sources = [CHECKOUT / name for name in SOURCES]
    sources += sorted(path for path in (CHECKOUT / "operator").rglob("*") if "__pycache__" not in path.parts)
    for path in sources:
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(CHECKOUT)} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def _base(*, only_look: bool = False) -> str:
    """Return the public base if its registry answers, and otherwise one of Debian's packages, made now unless we only look."""
    public = public_base()
    if shutil.which("buildah") is None:  # another builder fetches it by itself
        return public
    if _buildah("pull", "--quiet", "--policy", "missing", public, check=False).returncode == 0:
        return public
    if _buildah("inspect", "--type=image", DEBIAN_BASE, check=False).returncode == 0:
        return DEBIAN_BASE
    if shutil.which("debootstrap") is None:
        raise ServersError(
            f"The public base {public} cannot be fetched. Give another one that has Python 3.13 with venv: make cluster "
            "BASE=IMAGE. Or let it be made of Debian's packages: apt install debootstrap, and make cluster again."
        )
    if only_look:
        return DEBIAN_BASE
    print(
        f"{public} cannot be fetched: making a base of Debian's packages ({DEBIAN}), about 2 minutes, once.", flush=True
    )
    _make_debian_base()
    return DEBIAN_BASE


def _make_debian_base() -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", DEBIAN, str(root)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise ServersError(f"debootstrap made no base:\n{last_lines(made.stdout + made.stderr)}")
        shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
        shutil.rmtree(root / "var" / "lib" / "apt" / "lists", ignore_errors=True)
        container = _buildah("from", "scratch").stdout.strip()
        try:
            _buildah("add", "--quiet", container, str(root), "/")
            _buildah("commit", "--quiet", container, DEBIAN_BASE)
        finally:
            _buildah("rm", container, check=False)


def _buildah(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["buildah", *arguments], env=_environ(), capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise ServersError(f"`buildah {arguments[0]}` failed:\n{last_lines(done.stderr)}")
    return done


def _environ() -> dict[str, str]:
    """Return our environment with what lets buildah work anywhere, unless it is set to something else."""
    return {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs", **os.environ}
