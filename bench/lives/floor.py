"""The floor as a contender: a bare client on a kind of its own, which no admission policy and no rule of a schema judges.

Its requests have the shape of AccessRequests. It shows all that is needed to measure another operator.
"""

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from bench.lives.contender import Body, Order
from bench.lives.servers import BenchServers
from curfew.api.times import format_time
from tools.installation import CHECKOUT, SYSTEM
from tools.servers.pki import PEOPLE
from tools.servers.processes import Server, clean_environ

GROUP: Final = "floor.curfew.example"
ANNOTATION: Final = f"{GROUP}/request"


class Floor:
    """Watches, creates bindings, deletes them at their end, and does nothing else."""

    title = "floor"
    namespace = "floor"
    requests = f"/apis/{GROUP}/v1alpha1/namespaces/floor/accessrequests"
    user = f"system:serviceaccount:{SYSTEM}:floor"
    person = "person-{}@example.com"
    approver = "bob"

    def __init__(self, servers: BenchServers) -> None:
        """Start nothing."""
        self._servers = servers
        self._server: Server | None = None

    def start(self) -> None:
        """Define the kind, and run `python -m bench.lives.floor_operator` with a token of a service account."""
        self._servers.create_namespace(self.namespace)
        self._servers.define(_definition())
        self._servers.let_everybody(self.namespace, GROUP, [self.person.format(n) for n in range(100)], PEOPLE["bob"])
        kubeconfig = self._servers.admin_account("floor", SYSTEM)
        command: list[str | Path] = [sys.executable, "-m", "bench.lives.floor_operator", kubeconfig, self.namespace]
        self._server = Server("floor", command, log=self._servers.folder / "floor.log", environ=clean_environ())
        self._server.await_ready(lambda: b"watching" in (self._servers.folder / "floor.log").read_bytes())

    def stop(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.stop()

    def pids(self) -> Sequence[int]:
        """Return its one process."""
        return [self._server.pid] if self._server is not None else []

    def manifest(self, order: Order) -> Body:
        """Return a request with as many fields as an AccessRequest has."""
        spec: dict[str, Any] = yaml.safe_load((CHECKOUT / "examples" / "request.yaml").read_text())["spec"]
        spec |= {"requester": order.person, "submittedBy": order.person, "notAfter": format_time(order.ends)}
        if order.begins is not None:
            spec["notBefore"] = format_time(order.begins)
        meta = {"name": order.name, "namespace": self.namespace}
        return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "AccessRequest", "metadata": meta, "spec": spec}

    def approval(self, name: str) -> Sequence[Body]:
        """Return a decision as Curfew's people write it."""
        decision = {"by": PEOPLE["bob"], "decision": "Approve", "stage": "owners"}
        return [{"op": "add", "path": "/status/decisions/-", "value": decision}]

    def is_waiting(self, request: Body) -> bool:
        """Whether it is there: nobody looks at it."""
        return True

    is_due = is_waiting

    def asked_by(self, binding: Body) -> str | None:
        """Return what the binding has in an annotation."""
        name: str | None = binding["metadata"].get("annotations", {}).get(ANNOTATION)
        return name


def _definition() -> Body:
    """Return the definition of AccessRequest without the rules in its schema, in another group."""
    crd = yaml.safe_load((CHECKOUT / "crds" / "accessrequests.curfew.dev.yaml").read_text())
    bare: dict[str, Any] = without_rules(crd)
    bare["metadata"]["name"] = f"accessrequests.{GROUP}"
    names = {name: value for name, value in bare["spec"]["names"].items() if name not in ("shortNames", "categories")}
    bare["spec"] |= {"group": GROUP, "names": names}
    return bare


def without_rules(schema: Any) -> Any:
    """Return a schema, or what contains one, without the rules in it."""
    if isinstance(schema, list):
        return [without_rules(one) for one in schema]
    if not isinstance(schema, dict):
        return copy.copy(schema)
    return {name: without_rules(value) for name, value in schema.items() if name != "x-kubernetes-validations"}
