"""A node that is not there: its kubelet lets streams begin, and its pods end as on a real one.

A pod that is deleted goes as on a real node: first its streams are cut, then it is gone.
"""

import json
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.api import MERGE, Api, succeed, until
from tests.support.kubelet import Kubelet
from tools.servers.ports import LOOPBACK

_LOOK_SECONDS: Final = 0.05
_UPGRADE: Final = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}


class Node:
    """A node for pods of tests."""

    def __init__(self, api: Api, folder: Path, name: str = "node-1") -> None:
        """`folder` is for the kubelet's keys."""
        self.name = name
        self._api = api
        self._kubelet = Kubelet(folder)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._end_pods)

    def __enter__(self) -> Self:
        """Serve, and let the API server know the node."""
        self._kubelet.__enter__()
        succeed(self._api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}))
        status = {
            "addresses": [{"type": "InternalIP", "address": LOOPBACK}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._kubelet.port}},
        }
        path = f"/api/v1/nodes/{self.name}/status"
        succeed(self._api.ask("PATCH", path, {"status": status}, content_type=MERGE))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Cut all streams and take the node away."""
        self._stopped.set()
        self._thread.join()
        self._kubelet.__exit__(kind, error, at)
        self._api.ask("DELETE", f"/api/v1/nodes/{self.name}")

    def run(self, name: str, namespace: str, **spec: Any) -> str:
        """Make a pod that runs on the node, and return its UID."""
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        until(lambda: self._api.ask("GET", account).returncode == 0, "the namespace's service account")
        made = json.loads(succeed(self._api.create(a_pod(name, namespace, nodeName=self.name, **spec))))
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        succeed(self._api.ask("PATCH", path, {"status": {"phase": "Running"}}, content_type=MERGE))
        return str(made["metadata"]["uid"])

    def _end_pods(self) -> None:
        """Do what a kubelet does for a pod of its node that is to be deleted."""
        while not self._stopped.wait(_LOOK_SECONDS):
            listed = self._api.ask("GET", "/api/v1/pods", fieldSelector=f"spec.nodeName={self.name}")
            if listed.returncode:
                continue  # the API server may be away for a moment
            for meta in (pod["metadata"] for pod in json.loads(listed.stdout)["items"]):
                if "deletionTimestamp" in meta:
                    self._kubelet.cut(meta["namespace"], meta["name"])
                    now = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
                    self._api.ask("DELETE", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", now)


class Stream:
    """A connection into a pod, through the API server, that its caller holds open."""

    def __init__(self, api: Api, user: str, path: str, headers: Mapping[str, str] | None = None) -> None:
        """Begin it, for example at `/api/v1/namespaces/team-a/pods/web/exec?command=sh&stdin=true`.

        `code` is the answer; 101 means that the stream is open. The user needs a certificate: one of `PEOPLE`.
        """
        self._connection = api.connect(user)
        self._connection.request("POST", path, headers={"Content-Length": "0", **_UPGRADE, **(headers or {})})
        self._socket = self._connection.sock
        response = self._connection.getresponse()
        self.code = response.status
        self.text = "" if self.is_begun else response.read().decode(errors="replace")

    @property
    def is_begun(self) -> bool:
        """Whether the API server has let it through."""
        return self.code == HTTPStatus.SWITCHING_PROTOCOLS

    def await_end(self, seconds: float) -> None:
        """Return when the other side has hung up. Raise TimeoutError if it has not after so many seconds."""
        self._socket.settimeout(seconds)
        with suppress(ConnectionError, ssl.SSLError):
            while self._socket.recv(1024):
                pass

    def __enter__(self) -> Self:
        """Hold it open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._connection.close()


def a_pod(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    """Return a pod with one container, `main`."""
    containers = [{"name": "main", "image": "registry.invalid/main:1"}]
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers, **spec}}
