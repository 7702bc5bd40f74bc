"""Who plays a part, what they may do, and how they call the API server."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tools.servers.ports import LOOPBACK

QUOTED: Final = 'x" of ClusterRole "admin'
STRANGE: Final = "Zoë \\ 'O\"Brien' \u200b\U0001f511\x07"
GROUP: Final = "on-call"
QUOTED_BINDING: Final = 'curfew "x" of ClusterRole "admin"'

TOKENS: Final = {"quoted": (QUOTED, ""), "strange": (STRANGE, ""), "dora": ("dora@example.com", GROUP)}
"""People with a fixed token: their token, their user name and their group."""

NO_ANSWER: Final = 0
AGENT: Final = "recording/"


def token_file() -> str:
    """Return what `--token-auth-file` wants: token, user, UID and groups, as CSV."""
    quoted = {token: user.replace('"', '""') for token, (user, _) in TOKENS.items()}
    return "".join(f'{token},"{quoted[token]}",uid-{token},"{group}"\n' for token, (_, group) in TOKENS.items())


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls the API server, with a certificate (in `tls`) or a token."""

    port: int
    tls: ssl.SSLContext
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self, step: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Make a call, whose events bear the name of the step as user agent; return its code and its answer."""
        connection = self._send(step, method, path, body, headers or {})
        try:
            answer = connection.getresponse()
            data = answer.read()
        except http.client.RemoteDisconnected:
            return NO_ANSWER, None
        finally:
            connection.close()
        try:
            return answer.status, json.loads(data)
        except ValueError:
            return answer.status, data

    def begin(self, step: str, method: str, path: str, headers: Mapping[str, str]) -> int:
        """Begin a stream and leave it; return its code."""
        connection = self._send(step, method, path, None, headers)
        answer = connection.getresponse()
        answer.close()
        connection.close()
        return answer.status

    def _send(
        self, step: str, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPConnection:
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        content = {"Content-Type": "application/json"} if body is not None else {}
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, context=self.tls, timeout=30)
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"User-Agent": AGENT + step, **authorization, **content, **self.headers, **headers}
        connection.request(method, path, body=data, headers=told)
        return connection


def rule(groups: str, resources: str, verbs: str) -> dict[str, list[str]]:
    """Return one rule of a role; words are separated by spaces, and `core` is the core group."""
    named = ["" if group == "core" else group for group in groups.split()]
    return {"apiGroups": named, "resources": resources.split(), "verbs": verbs.split()}


EVERYTHING: Final = "get list watch create update patch delete deletecollection"
WORK: Final = [
    rule("core", "pods pods/status configmaps secrets serviceaccounts", EVERYTHING),
    rule("core", "namespaces", "get"),
    rule("core", "pods/log pods/exec pods/attach pods/portforward pods/proxy", "get create"),
    rule("core", "pods/eviction pods/ephemeralcontainers serviceaccounts/token", "get create update patch"),
    rule("apps", "deployments deployments/scale", EVERYTHING),
    rule("rbac.authorization.k8s.io", "roles rolebindings", EVERYTHING),
    rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
]


def binding(kind: str, name: str, role: str, subject: Mapping[str, str]) -> dict[str, Any]:
    """Return a binding of a ClusterRole."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [
            {"apiGroup": "" if subject["kind"] == "ServiceAccount" else "rbac.authorization.k8s.io", **subject}
        ],
    }
