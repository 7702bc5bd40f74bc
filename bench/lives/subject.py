"""Curfew as a contender: installed by its chart, with a trail in the bucket."""

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from bench.lives.contender import Body, Order
from bench.lives.servers import BUCKET, BenchServers
from curfew.api.names import ANNOTATION_REQUEST, GROUP
from curfew.api.times import format_time
from tools.installation import CHECKOUT, OPERATOR
from tools.running import CurfewProcess, an_operator
from tools.servers.pki import PEOPLE

MANY: Final = {"activePerRequester": 100, "pendingPerRequester": 100}


class Curfew:
    """One replica of the operator."""

    title = "Curfew"
    namespace = "payments"
    requests = f"/apis/{GROUP}/v1alpha1/namespaces/payments/accessrequests"
    user = OPERATOR
    person = "person-{}@example.com"
    approver = "bob"

    def __init__(self, servers: BenchServers) -> None:
        """Start nothing."""
        self._servers = servers
        self.samples: Path | None = None  # set before the start: the file in which it is written where the time goes
        self._process: CurfewProcess | None = None

    def start(self) -> None:
        """Install the chart and a policy; return when the operator grants."""
        self.install()
        self.run()
        kubectl = self._servers.installation.kubectl
        kubectl("wait", "-n", self.namespace, "--for=condition=Ready", "accesspolicy/debug", "--timeout=30s")

    def install(self) -> None:
        """Install the chart and a policy, and start no operator."""
        install = self._servers.installation
        self._servers.create_namespace(self.namespace)
        install.install(
            "--values", str(CHECKOUT / "examples" / "values.yaml"), f"--set=config.audit.url=s3://{BUCKET}/main"
        )
        self._servers.let_everybody(self.namespace, GROUP, [self.person.format(n) for n in range(100)], PEOPLE["bob"])
        policy = yaml.safe_load((CHECKOUT / "examples" / "policy.yaml").read_text())
        policy["spec"]["limits"] = MANY
        self._servers.apply(policy)
        self._process = an_operator(install, self._servers.folder, self._servers.environ)

    def run(self) -> None:
        """Start the operator, and return when it takes records."""
        assert self._process is not None
        if self.samples is not None:
            self._process.program = ("-m", "bench.lives.sampling", str(self.samples))
        self._process.start()
        self._process.await_part("trail", "takes records")

    def stop(self) -> None:
        """End the operator."""
        if self._process is not None:
            self._process.stop()

    def forget_samples(self) -> None:
        """Begin anew to look where the time goes."""
        if self.samples is not None:
            self.samples.unlink(missing_ok=True)
            os.kill(self.pids()[0], signal.SIGUSR1)

    def write_samples(self) -> None:
        """Return when it is written where the time went."""
        if self.samples is not None:
            os.kill(self.pids()[0], signal.SIGUSR2)
            assert self._process is not None
            self._process.server.await_ready(self.samples.exists)

    def pids(self) -> Sequence[int]:
        """Return the operator's process."""
        return [self._process.server.pid] if self._process is not None else []

    def manifest(self, order: Order) -> Body:
        """Return an AccessRequest for at most an hour."""
        manifest: dict[str, Any] = yaml.safe_load(_EXAMPLE)
        manifest["metadata"]["name"] = order.name
        spec: dict[str, Any] = manifest["spec"]
        spec |= {"requester": order.person, "duration": "1h", "notAfter": format_time(order.ends)}
        if order.begins is not None:
            spec["notBefore"] = format_time(order.begins)
        return manifest

    def approval(self, name: str) -> Sequence[Body]:
        """Return bob's decision."""
        decision = {"by": PEOPLE[self.approver], "decision": "Approve", "stage": "owners"}
        return [{"op": "add", "path": "/status/decisions/-", "value": decision}]

    def is_waiting(self, request: Body) -> bool:
        """Whether it was accepted."""
        return self._phase(request) == "Pending"

    def is_due(self, request: Body) -> bool:
        """Whether it was seen that it is approved."""
        return self._phase(request) == "Approved"

    def asked_by(self, binding: Body) -> str | None:
        """Return what the binding has in an annotation."""
        name: str | None = binding["metadata"].get("annotations", {}).get(ANNOTATION_REQUEST)
        return name

    def _phase(self, request: Body) -> str | None:
        phase: str | None = request.get("status", {}).get("phase")
        if phase in ("Denied", "TimedOut", "Failed"):
            raise ValueError(f"{request['metadata']['name']} is {phase}: {json.dumps(request['status'])}")
        return phase


_EXAMPLE: Final = (CHECKOUT / "examples" / "request.yaml").read_text()
