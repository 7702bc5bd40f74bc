"""The operator as a process of its own, as in a pod: started, killed, asked to stop, looked at from outside."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.peak import limited
from tools.servers.ports import LOOPBACK, free_port
from tools.servers.processes import clean_environ
from tools.servers.spawn import spawn
from tools.servers.toolchain import last_lines

READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
"""Within which the operator ends when it is asked to: half of what Kubernetes grants it."""

PAUSE: Final = 0.05

CURFEW: Final[tuple[str, ...]] = (sys.executable, "-m", "curfew")


@dataclass(frozen=True, slots=True)
class Life:
    """One process, from its start to its end."""

    started: datetime
    ended: datetime | None = None
    log_from: int = 0  # where its words begin in the log


class OperatorProcess:
    """One operator after another, at one port and with one log file. It ends with us, however we end."""

    command = "operator"
    """Which of Curfew's commands runs."""

    def __init__(
        self,
        folder: Path,
        *,
        kubeconfig: Path,
        signing_key: str,
        store: str,
        environ: Mapping[str, str] | None = None,
        log: str = "main",
        worm: str = "required",
        heartbeat: str = "60s",
        retention: str = "1d",
        attest_every: str = "15m",
        keep_for: str = "720h",
        enforcement_every: str = "30s",
    ) -> None:
        """Write the settings; start nothing yet.

        `store` is the address of the trail's store, `environ` what is needed to reach it; `signing_key` is a PEM.
        """
        self.folder = folder
        self.store = store
        self.log_id = log
        self.signing_key = signing_key
        self.kubeconfig = kubeconfig
        self.port = free_port()
        self.program = CURFEW
        self.lives: list[Life] = []
        self._environ = dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, dict[str, object]]
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / f"{self.command}.log"
        self.config = folder / "config.yaml"
        self._settings = {
            "audit": {
                "url": store,
                "log": log,
                "worm": worm,
                "retention": retention,
                "attestEvery": attest_every,
                "keyFile": "key.pem",
                "heartbeat": heartbeat,
            },
            "finished": {"keepFor": keep_for},
            "enforcement": {"every": enforcement_every},
            "server": {"host": LOOPBACK, "port": self.port},
            "log": {"level": "info", "format": "json"},
        }
        self.write("key.pem", signing_key)
        self.configure()

    def write(self, name: str, secret: str) -> None:
        """Write a file with a secret beside the settings."""
        (self.folder / name).touch(mode=0o600)
        (self.folder / name).write_text(secret)

    def set_clock(self, ahead: timedelta) -> None:
        """Have the next process live with a clock that is ahead by so much."""
        shifted = (sys.executable, "-m", "tests.support.shifted", str(ahead.total_seconds()))
        self.program = shifted if ahead else CURFEW

    def configure(self, **audit: object) -> None:
        """Write the settings, with other settings of the trail than before; None takes one out. They are read at the start."""
        told = {**self._settings["audit"], **audit}
        self._settings["audit"] = {name: value for name, value in told.items() if value is not None}
        self.config.write_text(yaml.safe_dump(self._settings))

    # --- start and end ----------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Tell whether there is a process."""
        return self._process is not None and self._process.poll() is None

    @property
    def started(self) -> datetime:
        """Return when the latest process was started."""
        return self.lives[-1].started

    def start(self) -> None:
        """Start the process, with no more memory than the pod has, and return at once."""
        assert not self.is_running
        command: list[str | Path] = [
            *self.program,
            self.command,
            "--config",
            self.config,
            "--kubeconfig",
            self.kubeconfig,
        ]
        with self.log_file.open("ab") as output:
            self.lives.append(Life(datetime.now(UTC), log_from=output.tell()))
            self._process = spawn(command, output=output, environ={**clean_environ(), **self._environ})
        limited(self._process.pid)

    def kill(self) -> None:
        """End the process as a power cut would: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._ended()

    def stop(self) -> None:
        """Ask the process to end (SIGTERM) and fail unless it does so, well, within `STOP_SECONDS`."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the {self.command} did not end within {STOP_SECONDS:g} s{self._log_end()}") from None
        self._ended()
        assert code == 0, f"the {self.command} ended with {code}{self._log_end()}"

    @property
    def pid(self) -> int:
        """Return the id of the process that runs."""
        assert self._process is not None
        return self._process.pid

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the process from doing anything, as a machine that stands still would, and let it go on afterwards."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop, start, and return when it is ready."""
        self.stop()
        self.start()
        self.await_listed()

    def await_exit(self, seconds: float = READY_SECONDS) -> int:
        """Return the exit code of a process that ends by itself."""
        assert self._process is not None
        code = self._process.wait(seconds)
        self._ended()
        return code

    def _ended(self) -> None:
        self._process = None
        self.lives[-1] = replace(self.lives[-1], ended=datetime.now(UTC))

    # --- what it says -----------------------------------------------------------------------------------------------

    def await_listed(self, seconds: float = READY_SECONDS) -> None:
        """Return when everything is listed and watched: from here on access ends, whether or not any is granted."""
        self.await_answer(
            lambda _, said: said["parts"]["cluster"] == "everything is listed and watched", "list everything", seconds
        )

    def await_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when /readyz answers 200: it grants."""
        self.await_answer(lambda status, _: status == http.HTTPStatus.OK, "be ready", seconds)

    def await_answer(
        self, is_so: Callable[[int, Mapping[str, Any]], bool], what: str, seconds: float = READY_SECONDS
    ) -> None:
        """Return when /readyz says what is asked for; fail when the process ends first or takes too long."""
        said: object = "nothing"

        def asked() -> bool:
            nonlocal said
            with suppress(OSError, http.client.HTTPException):
                said = self.readyz()
                return is_so(*said)
            return False

        self.await_so(asked, what, seconds, lambda: f"; /readyz says {said}")

    def await_said(self, words: str, seconds: float = READY_SECONDS) -> None:
        """Return when the words are in the log since the latest start."""
        self.await_so(lambda: words in self.said(), f"say {words!r}", seconds)

    def await_so(
        self, is_so: Callable[[], bool], what: str, seconds: float, more: Callable[[], str] = lambda: ""
    ) -> None:
        """Return when something is so of a process that runs. A pause between two questions is a wait for its end."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self._process is not None, f"the {self.command} was not started"
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(PAUSE)
                raise AssertionError(f"the {self.command} ended with {code} before it could {what}{self._log_end()}")
            assert time.monotonic() < deadline, (
                f"the {self.command} did not {what} in {seconds:g} s{more()}{self._log_end()}"
            )

    def readyz(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of /readyz."""
        status, body = self._get("/readyz")
        return status, json.loads(body)

    def healthz(self) -> None:
        """Ask whether it is alive; fail where it does not say so."""
        assert self._get("/healthz") == (http.HTTPStatus.OK, b"ok\n")

    def peak_memory(self) -> int:
        """Return the most memory that the latest process has held so far, in bytes, as the kernel counts it."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(kib) * 1024

    def computed(self) -> timedelta:
        """Return how much CPU time the event loop of the latest process has taken so far, to a hundredth of a second."""
        after_name = Path(f"/proc/{self.pid}/task/{self.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = (int(field) for field in after_name[11:13])
        return timedelta(seconds=(user + system) / os.sysconf("SC_CLK_TCK"))

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return all metrics, by name and labels."""
        return _samples(self.metrics_page())

    def metrics_page(self) -> str:
        """Return what Prometheus would read."""
        return self._get("/metrics")[1].decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all series with these labels."""
        # Who waits for a metric asks again and again, and to parse the whole page takes ten milliseconds.
        lines = (line for line in self.metrics_page().splitlines() if line.startswith((f"{name} ", f"{name}{{")))
        return sum(value for (_, set_), value in _samples("\n".join(lines)).items() if labels.items() <= set(set_))

    def said(self, *, life: bool = True) -> str:
        """Return the log: of the latest process (`life`), or of all."""
        written = self.log_file.read_bytes() if self.log_file.exists() else b""
        return written[self.lives[-1].log_from if life and self.lives else 0 :].decode(errors="replace")

    def first_words(self) -> list[datetime | None]:
        """Return for each life when it said its first word: that Python had loaded it. None: it died before that."""
        written = self.log_file.read_bytes()
        ends = [*(life.log_from for life in self.lives[1:]), len(written)]
        return [_first_word(written[life.log_from : end]) for life, end in zip(self.lives, ends, strict=True)]

    def lines(self, *, life: bool = True) -> Iterator[dict[str, Any]]:
        """Yield the lines of the log that are JSON objects."""
        for line in self.said(life=life).splitlines():
            with suppress(ValueError):
                parsed = json.loads(line)
                if isinstance(parsed, dict):
                    yield parsed

    def _log_end(self) -> str:
        return f"; its log ends with:\n{last_lines(self.said(life=False))}"

    def _get(self, path: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()


def _samples(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _first_word(said: bytes) -> datetime | None:
    for line in said.splitlines():
        with suppress(ValueError):
            return datetime.fromisoformat(json.loads(line)["time"])
    return None


@contextmanager
def dead(operator: OperatorProcess) -> Iterator[None]:
    """Kill the operator, and start it again afterwards, whatever happened."""
    operator.kill()
    try:
        yield
    finally:
        operator.start()
