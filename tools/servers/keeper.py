"""The process behind `up`: it keeps an environment until it is asked to end.

Whoever is up holds a lock on up.lock: first the `up` command, which builds, then the keeper, to which it hands the
open file. The kernel lets go of the lock when its holder ends, however it ends, so a state file that nobody holds the
lock to is stale, and no process id in it needs to be believed.
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tools.servers.environment import Environment
from tools.servers.errors import ServersError
from tools.servers.folders import run_folder
from tools.servers.launch import end_with_parent, outlive_parent
from tools.servers.pki import write_private

State = dict[str, Any]

READY = "ready"


def lock_path() -> Path:
    """Return the file whose lock says that something is up."""
    return run_folder() / "up.lock"


def state_path() -> Path:
    """Return the file that says what is up."""
    return run_folder() / "up.json"


def try_lock() -> IO[str] | None:
    """Return the open, locked file, or None if something is up."""
    run_folder().mkdir(parents=True, exist_ok=True)
    lock = lock_path().open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def await_lock(seconds: float) -> bool:
    """Wait until nothing is up any more; tell whether that happened in time."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with lock_path().open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return True


def write_state(state: State) -> None:
    """Replace the state file as a whole: a reader sees the old one or the new one. It holds keys, so it is private."""
    unfinished = state_path().with_suffix(".unfinished")
    write_private(unfinished, json.dumps(state, indent=2).encode())
    unfinished.replace(state_path())


def read_state() -> State | None:
    """Return what the state file says, or None if there is none that can be read."""
    try:
        state = json.loads(state_path().read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return state if isinstance(state, dict) and "pid" in state else None


def remove_state() -> None:
    """Forget what was up."""
    state_path().unlink(missing_ok=True)


def describe(environment: Environment) -> State:
    """Return what others need to know of an environment that is up."""
    cluster = environment.cluster
    return {
        "status": READY,
        "pid": os.getpid(),
        "folder": str(environment.folder),
        "cluster": environment.choice,
        "server": cluster.server,
        "environ": environment.environ(),
        "path": [str(path) for path in cluster.program_folders()],
        "servers": [{"name": server.name, "pid": server.pid, "log": str(server.log)} for server in environment.servers],
    }


def keep(report: int) -> None:
    """Start an environment, report through the pipe that it is ready, or why not, and stop it when asked to end."""
    # Until it is ready, `up` waits for it; if `up` dies, so does this, and by the same promise every server.
    end_with_parent()
    with os.fdopen(report, "w") as pipe, _ends_when_asked():
        try:
            environment = Environment()
            environment.start()
        except ServersError as error:
            pipe.write(str(error))
            sys.exit(1)
        try:
            write_state(describe(environment))
            outlive_parent()
            pipe.write(READY)
            pipe.close()
            while True:
                signal.pause()
        finally:
            remove_state()
            environment.stop()


class Asked(BaseException):
    """Somebody asked this process to end; not an Exception, so that nothing takes it for a failure."""


@contextlib.contextmanager
def _ends_when_asked() -> Iterator[None]:
    def end(*_: object) -> None:
        # Once is enough: a second request must not break the teardown off.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Asked

    signal.signal(signal.SIGTERM, end)
    with contextlib.suppress(Asked):
        yield
