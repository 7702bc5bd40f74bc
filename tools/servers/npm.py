"""Azurite, which is an npm package: installed as its lock file says, into the cache, whole or not at all."""

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
MAIN = Path("node_modules", "azurite", "dist", "src", "blob", "main.js")


class NodeMissing(ServersError):
    """There is no Node.js on this machine, without which Azurite cannot run."""


def azurite() -> tuple[str, str]:
    """Return the command that runs Azurite, installed before if it was not. Raise `NodeMissing` where it cannot run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = " and no ".join(f"`{name}`" for name, path in (("node", node), ("npm", npm)) if path is None)
        raise NodeMissing(
            f"Azurite, against which the tests of Azure run, is a Node.js program, and there is no {missing} on PATH. "
            "Install Node.js 18 or newer, with npm, to run them."
        )
    files = [MODULES / "azurite" / name for name in FILES]
    key = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    found = re.search(r'"azurite": "([^"]+)"', files[0].read_text())
    if found is None:
        raise ServersError(f"{files[0]} does not name a version of azurite.")
    folder = bin_folder() / f"azurite-{found[1]}-{key}"
    with locked(folder.name, "azurite"):
        if not folder.exists():
            print(f"azurite {found[1]}: to be installed, once, into {folder} (about 1 min).", flush=True)
            _install(npm, files, folder)
    return node, str(folder / MAIN)


def _install(npm: str, files: list[Path], folder: Path) -> None:
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
        if done.returncode != 0 or not (unfinished / MAIN).exists():
            raise ServersError(f"Azurite could not be installed. npm said:\n{last_lines(done.stderr)}")
        shutil.rmtree(unfinished / ".npm", ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
