"""Where the API server is and who we are to it: found in a kubeconfig or in the pod, and put on every request.

A token is read again before it is old, and at once if the API server refuses it, so that nobody notices its rotation.
It is sent to the API server only, never to the target of a redirect.
"""

import asyncio
import math
import os
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yaml
from aiohttp import hdrs

from curfew.adapters.kube.access import Access
from curfew.adapters.kube.failures import NoCluster
from curfew.ports import Clock

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a pod's token and the certificate of its CA."""

USER_AGENT = f"curfew/{version('curfew')}"
"""The name that we send; the API server takes the part before the slash as our field manager."""

_KEEP_ALIVE = 60.0  # seconds; the API server closes after 90, and a handshake at an expiry would cost milliseconds
_FILE_TOKEN_AGE = 10.0  # seconds; kubelet renews an hour's token when a fifth of it is left
_RENEW_PAUSE = 1.0  # seconds between two attempts to replace a refused token
_READ_BUFFER = 2**21  # bytes; a line of a watch is a whole object

TLS_BUFFER = 2**16
"""Bytes that asyncio reads at once from a TLS connection. Its own 256 KiB, for each of the 60 in a burst, are 15 MB."""

sslproto.SSLProtocol.max_size = TLS_BUFFER

_sent: ContextVar[list[str] | None] = ContextVar("sent", default=None)


@contextmanager
def sent_at_most_once() -> Iterator[None]:
    """Keep the HTTP client from repeating a DELETE if a kept connection turns out to be closed.

    The answer would be that of the second attempt, "gone", although the first may have been ours.
    """
    mark = _sent.set([])
    try:
        yield
    finally:
        _sent.reset(mark)


CompareClocks = Callable[[datetime, datetime, str | None], None]
"""Called for each answer: when the request was sent and the answer received by our clock, and its Date header."""


def _nobody(_sent: datetime, _received: datetime, _date: str | None) -> None:
    """Compare nothing."""


class Token:
    """The value of the Authorization header; empty if a client certificate identifies us."""

    def __init__(self, value: str, read: Callable[[], Awaitable[str]], max_age: float) -> None:
        """`read` reads the value again; it is called when the current value is `max_age` seconds old."""
        self._value = value
        self._read = read
        self._max_age = max_age
        self._read_at = asyncio.get_running_loop().time()
        self._lock = asyncio.Lock()

    async def current(self) -> str:
        """Return the value to send now. If it cannot be read again, return the last one that could."""
        if self._age() >= self._max_age:
            async with self._lock:
                if self._age() >= self._max_age:
                    await self._renew()
        return self._value

    async def other_than(self, refused: str) -> str | None:
        """Return a value other than the refused one, or None if there is no other."""
        async with self._lock:
            if self._value == refused and self._age() >= _RENEW_PAUSE:
                await self._renew()
            return self._value if self._value != refused else None

    def _age(self) -> float:
        """Return the seconds since the value was last read."""
        return asyncio.get_running_loop().time() - self._read_at

    async def _renew(self) -> None:
        """Read the value again. If that fails, the last one may still be good, and the API server refuses it if not."""
        with suppress(OSError, NoCluster):
            self._value = await self._read()
        self._read_at = asyncio.get_running_loop().time()


class Connection:
    """How to reach one API server: makes sessions that are authenticated and verified."""

    def __init__(self, access: Access, token: Token) -> None:
        """Take the way to the API server, and the token. The certificates are read now, so that a bad one is found now."""
        self.server = access.host
        server = urlsplit(self.server)
        self._origin = (server.scheme, server.hostname, server.port or (443 if server.scheme == "https" else 80))
        self._access = access
        self._token = token
        self._tls = access.tls()
        self._clock: Clock | None = None
        self._compare: CompareClocks = _nobody

    def session(self, connections: int = 0, agent: str = USER_AGENT) -> aiohttp.ClientSession:
        """Return a session of at most this many connections (0: any number), under this name. The caller closes it."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=self._tls, keepalive_timeout=_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(self._authenticated,),
            trust_env=False,  # looking for proxies in the environment takes more than half of a call's CPU
            headers={hdrs.USER_AGENT: agent},
            proxy=self._access.proxy,
            read_bufsize=_READ_BUFFER,
        )

    def bearing(self, token: Token) -> "Connection":
        """Return another connection to the same API server, with this token as the only credential."""
        return Connection(self._access.anonymous(), token)  # a certificate would take precedence

    def compare_clocks(self, clock: Clock, told: CompareClocks) -> None:
        """For each answer from now on, call `told` with the times of request and answer by `clock`, and its Date."""
        self._clock, self._compare = clock, told

    async def _authenticated(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request with our token; send it once more if the token was refused and there is a newer one by now."""
        if (request.url.scheme, request.url.host, request.url.port) != self._origin:
            return await handler(request)
        sent = _sent.get()
        if sent is not None:
            if sent:
                raise aiohttp.ServerDisconnectedError(f"connection closed while waiting for the answer to {sent[0]}")
            sent.append(request.method)
        if self._access.server_name:
            request.server_hostname = self._access.server_name
        token = await self._token.current()
        if token:
            request.headers[hdrs.AUTHORIZATION] = token
        response = await self._dated(request, handler)
        if response.status != 401:
            return response
        newer = await self._token.other_than(token)
        if newer is None:
            return response
        await response.read()  # an unread answer costs its connection, and nothing would wait for that to close
        request.headers[hdrs.AUTHORIZATION] = newer
        return await handler(request)

    async def _dated(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request; report when it was sent and answered by our clock, and the API server's Date header."""
        if self._clock is None:
            return await handler(request)
        sent = self._clock.now()
        response = await handler(request)
        self._compare(sent, self._clock.now(), response.headers.get(hdrs.DATE))
        return response


async def find_cluster(
    kubeconfig: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
    home: Path | None = None,
) -> Connection:
    """Return the connection to the API server, or raise `NoCluster`.

    It uses the first of: the kubeconfig given, those in KUBECONFIG, the pod's service account, ~/.kube/config.
    """
    if kubeconfig is not None:
        return await _from_kubeconfig(str(kubeconfig))
    if environ.get("KUBECONFIG"):
        return await _from_kubeconfig(environ["KUBECONFIG"])
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return await _from_pod(environ, service_account)
    default = (home or Path.home()) / ".kube" / "config"
    if default.exists():
        return await _from_kubeconfig(str(default))
    raise NoCluster(
        "no API server is configured: name a kubeconfig, set KUBECONFIG, or run in a pod with a service account"
    )


async def _from_pod(environ: Mapping[str, str], service_account: Path) -> Connection:
    """Return the connection that Kubernetes gave this pod."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    access = Access(f"https://{f'[{host}]' if ':' in host else host}:{port}", ca_file=str(service_account / "ca.crt"))

    async def read() -> str:
        return _bearer(service_account / "token")

    with _usable(f"the service account in {service_account}"):
        return Connection(access, Token(await read(), read, _FILE_TOKEN_AGE))


async def _from_kubeconfig(paths: str) -> Connection:
    """Return the connection in the current context of a kubeconfig. Several files are separated as in KUBECONFIG."""
    # The official client is imported only for a kubeconfig: it takes 17 MB and a third of a second, and a pod needs none of it.
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_kube_config

    _check_there_is_one(paths)

    async def load() -> Any:
        configuration = Configuration()
        with _usable(f"the kubeconfig {paths}", ConfigException):
            await load_kube_config(paths, client_configuration=configuration, persist_config=False)
        return configuration

    async def read() -> str:
        # Load the whole kubeconfig: the token may be in another file, or come from a program.
        return _header(await load())

    configuration = await load()
    with _usable(f"the kubeconfig {paths}"):
        return Connection(_access(configuration), Token(_header(configuration), read, math.inf))


def _check_there_is_one(paths: str) -> None:
    """Raise `NoCluster` if none of the files exists."""
    if not any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path):
        raise NoCluster(f"there is no kubeconfig {paths}")


@contextmanager
def _usable(source: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn every error in reading a source, and these as well, into `NoCluster`."""
    # A kubeconfig of an unexpected shape ends in any of these.
    expected: tuple[type[Exception], ...] = (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError)
    try:
        yield
    except (*expected, *errors) as error:
        raise NoCluster(f"{source} cannot be used: {error}") from error


def _access(configuration: Any) -> Access:
    """Return what the official client found in a kubeconfig."""
    return Access(
        configuration.host,
        ca_file=configuration.ssl_ca_cert,
        ca_data=configuration.ca_cert_data,
        cert_file=configuration.cert_file,
        key_file=configuration.key_file,
        is_verified=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
    )


def _header(configuration: Any) -> str:
    """Return the Authorization header for a kubeconfig, or an empty text if it needs none."""
    # A file's last newline is not part of its token.
    return str(configuration.api_key.get("BearerToken") or "").strip()


def _bearer(path: Path) -> str:
    """Return the header for the token in a file: it has about a kilobyte and is in memory, so it needs no thread."""
    token = path.read_text().strip()
    if not token:
        raise NoCluster(f"the token file {path} is empty")
    return f"Bearer {token}"
