"""Children are awaited, explain themselves when they fail, and do not outlive us."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.servers.errors import AddressInUse, ServersError
from tools.servers.processes import PORT_ATTEMPTS, Server, on_free_ports, stop_all

ROOT = Path(__file__).parents[3]

PARENT = """
import os, pathlib, signal, sys
from tools.servers.processes import Server
server = Server("thing", ["/bin/sleep", "60"], log=pathlib.Path(sys.argv[1]), environ=os.environ)
print(server.pid, flush=True)
signal.pause()
"""


def a_server(folder: Path, script: str) -> Server:
    return Server("thing", ["/bin/sh", "-c", script], log=folder / "thing.log", environ=os.environ)


def file_exists(path: Path) -> Callable[[], bool]:
    return path.exists


def test_a_server_is_awaited_and_stopped(tmp_path: Path) -> None:
    server = a_server(tmp_path, f"touch {tmp_path}/ready; exec sleep 60")
    server.await_ready(file_exists(tmp_path / "ready"))
    assert server.is_running

    server.stop()
    server.stop()

    assert not server.is_running


def test_a_server_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    server = a_server(tmp_path, f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 60; done")
    server.await_ready(file_exists(tmp_path / "ready"))

    server.stop(patience=0.05)

    assert not server.is_running


def test_a_server_that_ends_shows_its_last_words(tmp_path: Path) -> None:
    server = a_server(tmp_path, "echo the disk is full; exit 3")

    with pytest.raises(ServersError, match=r"thing ended with 3 before it was ready(?s:.*)the disk is full"):
        server.await_ready(lambda: False)


def test_a_server_that_never_gets_ready_is_not_awaited_forever(tmp_path: Path) -> None:
    server = a_server(tmp_path, "exec sleep 60")

    with pytest.raises(ServersError, match="not ready after"):
        server.await_ready(lambda: False, seconds=0.05)
    server.stop()


def test_a_lost_race_for_a_port_is_run_again(tmp_path: Path) -> None:
    attempts: list[Server] = []

    def start() -> Server:
        script = "exec sleep 60" if attempts else "echo bind: address already in use; exit 1"
        attempts.append(a_server(tmp_path, script))
        attempts[-1].await_ready(lambda: len(attempts) > 1)
        return attempts[-1]

    started = on_free_ports(start)

    assert started is attempts[1]
    started.stop()


def test_a_port_that_is_never_free_is_an_error(tmp_path: Path) -> None:
    attempts: list[Server] = []

    def start() -> Server:
        attempts.append(a_server(tmp_path, "echo bind: address already in use; exit 1"))
        attempts[-1].await_ready(lambda: False)
        return attempts[-1]

    with pytest.raises(AddressInUse):
        on_free_ports(start)
    assert len(attempts) == PORT_ATTEMPTS


def test_all_are_stopped_in_order_even_if_one_cannot_be() -> None:
    stopped: list[str] = []

    class Fake:
        def __init__(self, name: str) -> None:
            self._name = name

        def stop(self) -> None:
            stopped.append(self._name)
            if self._name == "b":
                raise OSError("cannot")

    servers = [Fake("a"), None, Fake("b"), Fake("c")]
    with pytest.raises(OSError, match="cannot"):
        stop_all(servers)  # type: ignore[arg-type]  # a fake has all that is used

    assert stopped == ["a", "b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes this promise")
def test_a_server_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(  # noqa: S603  our own interpreter and script
        [sys.executable, "-c", PARENT, tmp_path / "thing.log"], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    # Readable once the process has ended, whoever its parent is by then.
    ended = os.pidfd_open(pid)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert select.select([ended], [], [], 60)[0]
    os.close(ended)
    parent.stdout.close()
