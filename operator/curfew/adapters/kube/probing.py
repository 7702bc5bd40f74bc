"""Attempts that must be refused, made without effect: `curfew.ports.Prober` on a real API server."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from curfew.adapters.kube.calling import CORE, JSON, MERGE_PATCH, OURS, RBAC, CallObserver, ask, observed, path_to
from curfew.adapters.kube.connection import Connection, Token
from curfew.core.probes import Attempt, Canary, Speaker
from curfew.ports import AlreadyExists, Forbidden, Unavailable

_DEADLINE = 5.0  # seconds for one call
_CONNECTIONS = 4  # connections for each of the two identities
_TOKEN_SECONDS = 3600  # lifetime of a token
_TOKEN_AGE = 2400.0  # seconds after which a new token is requested

_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "accesspolicies": OURS,
        "accessrequests": OURS,
        "accesslocks": OURS,
        "alertresponses": OURS,
        "rolebindings": RBAC,
    }
)
_METHODS: Mapping[str, str] = MappingProxyType({"create": "POST", "patch": "PATCH", "delete": "DELETE"})
_DRY_RUN = "?dryRun=All"


class KubeProber:
    """Makes attempts as Curfew, and as a service account whose token it requests itself."""

    def __init__(self, connection: Connection, observe: CallObserver, namespace: str, account: str) -> None:
        """Take Curfew's connection to the API server, the observer of each call, and the probe's service account."""
        self._connection = connection
        self._observe = observe
        self._namespace = namespace
        self._account = account
        self._as_operator = connection.session(_CONNECTIONS)
        self._as_probe: aiohttp.ClientSession | None = None
        self._introducing = asyncio.Lock()

    async def attempt(self, attempt: Attempt) -> str | None:
        """Make an attempt without effect. Return the refusal in the API server's words, or None if it was allowed."""
        rest = [part for part in (attempt.name, attempt.subresource) if part and attempt.verb != "create"]
        body = attempt.body
        if attempt.verb == "delete":
            # Delete options in the body replace those in the URL.
            body = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"], **body}
        try:
            await self._call(
                "probe",
                await self._session(attempt.speaker),
                _METHODS[attempt.verb],
                path_to(_GROUPS[attempt.plural], attempt.namespace, attempt.plural, *rest) + _DRY_RUN,
                body,
                what=f"try {attempt.deed}",
                content_type=MERGE_PATCH if attempt.verb == "patch" else JSON,
            )
        except Forbidden as refused:
            return str(refused)
        return None

    async def place(self, canary: Canary) -> None:
        """Create, as the probe's service account, the object that attempts are made on; it may already exist."""
        meta = canary.manifest["metadata"]
        try:
            await self._call(
                "place_canary",
                await self._session(Speaker.PROBE),
                "POST",
                path_to(_GROUPS[canary.plural], meta["namespace"], canary.plural),
                canary.manifest,
                what=f"create {canary.manifest['kind']} {meta['namespace']}/{meta['name']}",
            )
        except AlreadyExists:
            return

    async def close(self) -> None:
        """Close our own connections, but not those of the connection that was given to us."""
        await self._as_operator.close()
        if self._as_probe is not None:
            await self._as_probe.close()

    async def _session(self, speaker: Speaker) -> aiohttp.ClientSession:
        """Return the session of a speaker."""
        if speaker is Speaker.OPERATOR:
            return self._as_operator
        async with self._introducing:
            if self._as_probe is None:
                token = Token(await self._ask_for_token(), self._ask_for_token, _TOKEN_AGE)
                self._as_probe = self._connection.bearing(token).session(_CONNECTIONS)
        return self._as_probe

    async def _ask_for_token(self) -> str:
        """Return the header for a new token of the probe's service account."""
        what = f"get a token for ServiceAccount {self._namespace}/{self._account}"
        path = path_to(CORE, self._namespace, "serviceaccounts", self._account, "token")
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _TOKEN_SECONDS},
        }
        answer = await self._call("probe_token", self._as_operator, "POST", path, asked, what=what)
        token = (answer.get("status") or {}).get("token")
        if not token:
            raise Unavailable(f"cannot {what}: the API server's answer holds none")
        return f"Bearer {token}"

    async def _call(
        self,
        call: str,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        what: str,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        answering = ask(session, method, self._connection.server + path, body, content_type, _DEADLINE)
        return await observed(self._observe, call, what, answering)
