"""Build what is missing from the pinned Go modules, into the cache, whole or not at all."""

import contextlib
import fcntl
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.servers.binaries import BY_NAME, Recipe, go_version, recipe
from tools.servers.errors import ServersError
from tools.servers.folders import bin_folder
from tools.servers.progress import Progress
from tools.servers.spawn import spawn
from tools.servers.toolchain import as_numbers, find_go, go_platform, last_lines

REGISTRY_TROUBLE = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake|connection refused|proxyconnect|network is unreachable"
    r"|module lookup disabled|502 Bad Gateway|503 Service"
)
# A line of `go build -v`: the import path of a package, and nothing else.
PACKAGE = re.compile(r"[\w.~-]+(/[\w.~-]+)*")


def binary(name: str) -> Path:
    """Return the path of a binary, built before if it was not."""
    return build([name])[name]


def build(names: Sequence[str] = tuple(BY_NAME)) -> dict[str, Path]:
    """Build those of the named binaries that the cache lacks, and return where all of them are."""
    platform = go_platform()
    recipes = [recipe(BY_NAME[name], platform) for name in BY_NAME if name in names]
    missing = [one for one in recipes if not one.is_built]
    if missing:
        print(f"To be built, once, into {bin_folder()} (times are for two cores):")
        for one in missing:
            print(f"    {one.binary.name} {one.version}: {one.binary.expected}", flush=True)
        newest = max((go_version((one.module_folder / "go.mod").read_text()) for one in missing), key=as_numbers)
        go = find_go(newest)
        for one in missing:
            _build_one(go, one)
    return {one.binary.name: one.path for one in recipes}


def _build_one(go: Path, wanted: Recipe) -> None:
    with locked(wanted.folder_name, wanted.binary.name):
        if wanted.is_built:  # by whoever held the lock before us
            return
        parent = bin_folder()
        # We hold the lock, so these are of builds that died.
        for dead in parent.glob(f".unfinished-{wanted.folder_name}-*"):
            shutil.rmtree(dead, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".unfinished-{wanted.folder_name}-", dir=parent))
        try:
            result = unfinished / "result"
            result.mkdir()
            (unfinished / "tmp").mkdir()
            _run_go(go, wanted, result / wanted.binary.name, unfinished / "tmp")
            result.rename(wanted.path.parent)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def locked(folder_name: str, what: str) -> Iterator[None]:
    """Let one at a time make a folder of the cache; say so to whoever waits."""
    parent = bin_folder()
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / f".{folder_name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{what}: another build of it is under way; waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_go(go: Path, wanted: Recipe, target: Path, scratch: Path) -> None:
    command: list[str | Path] = [go, *wanted.arguments, "-v", "-o", str(target), wanted.binary.package]
    environ = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "GOTMPDIR": str(scratch),
    }
    # Where Go came as a package, its own idea of where it lives must not be taken from the machine's.
    environ.pop("GOROOT", None)
    said: list[str] = []
    with Progress(f"{wanted.binary.name} {wanted.version}") as progress:
        process = spawn(command, output=subprocess.PIPE, environ=environ, folder=wanted.module_folder)
        try:
            compiled = 0
            detail = "looking at what is there"
            for line in _lines(process):
                if line is None:
                    pass  # nothing new, but time goes by
                elif line.startswith("go: downloading "):
                    detail = f"fetching {line.removeprefix('go: downloading ')}"
                elif PACKAGE.fullmatch(line):
                    compiled += 1
                    detail = f"{compiled} packages compiled, now {line}"
                else:
                    said.append(line)
                progress.tick(detail)
            returncode = process.wait()
        except BaseException:
            _end(process)
            raise
        if returncode != 0:
            raise _failure(wanted, "\n".join(said))


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str | None]:
    """Yield what a process says, line by line, and None each quarter second in which it says nothing."""
    assert process.stdout is not None  # noqa: S101  asked for by the only caller
    pending = b""
    with selectors.DefaultSelector() as selector, process.stdout as stdout:
        selector.register(stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(timeout=0.25):
                yield None
                continue
            chunk = os.read(stdout.fileno(), 65536)
            if not chunk:
                break
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace").rstrip()
    if pending:
        yield pending.decode(errors="replace").rstrip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End go and its compilers. It cleans up when interrupted; it is killed if it takes its time."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            pass
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(wanted: Recipe, said: str) -> ServersError:
    if REGISTRY_TROUBLE.search(said):
        return ServersError(
            f"{wanted.binary.name} could not be built: a Go module it needs could not be fetched from the Go module "
            f"proxy. Check the network, or set GOPROXY to a proxy that this machine reaches, and try again.\n"
            f"{last_lines(said)}"
        )
    return ServersError(f"{wanted.binary.name} could not be built. Go said:\n{last_lines(said, 40)}")
