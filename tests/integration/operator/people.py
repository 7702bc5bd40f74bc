"""People at the API server's own interface: each with their certificate, and many calls at a time."""

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import aiohttp
import yaml

from tests.integration.installed import Installed
from tools.servers.pki import ADMIN, PEOPLE, write_private

GROUP: Final = "/apis/curfew.dev/v1alpha1"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
JSON_PATCH: Final = "application/json-patch+json"

CLOSING_SECONDS: Final = 40.0
"""Within which all connections are closed, also on a machine that is busy: asyncio breaks off a goodbye of TLS after 30 s."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    status: int
    body: Body

    @property
    def is_ok(self) -> bool:
        """Tell whether it did what was asked."""
        return self.status < 300

    @property
    def message(self) -> str:
        """Return its sentence where it refused."""
        return str(self.body.get("message", ""))

    def done(self) -> Body:
        """Return the object, or fail with what the API server said instead."""
        assert self.is_ok, f"HTTP {self.status}: {self.message}"
        return self.body


class Person:
    """Somebody with a certificate, or nobody in particular with another's right to speak for them."""

    def __init__(
        self, name: str, server: str, session: aiohttp.ClientSession, headers: Mapping[str, str] | None = None
    ) -> None:
        """Take the user name as the API server has it, and what is said with each call beyond the certificate."""
        self.name = name
        self._server = server
        self.session = session
        self._headers = dict(headers or {})

    def as_(self, name: str) -> "Person":
        """Return another, for whom this one may speak; the API server then knows nobody else."""
        return Person(name, self._server, self.session, {"Impersonate-User": name})

    async def get(self, path: str, *, audit_id: str = "") -> Answer:
        """GET, perhaps under an Audit-ID of one's own."""
        return await self._ask("GET", path, headers={"Audit-ID": audit_id} if audit_id else {})

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """POST."""
        return await self._ask("POST", path, body)

    async def delete(self, path: str) -> Answer:
        """DELETE."""
        return await self._ask("DELETE", path)

    async def patch(self, path: str, operations: Sequence[Body], *, acting_as: str = "") -> Answer:
        """PATCH with JSON patch operations; whoever may impersonate can do so as somebody else."""
        return await self._ask("PATCH", path, operations, JSON_PATCH, acting_as)

    async def may(self, namespace: str, verb: str, resource: str) -> bool:
        """Tell what the API server answers to `kubectl auth can-i`."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": namespace, "verb": verb, "resource": resource}},
        }
        answer = await self.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer.done()["status"]["allowed"])

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        acting_as: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": "application/json", **self._headers, **headers}
        if acting_as:
            headers["Impersonate-User"] = acting_as
        async with self.session.request(method, self._server + path, data=data, headers=headers) as response:
            return Answer(response.status, json.loads(await response.read()))

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET what does not end."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self.session.get(self._server + path, timeout=timeout) as response:
            try:
                yield response
            finally:
                # Without a goodbye of TLS: the API server answers that only when it has ended the watch.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()


@dataclass(frozen=True, slots=True)
class People:
    """Everybody: alice and carol ask, bob and dave decide, the admin looks on."""

    alice: Person
    bob: Person
    carol: Person
    dave: Person
    admin: Person


class Sockets:
    """The sockets of sessions. Closing a session does not wait for those on which TLS still says goodbye."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: list[socket.socket] = []

    def make(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Make one, for a connector."""
        family, kind, protocol, *_ = address
        self._open = [known for known in self._open if known.fileno() != -1]
        self._open.append(made := socket.socket(family, kind, protocol))
        made.setblocking(False)
        return made

    async def closed(self) -> None:
        """Return when all are closed. One that stays open is told by the warning that it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                while any(known.fileno() != -1 for known in self._open):  # noqa: ASYNC110  a socket does not tell
                    await asyncio.sleep(0)


@asynccontextmanager
async def everybody(cluster: Installed, folder: Path) -> AsyncIterator[People]:
    """Return the people with the certificates out of their kubeconfig, until the block ends."""
    cluster.environment.control_plane  # noqa: B018  raises where there are no certificates
    known = yaml.safe_load(cluster.environment.cluster.kubeconfig.read_text())
    server = known["clusters"][0]["cluster"]["server"]
    sockets = Sockets()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sockets.closed)
        people = {}
        for user in known["users"]:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=_tls(cluster, folder, user), limit=0, socket_factory=sockets.make),
                timeout=aiohttp.ClientTimeout(total=10),
                read_bufsize=2**21,
                trust_env=False,
            )
            await stack.enter_async_context(session)
            name = PEOPLE.get(user["name"], ADMIN)
            people[user["name"]] = Person(name, server, session)
        yield People(**people)


def _tls(cluster: Installed, folder: Path, user: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(cluster.environment.cluster.ca))
    files = []
    for what in ("client-certificate-data", "client-key-data"):
        path = folder / f"{user['name']}-{what}.pem"
        files.append(write_private(path, base64.b64decode(user["user"][what])))
    context.load_cert_chain(str(files[0]), str(files[1]))
    return context
