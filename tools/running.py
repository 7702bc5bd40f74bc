"""Curfew's own processes, each run as its pod would be: the chart's settings, its key, and a token of its service account.

Only places differ: files that a pod has mounted, and ports.
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from tools.installation import MONITOR_SIGNING_KEY, Installation
from tools.servers.audit import AuditFeed
from tools.servers.errors import ServersError
from tools.servers.pki import write_private
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, on_free_ports
from tools.servers.toolchain import last_lines

Settings = dict[str, Any]

TOKEN_SECONDS: Final = 24 * 3600
"""Nothing renews the token of such a process, as a pod's is; it lasts as long as somebody may keep the servers up."""

READY_SECONDS: Final = 90.0


class CurfewProcess:
    """The operator or the monitor. Its files are in one folder, under its name."""

    def __init__(
        self, command: Literal["operator", "monitor"], folder: Path, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        """Start nothing. `environ` is all that it finds in its environment."""
        self.command = command
        self.kubeconfig = folder / f"{command}.kubeconfig"
        self.config = folder / f"{command}.yaml"
        self.log = folder / f"{command}.log"
        self.program: tuple[str, ...] = ("-m", "curfew")  # what Python runs
        self.settings: Settings = {**settings, "server": {"host": LOOPBACK, "port": 0}}
        self._environ = environ
        self._server: Server | None = None
        self._port = 0

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._server = on_free_ports(self._launch)

    def await_part(self, part: str, words: str) -> dict[str, str]:
        """Return what its parts report as soon as one of them reports this, or raise `ServersError`."""
        found: dict[str, str] = {}

        def has_reported() -> bool:
            nonlocal found
            found = self.parts()
            return found.get(part) == words

        try:
            self.server.await_ready(has_reported, seconds=READY_SECONDS)
        except ServersError as error:
            raise ServersError(f"{error}\nIts own report: {json.dumps(found)}") from error
        return found

    def parts(self) -> dict[str, str]:
        """Return what each of its parts reports about itself, ready or not."""
        try:
            answer = urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/readyz", timeout=5)
        except urllib.error.HTTPError as not_ready:
            answer = not_ready
        with answer:
            parts: dict[str, str] = json.load(answer)["parts"]
            return parts

    def metrics(self) -> str:
        """Return what Prometheus would read."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/metrics", timeout=5) as answer:
            page: bytes = answer.read()
            return page.decode()

    def stop(self) -> None:
        """End it, if it runs."""
        if self._server is not None:
            self._server.stop()
            give_back(self._port)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.server.kill()

    @property
    def server(self) -> Server:
        """Return the process that was started last."""
        if self._server is None:
            raise ServersError(f"curfew {self.command} was not started.")
        return self._server

    @property
    def description(self) -> str:
        """Return its name and its process id."""
        return f"{self.server.name} ({self.server.pid})"

    def log_end(self) -> str:
        """Return the last lines that it wrote; nothing if it was never started."""
        if not self.log.exists():
            return ""
        return f"The {self.command}'s log ends with:\n{last_lines(self.log.read_text(errors='replace'))}"

    def _launch(self) -> Server:
        self._port = free_port()
        self.settings["server"]["port"] = self._port
        write_private(self.config, yaml.safe_dump(self.settings).encode())
        command: list[str | Path] = [sys.executable, *self.program, self.command, "--config", self.config]
        server = Server(
            f"curfew {self.command}",
            [*command, "--kubeconfig", self.kubeconfig],
            log=self.log,
            environ=self._environ,
        )
        try:
            server.await_ready(lambda: answers(self._port, "/healthz"))
        except BaseException:
            server.stop()
            give_back(self._port)
            raise
        return server


def an_operator(installation: Installation, folder: Path, environ: Mapping[str, str], **audit: str) -> CurfewProcess:
    """Return the operator of an installation, not started. `audit` are settings that differ from the chart's."""
    settings = installation.settings()
    settings["audit"] |= {"keyFile": str(installation.signing_key(folder / "operator.pem")), **audit}
    operator = CurfewProcess("operator", folder, settings, environ)
    installation.operator_kubeconfig(operator.kubeconfig, TOKEN_SECONDS)
    return operator


def a_monitor(
    installation: Installation,
    feed: AuditFeed,
    folder: Path,
    environ: Mapping[str, str],
    *,
    routes: Path | None = None,
    **audit: str,
) -> CurfewProcess:
    """Return the monitor of an installation, not started, at the end of the API server's way to it.

    It tells people by `routes`.
    """
    settings = installation.settings("curfew-monitor")
    if routes is not None:
        settings["notifications"] = {"routes": str(routes)}
    key = installation.signing_key(folder / "monitor.pem", MONITOR_SIGNING_KEY)
    settings["audit"] |= {"keyFile": str(key), **audit}
    settings["intake"]["webhook"] = {
        "host": LOOPBACK,
        "port": feed.port,
        "certFile": str(feed.certificate),
        "keyFile": str(feed.key),
        "tokenFile": str(feed.token),
    }
    monitor = CurfewProcess("monitor", folder, settings, environ)
    installation.monitor_kubeconfig(monitor.kubeconfig, TOKEN_SECONDS)
    return monitor
