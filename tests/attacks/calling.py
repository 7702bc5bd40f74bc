"""Raw HTTPS to the API server as this or that person: one connection each, with the certificate of their kubeconfig."""

import base64
import http.client
import json
import select
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import yaml

from tests.integration.installed import MASTERS, MONITOR, OPERATOR, SWEEPER, SYSTEM
from tools.servers.cluster import Cluster
from tools.servers.pki import ADMIN, PEOPLE, write_private

TIMEOUT_SECONDS: Final = 30.0

MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
WHOLE: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who calls: whose certificate or token it is, and whom they say they are beyond that."""

    login: str
    name: str
    impersonates: str = ""
    groups: tuple[str, ...] = ()

    def as_(self, other: str, *groups: str) -> "Who":
        """Return the same login, impersonating somebody."""
        return Who(self.login, other, other, groups)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return the headers with which the impersonation is asked for."""
        if not self.impersonates:
            return []
        return [("Impersonate-User", self.impersonates), *(("Impersonate-Group", group) for group in self.groups)]


ALICE, BOB, CAROL, DAVE = (Who(login, name) for login, name in PEOPLE.items())
ROOT: Final = Who(ADMIN, ADMIN)
THIEF: Final = Who("operator", OPERATOR)
"""Whoever has the operator's own token: the rights are those that the chart gives."""
ELSEWHERE_THIEF: Final = Who("operator-elsewhere", OPERATOR)
"""Whoever has a token of the operator's that was made for somebody else than the API server to see."""
LATE_THIEF: Final = Who("operator-late", OPERATOR)
"""Whoever has a token of the operator's that was bound to something which is gone."""
SWEEPER_THIEF: Final = Who("sweeper", SWEEPER)
MONITOR_THIEF: Final = Who("monitor", MONITOR)
PROBE_THIEF: Final = Who("probe", f"system:serviceaccount:{SYSTEM}:curfew-probe")
ALMIGHTY_OPERATOR: Final = ROOT.as_(OPERATOR, *MASTERS)
"""The operator, were RBAC to refuse it nothing: what is left is admission."""
ALMIGHTY_MONITOR: Final = ROOT.as_(MONITOR, *MASTERS)
"""The monitor, were RBAC to refuse it nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, as it goes over the wire."""

    who: Who
    verb: str
    path: str
    body: Any = None
    content_type: str = WHOLE
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    code: int
    body: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        """Tell whether it was done."""
        return self.code < http.client.MULTIPLE_CHOICES

    @property
    def message(self) -> str:
        """Return why it was not done."""
        return str(self.body.get("message", ""))


class Switchboard:
    """A connection for each person and each token, kept open from call to call."""

    def __init__(self, cluster: Cluster, folder: Path, tokens: Mapping[str, str]) -> None:
        """Connect to nobody yet; `folder` is where keys are kept, as the TLS library reads files only."""
        self._server = urlsplit(cluster.server)
        self._tokens = tokens
        self._logins: dict[str, ssl.SSLContext] = {}
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        for user in config["users"]:
            context = _context(cluster.ca)
            certificate, key = (
                write_private(folder / f"{user['name']}.{kind}", base64.b64decode(user["user"][f"client-{kind}-data"]))
                for kind in ("certificate", "key")
            )
            context.load_cert_chain(certificate, key)
            self._logins[user["name"]] = context
        self._without_certificate = _context(cluster.ca)
        self._connections: dict[str, http.client.HTTPSConnection] = {}

    def send(self, call: Call) -> Answer:
        """Make a call and return what was answered, whatever it was."""
        connection = self._connection(call.who.login)
        try:
            return self._exchange(connection, call)
        except (OSError, http.client.HTTPException):
            connection.close()  # so that the next call does not read the answer to this one
            raise

    def _exchange(self, connection: http.client.HTTPSConnection, call: Call) -> Answer:
        path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        connection.putrequest(call.verb, path)
        connection.putheader("Accept", "application/json")
        if token := self._tokens.get(call.who.login):
            connection.putheader("Authorization", f"Bearer {token}")
        for header, value in call.who.headers:
            connection.putheader(header, value.encode())
        body = b"" if call.body is None else json.dumps(call.body).encode()
        if body:
            connection.putheader("Content-Type", call.content_type)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        text = response.read()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text.decode(errors="replace")}
        return Answer(response.status, answer)

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections.values():
            connection.close()

    def _connection(self, login: str) -> http.client.HTTPSConnection:
        known = self._connections.get(login)
        # The API server hangs up on who has been silent for long: then there is something to read, its goodbye.
        if known is not None and known.sock is not None and select.select([known.sock], [], [], 0)[0]:
            known.close()  # the next call connects anew
        if login not in self._connections:
            self._connections[login] = http.client.HTTPSConnection(
                self._server.hostname or "",
                self._server.port,
                timeout=TIMEOUT_SECONDS,
                context=self._without_certificate if login in self._tokens else self._logins[login],
            )
        return self._connections[login]


def _context(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca))
