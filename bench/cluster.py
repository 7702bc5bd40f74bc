"""A real control plane with Curfew as the chart installs it, and people who ask and approve at the API server itself."""

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from bench.process import Failed, on_cores
from tools.demo.stage import BUCKET, NAMESPACE, Stage
from tools.installation import CHECKOUT
from tools.running import CurfewProcess, a_monitor, an_operator
from tools.servers.audit import AuditFeed
from tools.servers.pki import write_private

REQUESTS: Final = f"/apis/curfew.dev/v1alpha1/namespaces/{NAMESPACE}/accessrequests"
REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
MAY_LIST: Final = {"spec": {"resourceAttributes": {"namespace": NAMESPACE, "verb": "list", "resource": "pods"}}}

SOON: Final = 30.0
PAUSE: Final = 0.02

_MANY: Final = {"spec": {"limits": {"activePerRequester": 100, "pendingPerRequester": 100}}}


class Person:
    """Somebody with a certificate, at the API server over one connection."""

    def __init__(self, stage: Stage, name: str) -> None:
        """Connect to nothing yet. `name` is that of a context."""
        config = yaml.safe_load(stage.environment.cluster.kubeconfig.read_text())
        user = next(entry["user"] for entry in config["users"] if entry["name"] == name)
        certificate, key = (
            write_private(stage.folder / f"{name}-{part}", base64.b64decode(user[part]))
            for part in ("client-certificate-data", "client-key-data")
        )
        tls = ssl.create_default_context(cafile=str(stage.environment.cluster.ca))
        tls.load_cert_chain(certificate, key)
        where = urlsplit(stage.environment.cluster.server)
        self._connection = http.client.HTTPSConnection(where.hostname or "", where.port, timeout=SOON, context=tls)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> dict[str, Any]:
        """Make a call and return the object that comes back, or raise `Failed`."""
        self._connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
        answer = self._connection.getresponse()
        read: dict[str, Any] = json.loads(answer.read())
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise Failed(f"{method} {path} was answered with {answer.status}: {read.get('message')}")
        return read


class WatchedCluster:
    """What a bench asks of it. Alice asks for a minute, and bob approves or revokes."""

    def __init__(self, stage: Stage, operator: CurfewProcess, monitor: CurfewProcess, feed: AuditFeed) -> None:
        """Know what runs."""
        self.operator = operator
        self.monitor = monitor
        self.feed = feed
        self.audit_log: Path = stage.environment.control_plane.audit_log
        self.alice, self.bob = Person(stage, "alice"), Person(stage, "bob")
        self._number = 0

    def start_monitor(self) -> None:
        """Start the monitor on one core, and return when it hears everything."""
        with on_cores(1):
            self.monitor.start()
        self.monitor.await_part("coverage", "the feed of audit events is whole")

    def asked(self) -> str:
        """Have alice ask; return the name of the request when it waits for approval."""
        self._number += 1
        manifest = yaml.safe_load((CHECKOUT / "examples" / "request.yaml").read_text())
        manifest["metadata"]["name"] = name = f"bench-{self._number}"
        self.alice.ask("POST", REQUESTS, manifest)
        self.until(name, lambda status: status.get("phase") == "Pending")
        return name

    def decide(self, name: str, decision: str) -> None:
        """Have bob decide."""
        value = {
            "by": "bob@example.com",
            "decision": decision,
            **({"stage": "owners"} if decision == "Approve" else {}),
        }
        patch = [{"op": "add", "path": "/status/decisions/-", "value": value}]
        self.bob.ask("PATCH", f"{REQUESTS}/{name}/status", patch, "application/json-patch+json")

    def read(self) -> None:
        """Have alice list pods once she may: the API server's authorizer learns of a binding a moment after it is stored."""
        deadline = time.monotonic() + SOON
        while not self.alice.ask("POST", REVIEWS, MAY_LIST)["status"]["allowed"]:
            if time.monotonic() > deadline:
                raise Failed(f"after {SOON:.0f} s, alice may still not list pods")
            time.sleep(PAUSE)
        self.alice.ask("GET", PODS)

    def until(self, name: str, is_so: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Return the status of a request when something is so of it, or raise `Failed`."""
        deadline = time.monotonic() + SOON
        while True:
            status: Mapping[str, Any] = self.alice.ask("GET", f"{REQUESTS}/{name}").get("status", {})
            if is_so(status):
                return status
            if time.monotonic() > deadline:
                raise Failed(f"after {SOON:.0f} s, the status of {name} is {json.dumps(status)}")
            time.sleep(PAUSE)

    def all(self) -> list[dict[str, Any]]:
        """Return all requests."""
        found: list[dict[str, Any]] = self.alice.ask("GET", REQUESTS)["items"]
        return found


@contextmanager
def watched_cluster() -> Iterator[WatchedCluster]:
    """Start all of it, with a monitor that hears everything; nothing of it runs after the block."""
    with Stage("s3") as stage:
        if stage.feed is None:
            raise Failed("this needs a control plane of our own: leave CLUSTER unset")
        stage.start_servers()
        stage.environment.s3.make_bucket(BUCKET)
        install, kubectl = stage.installation, stage.installation.kubectl
        kubectl("create", "namespace", NAMESPACE)
        install.install("--values", str(CHECKOUT / "examples" / "values.yaml"), "--set", "monitor.enabled=true")
        for name in ("role.yaml", "policy.yaml"):
            kubectl("apply", "--filename", str(CHECKOUT / "examples" / name))
        kubectl("patch", "accesspolicy", "debug", "-n", NAMESPACE, "--type=merge", "-p", json.dumps(_MANY))
        operator = an_operator(install, stage.folder, stage.environ)
        monitor = a_monitor(install, stage.feed, stage.folder, stage.environ)
        try:
            operator.start()
            operator.await_part("trail", "takes records")
            kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", "accesspolicy/debug", "--timeout=30s")
            watched = WatchedCluster(stage, operator, monitor, stage.feed)
            with closing(watched.alice), closing(watched.bob):
                watched.start_monitor()
                yield watched
        finally:
            monitor.stop()
            operator.stop()
