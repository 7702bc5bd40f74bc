"""One file with Curfew and all its packages, for machines with nothing but a Python. pex makes it, from the same lock."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.image.origin import CHECKOUT
from tools.release.errors import ReleaseError

LOCK: Final = Path(__file__).parent / "requirements.lock"


def name(version: str) -> str:
    """Return the file's name: it holds compiled packages, so it is for one platform and one version of Python."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"curfew-{version}-{sys.implementation.cache_tag}-{platform}.pex"


def make(wheel: Path, target: Path, scratch: Path, epoch: int) -> None:
    """Make the file from Curfew's wheel and requirements.lock, with times of `epoch` (seconds since 1970)."""
    python = scratch / "pex" / "bin" / "python"
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "PEX_ROOT": str(scratch / "pex-root")}
    _run([sys.executable, "-m", "venv", str(scratch / "pex")], environ)
    _run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)], environ)
    trusted = ["--cert", environ["PIP_CERT"]] if "PIP_CERT" in environ else []
    command = [
        *(str(python), "-m", "pex", *trusted),
        # Every package is in the lock, with its hash; the wheel was made here.
        *("--requirement", str(CHECKOUT / "requirements.lock"), "--no-transitive", "--constraints", os.devnull),
        # An environment is made at the first start. From then on it starts as fast as an installed command.
        *("--venv", "--sh-boot", "--entry-point", "curfew.cli.one_file:run"),
        *("--output-file", str(target)),
    ]
    unpacked = scratch / "sources"
    _run([str(python), "-m", "zipfile", "-e", str(wheel), str(unpacked)], environ)
    _run([*command, "--sources-directory", str(unpacked)], environ)


def _run(command: Sequence[str], environ: dict[str, str]) -> None:
    ended = subprocess.run(command, cwd=CHECKOUT, env=environ, check=False).returncode
    if ended:
        raise ReleaseError(f"`{' '.join(command[:4])} ...` ended with {ended}.")
