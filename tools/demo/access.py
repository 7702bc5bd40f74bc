"""How exact access begins and ends: a person's own call, made again and again, and what the API server wrote down."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tools.servers.environment import Environment
from tools.servers.errors import ServersError
from tools.servers.ports import LOOPBACK, free_port, give_back
from tools.servers.processes import Server, answers, clean_environ, on_free_ports

PAUSE_SECONDS: Final = 0.005
"""Between two calls while access is about to begin or end."""

CALL_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call, and what it was answered."""

    sent: datetime
    answered: datetime
    status: int


@dataclass(frozen=True, slots=True)
class Change:
    """The last call before the answer changed, and the first after."""

    before: Call
    after: Call


class Caller:
    """Somebody at the API server's own interface, through their own `kubectl proxy`."""

    def __init__(self, environment: Environment, context: str, environ: Mapping[str, str], log: Path) -> None:
        """Start nothing yet."""
        self._kubectl = environment.cluster.kubectl_path
        self._context = context
        self._environ = environ
        self._log = log
        self._port = 0
        self._proxy: Server | None = None

    def __enter__(self) -> Self:
        """Start the proxy."""
        self._proxy = on_free_ports(self._launch)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """Stop the proxy; whoever still waits in `until` is told so. Stopping twice is harmless."""
        if self._proxy is not None:
            self._proxy.stop()
            give_back(self._port)

    def until(self, path: str, status: HTTPStatus, seconds: float) -> Change:
        """Call `path` until it is answered with `status`, and return when the answer changed."""
        deadline = time.monotonic() + seconds
        before: Call | None = None
        with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=CALL_SECONDS)) as connection:
            while True:
                call = _call(connection, path)
                if call.status == status:
                    # Answered so from the start, there is nothing that changed; the first call stands for both.
                    return Change(before or call, call)
                before = call
                if time.monotonic() > deadline:
                    raise ServersError(f"{path} is still answered with {call.status} after {seconds:.0f} s.")
                time.sleep(PAUSE_SECONDS)

    def _launch(self) -> Server:
        self._port = free_port()
        server = Server(
            "kubectl proxy",
            [self._kubectl, "--context", self._context, "proxy", f"--address={LOOPBACK}", f"--port={self._port}"],
            log=self._log,
            environ={**clean_environ(), **self._environ},
        )
        try:
            server.await_ready(lambda: answers(self._port, "/version"))
        except BaseException:
            server.stop()
            give_back(self._port)
            raise
        return server


def _call(connection: http.client.HTTPConnection, path: str) -> Call:
    sent = datetime.now(UTC)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServersError(f"The API server cannot be called any more: {error or type(error).__name__}.") from error
    return Call(sent, datetime.now(UTC), response.status)


@dataclass(frozen=True, slots=True)
class Written:
    """When the API server wrote that it was asked for something, and that it had done it."""

    asked: datetime
    done: datetime


def find_written(audit_log: Path, verb: str, resource: str, name: str, user: str) -> Written | None:
    """Return the first call of this kind that the API server's audit log says was carried out."""
    for event in _events(audit_log):
        about = event.get("objectRef", {})
        if (
            (event["verb"], event["user"]["username"]) == (verb, user)
            and (about.get("resource"), about.get("name")) == (resource, name)
            and event.get("responseStatus", {}).get("code", 0) < HTTPStatus.BAD_REQUEST
        ):
            return Written(_time(event["requestReceivedTimestamp"]), _time(event["stageTimestamp"]))
    return None


def _events(audit_log: Path) -> Iterator[dict[str, Any]]:
    with audit_log.open() as lines:
        for line in lines:
            yield json.loads(line)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
