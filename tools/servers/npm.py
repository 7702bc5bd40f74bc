"""What tests take from npm: installed as a lock file of ours says, into the cache, whole or not at all."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.servers.build import locked
from tools.servers.errors import ServersError
from tools.servers.folders import MODULES, bin_folder
from tools.servers.toolchain import last_lines

FILES = ("package.json", "package-lock.json")
AZURITE = Path("azurite", "dist", "src", "blob", "main.js")
AXE = Path("axe-core", "axe.min.js")
"""The files that are wanted, below node_modules."""


class NodeMissing(ServersError):
    """There is no Node.js on this machine, or no npm."""


def azurite() -> tuple[str, str]:
    """Return the command that runs Azurite, installed before if it was not. Raise `NodeMissing` where it cannot run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = " and no ".join(f"`{name}`" for name, path in (("node", node), ("npm", npm)) if path is None)
        raise NodeMissing(
            f"Azurite, against which the tests of Azure run, is a Node.js program, and there is no {missing} on PATH. "
            "Install Node.js 18 or newer, with npm, to run them."
        )
    return node, str(_installed(npm, "azurite", "azurite", AZURITE, "about 1 min"))


def axe() -> Path:
    """Return the script of axe-core, installed before if it was not. Raise `NodeMissing` where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        raise NodeMissing(
            "axe-core, which looks at the page, comes from npm, and there is no `npm` on PATH. Install it."
        )
    return _installed(npm, "axe", "axe-core", AXE, "some seconds")


def _installed(npm: str, module: str, package: str, wanted: Path, time: str) -> Path:
    """Return a file of a package, which the lock file in the folder `module` names."""
    files = [MODULES / module / name for name in FILES]
    key = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    found = re.search(rf'"{package}": "([^"]+)"', files[0].read_text())
    if found is None:
        raise ServersError(f"{files[0]} does not name a version of {package}.")
    folder = bin_folder() / f"{package}-{found[1]}-{key}"
    with locked(folder.name, package):
        if not folder.exists():
            print(f"{package} {found[1]}: to be installed, once, into {folder} ({time}).", flush=True)
            _install(npm, package, files, folder, wanted)
    return folder / "node_modules" / wanted


def _install(npm: str, package: str, files: list[Path], folder: Path, wanted: Path) -> None:
    # We hold the lock, so these are of installations that died.
    for dead in folder.parent.glob(f".unfinished-{folder.name}-*"):
        shutil.rmtree(dead, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".unfinished-{folder.name}-", dir=folder.parent))
    try:
        for file in files:
            shutil.copy(file, unfinished)
        done = subprocess.run(
            # Only what the lock file names, with its hashes; nothing of it is run while it is installed.
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"],
            cwd=unfinished,
            env={**os.environ, "npm_config_cache": str(unfinished / ".npm")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not (unfinished / "node_modules" / wanted).exists():
            raise ServersError(f"{package} could not be installed. npm said:\n{last_lines(done.stderr)}")
        shutil.rmtree(unfinished / ".npm", ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
