"""`python -m tools.servers`: build, up, down, status, env."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import IO

from tools.servers import keeper
from tools.servers.binaries import BY_NAME, SERVERS
from tools.servers.build import build
from tools.servers.environment import NEEDED, chosen_cluster
from tools.servers.errors import ServersError
from tools.servers.folders import MODULES, run_folder
from tools.servers.pki import PEOPLE
from tools.servers.progress import minutes
from tools.servers.spawn import spawn

DOWN_SECONDS = 60.0
START_SECONDS = 15.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.servers", description="A real control plane and a real bucket, without containers."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build_parser = commands.add_parser("build", help="build the servers and programs that are missing")
    build_parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of {', '.join(BY_NAME)} (all but a node's)"
    )
    commands.add_parser("up", help="start everything in the background")
    commands.add_parser("down", help="stop everything")
    commands.add_parser("status", help="show what is up (exit status 1 if nothing is)")
    commands.add_parser("env", help='print shell exports; use: eval "$(python -m tools.servers env)"')
    keep = commands.add_parser("keep")  # no help: `up` runs it
    keep.add_argument("lock", type=int)
    keep.add_argument("report", type=int)
    chosen = parser.parse_args(arguments)
    try:
        match chosen.command:
            case "build":
                return build_command(chosen.names)
            case "up":
                return up_command()
            case "down":
                return down_command()
            case "status":
                return status_command()
            case "env":
                return env_command()
            case _:
                keeper.keep(chosen.report)
                return 0
    except ServersError as error:
        print(error, file=sys.stderr)
        return 1


def build_command(names: list[str]) -> int:
    """Build what is missing and say where everything is."""
    if unknown := [name for name in names if name not in BY_NAME]:
        raise ServersError(f"There is no {' or '.join(unknown)} to build; there are {', '.join(BY_NAME)}.")
    for name, path in build(names or [server.name for server in SERVERS]).items():
        print(f"{name}: {path}")
    return 0


def up_command() -> int:
    """Start everything in the background, unless it is up, and say what is there."""
    print(summary(bring_up()))
    return 0


def bring_up() -> keeper.State:
    """Start everything in the background, unless it is up, and return what is there."""
    choice = chosen_cluster()
    lock = keeper.try_lock()
    if lock is None:
        return _already_up()
    with lock:
        keeper.remove_state()  # whoever wrote it is dead, or we would not have the lock
        keeper.write_state({"status": "starting", "pid": os.getpid()})
        try:
            build(NEEDED[choice])
            _start_keeper(lock)
        except BaseException:
            keeper.remove_state()
            raise
    state = keeper.read_state()
    if state is None:
        raise ServersError("It was up, and was stopped right away by another command.")
    return state


def down_command() -> int:
    """Stop everything, if anything is up."""
    lock = keeper.try_lock()
    if lock is not None:
        with lock:
            keeper.remove_state()
        print("Nothing is up.")
        return 0
    state = keeper.read_state()
    if state is None:
        raise ServersError("Something is just being started or stopped; try again in a moment.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(state["pid"], signal.SIGTERM)
    try:
        in_time = keeper.await_lock(DOWN_SECONDS)
    except KeyboardInterrupt:
        _kill_keeper(state["pid"])
        raise
    if not in_time:
        _kill_keeper(state["pid"])
    print("Everything is stopped.")
    return 0


def status_command() -> int:
    """Say what is up."""
    state = keeper.read_state()
    lock = keeper.try_lock()
    if lock is not None:
        lock.close()
        print("Nothing is up.")
        return 1
    if state is None or state["status"] != keeper.READY:
        print("Being started or stopped.")
        return 1
    ended = [server for server in state["servers"] if not _is_running(server["pid"])]
    print(summary(state))
    for server in ended:
        print(f"But {server['name']} has ended; its log is {server['log']}.")
    return 1 if ended else 0


def env_command() -> int:
    """Print shell exports."""
    state = keeper.read_state()
    lock = keeper.try_lock()
    if lock is not None:
        lock.close()
    if lock is not None or state is None or state["status"] != keeper.READY:
        raise ServersError("Nothing is up. Start it with: make up")
    exports: Mapping[str, str] = state["environ"]
    for name, value in exports.items():
        print(f"export {name}={shlex.quote(value)}")
    print(f'export PATH={shlex.quote(":".join(state["path"]))}:"$PATH"')
    return 0


def summary(state: keeper.State) -> str:
    """Return what is up, in words, with what to do next."""
    names = ", ".join(f"{server['name']} ({server['pid']})" for server in state["servers"])
    environ = state["environ"]
    own = state["cluster"] in ("local", "pods")
    example = "--context alice" if own else f"--as {PEOPLE['alice']}"
    people = f"contexts admin, {', '.join(PEOPLE)}" if own else "people by --as"
    return "\n".join(
        [
            f"Up: {names}",
            f"    Kubernetes   {state['server']}",
            f"    kubeconfig   {environ['KUBECONFIG']} ({people})",
            f"    S3           {environ['AWS_ENDPOINT_URL']}",
            f"    data, logs   {state['folder']}",
            "Try:",
            "    # KUBECONFIG, AWS_..., kubectl and helm on PATH:",
            f'    eval "$({shlex.quote(sys.executable)} -m tools.servers env)"',
            "    kubectl get namespaces",
            f"    kubectl {example} auth whoami",
            "Stop:",
            "    make down",
        ]
    )


def _already_up() -> keeper.State:
    state = keeper.read_state()
    if state is None or state["status"] != keeper.READY:
        raise ServersError("It is just being started or stopped by another command; try again in a moment.")
    print("It is already up.")
    return state


def _start_keeper(lock: IO[str]) -> None:
    """Start the keeper and return when its environment is ready; leave nothing running otherwise."""
    print("Starting...", flush=True)
    log = run_folder() / "up.log"
    reading, writing = os.pipe()
    with log.open("wb") as output, os.fdopen(reading) as report:
        try:
            process = spawn(
                [sys.executable, "-m", "tools.servers", "keep", str(lock.fileno()), str(writing)],
                output=output,
                folder=MODULES.parent,
                inherit=(lock.fileno(), writing),
            )
        finally:
            os.close(writing)
        try:
            answer = report.read()
        except BaseException:
            _end(process)
            raise
    if answer != keeper.READY:
        process.wait()
        raise ServersError(answer or f"The servers could not be started; the log is {log}.")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"Still stopping after {minutes(START_SECONDS)}; killing.", file=sys.stderr)
    finally:
        process.kill()
        process.wait()


def _kill_keeper(pid: int) -> None:
    """End the keeper at once. The servers end with it: it asked the kernel for that when it started them."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not keeper.await_lock(DOWN_SECONDS):
        raise ServersError(f"Process {pid}, which keeps the servers, does not end.")
    keeper.remove_state()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
