"""A server as a child process: start it, await that it is ready, stop it."""

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.servers.errors import AddressInUse, ServersError
from tools.servers.ports import LOOPBACK
from tools.servers.spawn import spawn
from tools.servers.toolchain import last_lines

READY_SECONDS = 90.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
PORT_ATTEMPTS = 5

Probe = Callable[[], bool]


class Server:
    """One server process with its log. Not ready until `await_ready` has returned."""

    def __init__(self, name: str, command: Sequence[str | Path], *, log: Path, environ: Mapping[str, str]) -> None:
        """Start the process; its output is appended to the log."""
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process: subprocess.Popen[bytes] = spawn(command, output=output, environ=environ)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether the process has not ended."""
        return self._process.poll() is None

    def await_ready(self, is_ready: Probe, seconds: float = READY_SECONDS) -> None:
        """Return when the probe says yes; raise when the process ends first or takes too long.

        A server tells no one when it begins to listen, so it is asked again and again; the pause between two questions
        is a wait for its end, so that a server that fails is noticed at once.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            with contextlib.suppress(subprocess.TimeoutExpired):
                returncode = self._process.wait(timeout=POLL_SECONDS)
                raise self._failure(f"{self.name} ended with {returncode} before it was ready.")
            if time.monotonic() > deadline:
                raise self._failure(f"{self.name} was not ready after {seconds:.0f} s.")

    def stop(self, patience: float = STOP_SECONDS) -> None:
        """End the process: ask, wait, then kill. Stopping twice is harmless."""
        if not self.is_running:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self.kill()
        except BaseException:
            # A second Ctrl-C: no more patience, but still no process left behind.
            self.kill()
            raise

    def kill(self) -> None:
        """End the process at once, as a power cut would. Killing twice is harmless."""
        if self.is_running:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def pause(self) -> None:
        """Keep the process from doing anything, as a machine that stands still would."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _failure(self, what: str) -> ServersError:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        kind = AddressInUse if "address already in use" in text else ServersError
        return kind(f"{what} Its log is {self.log} and ends with:\n{last_lines(text)}")


def on_free_ports(start: Callable[[], Server]) -> Server:
    """Start a server by `start`, which chooses ports anew each time; try again when another process took one first."""
    for _ in range(PORT_ATTEMPTS - 1):
        with contextlib.suppress(AddressInUse):
            return start()
    return start()


def stop_all(servers: Sequence[Server | None]) -> None:
    """Stop servers in the order given, and all of them even if stopping one fails."""
    with contextlib.ExitStack() as stack:
        for server in reversed(servers):
            if server is not None:
                stack.callback(server.stop)


def answers(port: int, path: str, tls: ssl.SSLContext | None = None, host: str = LOOPBACK) -> bool:
    """Tell whether a server answers 200 there."""
    connection = (
        http.client.HTTPSConnection(host, port, timeout=5, context=tls)
        if tls
        else http.client.HTTPConnection(host, port, timeout=5)
    )
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def clean_environ(*direct: str) -> dict[str, str]:
    """Return our environment without what would change a server behind our back. No proxy leads to `direct`."""
    # etcd takes every option from ETCD_...; a proxy must never stand between servers on loopback.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ETCD_", "VGW_"))}
    unproxied = ",".join([LOOPBACK, "localhost", *direct])
    return {**own, "NO_PROXY": unproxied, "no_proxy": unproxied}
