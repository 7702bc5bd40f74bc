"""One replica of the operator: its process, its own way to the API server, its token and its clock."""

import asyncio
import os
import random
import signal
import ssl
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.chaos.proxy import ChaosProxy
from tests.chaos.weather import Weather
from tests.integration.installed import Installed
from tests.support.operator_process import OperatorProcess
from tools.servers import kubeconfig
from tools.servers.pki import Authority, write_private
from tools.servers.ports import LOOPBACK

BAD_TOKEN: Final = "an.expired.token"


class Replica:
    """What can be done to one of them. A fault holds `busy` as long as it lasts, so that no two meddle with it."""

    def __init__(
        self, number: int, cluster: Installed, folder: Path, token: str, authority: Authority, chance: random.Random
    ) -> None:
        """Start nothing yet."""
        self.number = number
        self.name = f"curfew-{number}"
        self.busy = asyncio.Lock()
        self.is_paused = self.is_known = False  # is_known: it has listed everything since its latest start
        self.has_token = True
        self.folder = folder
        folder.mkdir()
        self._token = token
        self._clock = folder / "clock"
        identity = authority.server(self.name, [LOOPBACK])
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(
            write_private(folder / "proxy.crt", identity.certificate), write_private(folder / "proxy.key", identity.key)
        )
        self.api = ChaosProxy(
            urlsplit(cluster.environment.cluster.server).port or 0,
            Weather(chance),
            server=server,
            client=ssl.create_default_context(cafile=str(cluster.environment.cluster.ca)),
        )
        self.kubeconfig = folder / "kubeconfig"
        kubeconfig.write_for_token(
            self.kubeconfig,
            server=f"https://{LOOPBACK}:{self.api.port}",
            ca=authority.certificate,
            token=folder / "token",
        )
        self.set_token(is_good=True)
        self.set_clock(0)
        self.process: OperatorProcess | None = None

    async def enter(self, stack: AsyncExitStack, **settings: Any) -> None:
        """Start it, until the stack ends."""
        await stack.enter_async_context(self.api)
        environ = {**settings.pop("environ"), "POD_NAME": self.name}
        self.process = OperatorProcess(
            self.folder / "operator", kubeconfig=self.kubeconfig, environ=environ, heartbeat="5s", **settings
        )
        self.process.program = (sys.executable, "-m", "tests.chaos.stepped", str(self._clock))
        stack.callback(self.kill)
        self.start()

    @property
    def operator(self) -> OperatorProcess:
        """Return the process."""
        assert self.process is not None
        return self.process

    def start(self) -> None:
        """Start it, if it does not run."""
        if not self.operator.is_running:
            self.is_known = False
            self.operator.start()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.is_paused = self.is_known = False
        self.operator.kill()

    def signal(self, number: signal.Signals) -> None:
        """Stop it where it is, or let it go on."""
        self.is_paused = number is signal.SIGSTOP
        os.kill(self.operator.pid, number)

    def set_token(self, *, is_good: bool) -> None:
        """Give it a token, or one that is not valid any more."""
        self.has_token = is_good
        _replace(self.folder / "token", self._token if is_good else BAD_TOKEN)

    def set_clock(self, ahead: float) -> None:
        """Set its clock ahead by so many seconds, or back."""
        _replace(self._clock, f"{ahead:.3f}")

    @property
    def can_reach(self) -> bool:
        """Whether nothing keeps it from ending access, if the API server is there."""
        is_awake = self.operator.is_running and not self.is_paused and self.is_known
        return is_awake and self.has_token and self.api.is_open and self.api.weather.refusing is None


def _replace(path: Path, text: str) -> None:
    """Write a file that somebody may be reading."""
    write_private(path.with_suffix(".new"), text.encode()).replace(path)
