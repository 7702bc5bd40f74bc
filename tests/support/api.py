"""The API server over HTTPS as anybody: what takes a kubectl process a third of a second takes some milliseconds."""

import base64
import http.client
import json
import select
import ssl
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import yaml

from tools.policy_probes import IN_FORCE_SECONDS
from tools.servers.cluster import Cluster, Done
from tools.servers.errors import ServersError
from tools.servers.pki import ADMIN, PEOPLE, write_private

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"

TIMEOUT_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.05

Manifest = Mapping[str, Any]


class Api:
    """Calls from any thread. People log in with their certificate; everybody else is impersonated by the admin."""

    def __init__(self, cluster: Cluster) -> None:
        """Connect to nobody yet."""
        self._server = urlsplit(cluster.server)
        self._logins = dict(_logins(cluster))
        self._lock = threading.Lock()
        self._idle: defaultdict[str, list[http.client.HTTPSConnection]] = defaultdict(list)
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str = ADMIN,
        groups: Sequence[str] = (),
        content_type: str = "application/json",
        **query: str,
    ) -> Done:
        """Make a call and return it as kubectl would: with the object as its output, or with what was refused as its error."""
        login = _login(user) if not groups else None
        headers = [("Accept", "application/json"), ("Content-Type", content_type)]
        if login is None or login not in self._logins:
            headers += [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)]
            login = ADMIN
        certificate, token = self._logins[login]
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        sent = b"" if body is None else json.dumps(body).encode()
        with self._connection(login, certificate) as connection:
            connection.putrequest(method, f"{path}?{urlencode(query)}" if query else path)
            for name, value in [*headers, ("Content-Length", str(len(sent)))]:
                connection.putheader(name, value.encode())
            connection.endheaders(sent or None)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        warnings = "".join(f"Warning: {warning}\n" for warning in response.headers.get_all("Warning", []))
        if response.status < http.client.MULTIPLE_CHOICES:
            return subprocess.CompletedProcess([method, path], 0, text, warnings)
        return subprocess.CompletedProcess([method, path], 1, "", f"{warnings}HTTP {response.status}: {_why(text)}")

    def path_of(self, manifest: Manifest, *, named: bool = True) -> str:
        """Return where an object is in the API, or where objects like it are created."""
        version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._kinds:
            for known in json.loads(succeed(self.ask("GET", root)))["resources"]:
                if "/" not in known["name"]:
                    self._kinds[version, known["kind"]] = known["name"], known["namespaced"]
        plural, namespaced = self._kinds[version, kind]
        meta = manifest["metadata"]
        space = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{space}/{plural}" + (f"/{meta['name']}" if named else "")

    def create(self, manifest: Manifest, *, user: str = ADMIN, groups: Sequence[str] = (), **query: str) -> Done:
        """Create an object as `kubectl create` does: a field that is not known is an error."""
        path = self.path_of(manifest, named=False)
        return self.ask("POST", path, manifest, user=user, groups=groups, fieldValidation="Strict", **query)

    def replace(self, manifest: Manifest, *, user: str = ADMIN, groups: Sequence[str] = (), **query: str) -> Done:
        """Replace an object as `kubectl replace` does: whatever version is stored, unless the manifest has one."""
        path = self.path_of(manifest)
        if "resourceVersion" not in manifest["metadata"]:
            read = self.ask("GET", path, user=user, groups=groups)
            if read.returncode != 0:
                return read
            version = json.loads(read.stdout)["metadata"]["resourceVersion"]
            manifest = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}
        subresource = query.pop("subresource", "")
        path = f"{path}/{subresource}" if subresource else path
        return self.ask("PUT", path, manifest, user=user, groups=groups, fieldValidation="Strict", **query)

    def apply(self, manifest: Manifest, manager: str = "kubectl") -> None:
        """Apply an object as the admin, with `kubectl apply --server-side --force-conflicts`."""
        options = {"content_type": APPLY, "fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        succeed(self.ask("PATCH", self.path_of(manifest), manifest, **options))

    def may(self, user: str, verb: str, resource: str, namespace: str, subresource: str = "") -> bool:
        """Tell what `kubectl auth can-i VERB RESOURCE.GROUP/NAME` answers to somebody."""
        where, _, name = resource.partition("/")
        plural, _, group = where.partition(".")
        asked = {
            "namespace": namespace,
            "verb": verb,
            "resource": plural,
            "group": group,
            "name": name,
            "subresource": subresource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = self.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, user=user)
        return bool(json.loads(succeed(answer))["status"]["allowed"])

    def connect(self, user: str) -> http.client.HTTPSConnection:
        """Return a connection of its own for somebody who has a certificate, for what does not end with its answer."""
        context, _ = self._logins[_login(user) or user]
        return self._connect(context)

    def close(self) -> None:
        """Hang up."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    @contextmanager
    def _connection(self, login: str, context: ssl.SSLContext) -> Iterator[http.client.HTTPSConnection]:
        with self._lock:
            known = self._idle[login].pop() if self._idle[login] else None
        if known is not None and _has_ended(known):  # the API server was restarted
            known.close()
            known = None
        connection = known or self._connect(context)
        try:
            yield connection
        except BaseException:
            connection.close()  # so that the next call does not read the answer to this one
            raise
        with self._lock:
            self._idle[login].append(connection)

    def _connect(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self._server.hostname or "", self._server.port, timeout=TIMEOUT_SECONDS, context=context
        )


def until(answered: Callable[[], bool], what: str) -> None:
    """Return when the API server answers so: it learns of what was stored a moment later."""
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while not answered():
        if time.monotonic() > deadline:
            raise ServersError(f"After {IN_FORCE_SECONDS:.0f} s the API server does not yet know {what}.")
        time.sleep(PAUSE_SECONDS)


def succeed(done: Done) -> str:
    """Return what a command or a call returned, or fail with why it did not do it."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def _login(user: str) -> str | None:
    """Return the name in the kubeconfig under which somebody has a certificate of their own."""
    return {ADMIN: ADMIN, **{name: person for person, name in PEOPLE.items()}}.get(user)


def _logins(cluster: Cluster) -> Iterator[tuple[str, tuple[ssl.SSLContext, str]]]:
    """Yield everybody of the kubeconfig, with their certificate or their token."""
    users = yaml.safe_load(cluster.kubeconfig.read_text())["users"]
    for number, user in enumerate(users):
        known = user["user"]
        context = ssl.create_default_context(cafile=str(cluster.ca))
        if "client-certificate-data" in known:
            files = [
                write_private(cluster.folder / f"login-{number}.{kind}", base64.b64decode(known[f"client-{kind}-data"]))
                for kind in ("certificate", "key")
            ]
            context.load_cert_chain(str(files[0]), str(files[1]))
        elif "token" not in known:
            raise ServersError("The tests need a kubeconfig whose user has a certificate or a token.")
        # A cluster that is not ours knows one user, who may do everything, whatever their name is.
        yield user["name"] if len(users) > 1 else ADMIN, (context, known.get("token", ""))


def _has_ended(connection: http.client.HTTPSConnection) -> bool:
    """Tell whether the other side has hung up: on an idle connection there is nothing else to read."""
    return connection.sock is not None and bool(select.select([connection.sock], [], [], 0)[0])


def _why(text: str) -> str:
    try:
        return str(json.loads(text).get("message", text))
    except ValueError:
        return text
