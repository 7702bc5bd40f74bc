"""Curfew in a cluster with real pods: who leads, who asks and approves, when access ends, what befalls pods and nodes."""

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from curfew.api.times import parse_time
from tests.support.api import JSON_PATCH, Api, succeed
from tools.cluster import curfew
from tools.cluster.image import image_name
from tools.cluster.node import Node
from tools.cluster.pods import PodCluster
from tools.installation import SYSTEM
from tools.servers.build import binary
from tools.servers.environment import Environment
from tools.servers.pki import ADMIN, PEOPLE

NAMESPACE: Final = curfew.NAMESPACE
REQUESTS: Final = f"/apis/curfew.dev/v1alpha1/namespaces/{NAMESPACE}/accessrequests"
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
OPERATORS: Final = "app.kubernetes.io/component=operator"
LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/curfew"

ALICE, BOB = PEOPLE["alice"], PEOPLE["bob"]

STORY: Final = ("request.", "review.", "grant.")

PATIENCE_SECONDS: Final = 120.0
PAUSE_SECONDS: Final = 0.02

ON_TIME: Final = timedelta(seconds=5)
"""Before anybody else could have taken over the lead, or the sweeper could have run: so it was a replica that ended it."""

Pod = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end that was promised, and the last call that succeeded and the first that was refused, as they were sent."""

    promised: datetime
    allowed: datetime
    refused: datetime

    @property
    def late(self) -> timedelta:
        """Return how late access was gone, at most."""
        return self.refused - self.promised


class Ground:
    """The cluster, with Curfew installed as `make cluster` does it."""

    def __init__(self, environment: Environment) -> None:
        """Take servers and nodes that run."""
        assert isinstance(environment.cluster, PodCluster)
        self.environment = environment
        self.cluster: PodCluster = environment.cluster
        self.api = Api(environment.cluster)
        self._numbers = itertools.count(1)

    def install(self, *options: str) -> None:
        """Install or upgrade, with the options of helm's."""
        curfew.install(self.cluster, image_name(), self.environment.s3.env(), *options)

    def kubectl(self, *arguments: str, user: str = ADMIN, stdin: str | None = None) -> str:
        """Run kubectl and return what it says, or fail with it."""
        return self.cluster.kubectl(*arguments, user=user, stdin=stdin).stdout

    def helm(self, *arguments: str) -> str:
        """Run helm in Curfew's namespace, and return all that it says: the output of hooks is among its messages."""
        done = self.cluster.helm(*arguments, "--namespace", SYSTEM, timeout=PATIENCE_SECONDS * 3)
        return done.stdout + done.stderr

    def get(self, path: str, **query: str) -> Any:
        """Return what is at a path of the API server."""
        return json.loads(succeed(self.api.ask("GET", path, **query)))

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests as the admin."""
        for manifest in manifests:
            self.api.apply(manifest)

    # --- pods and nodes -------------------------------------------------------------------------------------------------

    def pods(self, selector: str = OPERATORS, namespace: str = SYSTEM) -> list[Pod]:
        """Return the pods that nobody has asked to go."""
        found = self.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def await_replicas(self, count: int = 2) -> list[Pod]:
        """Return the operator's pods when there are so many, all Ready, and one of them leads."""

        def are_ready() -> bool:
            pods = self.pods()
            return len(pods) == count and all(map(is_ready, pods)) and self.leader() in map(name_of, pods)

        until(are_ready, f"{count} replicas that are Ready, of which one leads")
        return self.pods()

    def leader(self) -> str:
        """Return the name of the pod that leads."""
        return str(self.get(LEASE)["spec"]["holderIdentity"])

    def node_of(self, pod: str) -> Node:
        """Return the node on which one of the operator's pods is."""
        name = self.get(f"/api/v1/namespaces/{SYSTEM}/pods/{pod}")["spec"]["nodeName"]
        return next(node for node in self.cluster.nodes if node.name == name)

    def kill_container(self, pod: str) -> None:
        """End the process of one of the operator's pods as `kill -9` does, past Kubernetes."""
        status = self.get(f"/api/v1/namespaces/{SYSTEM}/pods/{pod}")["status"]["containerStatuses"][0]
        container = status["containerID"].removeprefix("containerd://")
        kill = self.node_of(pod).command(
            binary("ctr"), "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", container
        )
        subprocess.run(kill, check=True, capture_output=True)  # noqa: S603  constants and an id of containerd's

    def delete_at_once(self, pod: str) -> None:
        """Delete one of the operator's pods as `kubectl delete --force` does."""
        succeed(self.api.ask("DELETE", f"/api/v1/namespaces/{SYSTEM}/pods/{pod}", {"gracePeriodSeconds": 0}))

    # --- grants ---------------------------------------------------------------------------------------------------------

    def grant(self, policy: str = "debug", *, needs_approval: bool = True, duration: str = "1m") -> str:
        """Let alice ask and bob agree; return the request's name when she holds the role."""
        name = f"r-{next(self._numbers)}"
        request = {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "policyName": policy,
                "duration": duration,
                "reason": "payment workers crash-loop",
                "ticket": "INC-4711",
            },
        }
        succeed(self.api.create(request, user=ALICE))
        if needs_approval:
            until(lambda: self.phase(name) == "Pending", f"that {name} is Pending")
            decision = {"by": BOB, "decision": "Approve", "stage": "owners"}
            add = [{"op": "add", "path": "/status/decisions/-", "value": decision}]
            path = f"{REQUESTS}/{name}/status"
            succeed(self.api.ask("PATCH", path, add, user=BOB, content_type=JSON_PATCH))
        until(lambda: self.phase(name) == "Active", f"that {name} is Active")
        until(self.may_list_pods, "that alice may list pods")
        return name

    def phase(self, name: str) -> str:
        """Return the phase of a request."""
        return str(self.get(f"{REQUESTS}/{name}").get("status", {}).get("phase", ""))

    def end_of(self, name: str) -> datetime:
        """Return the end that was promised."""
        return parse_time(self.get(f"{REQUESTS}/{name}")["status"]["expiresAt"])

    def may_list_pods(self) -> bool:
        """Tell whether alice may list pods."""
        return self.api.ask("GET", PODS, user=ALICE).returncode == 0

    def bindings(self) -> list[str]:
        """Return the grants that are in force."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
        return [name_of(one) for one in self.get(path, labelSelector="curfew.dev/request-uid")["items"]]

    def watch_the_end(
        self, name: str, before: timedelta = timedelta(), event: Callable[[], object] | None = None
    ) -> Ended:
        """Let alice list pods again and again until she is refused. So long before the end, let something happen."""
        promised = self.end_of(name)
        failed: list[BaseException] = []

        def happen() -> None:
            try:
                assert event is not None
                event()
            except BaseException as error:  # noqa: BLE001  it is raised again by who waits
                failed.append(error)

        seconds = (promised - before - now()).total_seconds()
        timer = threading.Timer(max(seconds, 0.0), happen) if event else None
        if timer is not None:
            timer.start()
        allowed = now()
        while True:
            sent = now()
            if not self.may_list_pods():
                break
            allowed = sent
            assert sent < promised + timedelta(seconds=PATIENCE_SECONDS), f"{name} does not end"
            time.sleep(PAUSE_SECONDS)
        if timer is not None:
            timer.join()
        if failed:
            raise failed[0]
        return Ended(promised, allowed, sent)

    # --- the record -----------------------------------------------------------------------------------------------------

    def story_of(self, name: str) -> list[str]:
        """Return the events of a request from the log, which verifies."""
        uid = self.get(f"{REQUESTS}/{name}")["metadata"]["uid"]
        until(lambda: self.phase(name) != "Active", f"that {name} has ended")
        told: list[str] = []

        def is_told() -> bool:
            found = self._audit("search", "--request", f"{NAMESPACE}/{name}", "--output=jsonl")
            records = [json.loads(line)["record"]["unmapped"]["curfew"] for line in found.splitlines()]
            events = [record["event"] for record in records if record["subject"] == uid]
            told[:] = [event for event in events if event.startswith(STORY)]  # the monitor tells more
            return "request.closed" in told

        until(is_told, f"the whole story of {name} in the log")
        return told

    def verify(self) -> None:
        """Verify the log, or fail with what is wrong with it."""
        self._audit("verify")

    def _audit(self, command: str, *options: str) -> str:
        done = subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-m", "curfew", "audit", command, f"s3://{curfew.BUCKET}/main", *options],
            env={**self.environment.environ(), "XDG_CACHE_HOME": str(self.environment.folder / "audit-cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def name_of(thing: Mapping[str, Any]) -> str:
    """Return the name of an object."""
    return str(thing["metadata"]["name"])


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod is Ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def until(is_so: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s there is still not {what}"
        time.sleep(PAUSE_SECONDS)
