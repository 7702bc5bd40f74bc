"""A cluster of its own in which all is well: an operator that grants, what its pods would show, and an AccessPolicy.

No kubelet runs pods here. So the pods are objects whose address is this machine's, where a page repeats the metrics of the
real operator, and shows those of a monitor; a test can plant other numbers in either.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from click.testing import CliRunner

from curfew.api.names import LEADER_LEASE, SWEEPER_CRON_JOB
from curfew.api.times import format_time, parse_time
from curfew.cli.plugin import plugin
from tests.integration.installed import SYSTEM, Installed
from tests.support.api import MERGE, succeed, until
from tests.support.operator_process import OperatorProcess

MONITORS_METRICS: Final = """curfew_activity_covered 1.0
curfew_activity_api_servers 1.0
curfew_activity_sources 1.0
curfew_activity_trail_followed 1.0
curfew_detection_up 1.0
curfew_trail_healthy{reason=""} 1.0
"""
"""Of a monitor that hears everything."""

OPERATORS_POD: Final = "curfew-0"
MONITORS_POD: Final = "curfew-monitor-0"
BATCH: Final = f"/apis/batch/v1/namespaces/{SYSTEM}/cronjobs/{SWEEPER_CRON_JOB}"
LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{LEADER_LEASE}"
DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"
NAMESPACE: Final = "payments"

Body = dict[str, Any]


class Ground:
    """The cluster, its operator, and what its pods show."""

    def __init__(self, cluster: Installed, operator: OperatorProcess) -> None:
        """Show the pods' pages once `served` is entered."""
        self.cluster = cluster
        self.api = cluster.api
        self.operator = operator
        self.planted: dict[str, str] = {}
        """What is to be read in a page instead of what is there, by the name of the metric."""
        self.held_page = ""  # of an operator that stands still
        self.swept_at: Callable[[], datetime] = lambda: datetime.now(UTC)

    # --- the doctor -------------------------------------------------------------------------------------------------

    def examine(self, *options: str, user: str = "admin") -> "Examined":
        """Run the doctor in this process, as a person."""
        self._sweep()
        environment = self.cluster.environment.cluster
        result = CliRunner().invoke(
            plugin,
            ["doctor", "--output=json", f"--user={user}", *options],
            env={**environment.environ(), "KUBECTL_PATH": str(environment.kubectl_path)},
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.stdout, result.stderr
        return Examined(result.exit_code, result.stdout)

    def _sweep(self) -> None:
        """Show that the sweeper has just run: no controller runs CronJobs here."""
        done = {"status": {"lastSuccessfulTime": format_time(self.swept_at().replace(microsecond=0))}}
        self.api.ask("PATCH", f"{BATCH}/status", done, content_type=MERGE)

    # --- a healthy cluster ------------------------------------------------------------------------------------------

    @contextmanager
    def healthy(self) -> Iterator[None]:
        """Make the pods, and have the Deployments show that they are ready."""
        with self._served() as (address, port):
            self._make_pod(OPERATORS_POD, "operator", address, port)
            self._make_pod(MONITORS_POD, "monitor", address, port)
            for name, replicas in (("curfew", 2), ("curfew-monitor", 1)):
                self.show_ready(name, replicas)
            self.cluster.make_namespace(NAMESPACE)
            self.api.apply(policy("debug", "view"))
            until(lambda: self.condition("debug") == "True", "that the policy is ready")
            # The operator sets what describes the whole state each five seconds, and has just started.
            until(lambda: "curfew_locks_known 1.0" in self.operator.metrics_page(), "that the locks are known")
            yield

    def show_ready(self, name: str, ready: int) -> None:
        """Have a Deployment show so many ready pods of the two that there are."""
        status = {"status": {"replicas": 2, "readyReplicas": ready, "availableReplicas": ready}}
        succeed(self.api.ask("PATCH", f"{DEPLOYMENTS}/{name}/status", status, content_type=MERGE))

    def is_led(self) -> bool:
        """Return whether an operator has just renewed the Lease."""
        found = self.api.ask("GET", LEASE)
        renewed = json.loads(found.stdout)["spec"]["renewTime"] if found.returncode == 0 else None
        return renewed is not None and datetime.now(UTC) - parse_time(renewed) < timedelta(seconds=3)

    def condition(self, name: str) -> str:
        """Return whether an AccessPolicy is ready, as its status tells."""
        path = f"/apis/curfew.dev/v1alpha1/namespaces/{NAMESPACE}/accesspolicies/{name}"
        conditions = json.loads(succeed(self.api.ask("GET", path))).get("status", {}).get("conditions", [])
        return next((str(one["status"]) for one in conditions if one["type"] == "Ready"), "")

    def _make_pod(self, name: str, component: str, address: str, port: int) -> None:
        # A page for each pod, at one port: a pod is told by the name in its path.
        self.api.apply(pod(name, component, port))
        found = {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}
        path = f"/api/v1/namespaces/{SYSTEM}/pods/{name}/status"
        succeed(self.api.ask("PATCH", path, found, content_type=MERGE))

    @contextmanager
    def _served(self) -> Iterator[tuple[str, int]]:
        """Serve the pages at an address that the API server goes to: it refuses loopback."""
        ground = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = ground.page().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        address = own_address()
        with ThreadingHTTPServer((address, 0), Pages) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield address, server.server_address[1]
            finally:
                server.shutdown()
                thread.join()

    def page(self) -> str:
        """Return what a pod shows: the operator's numbers now and those of a monitor, with what is planted."""
        # The operator tries the policies each half minute: it would find some of the faults too, sooner or later.
        lines = ((self.held_page or self.operator.metrics_page()) + MONITORS_METRICS).splitlines()
        for name, line in {"curfew_enforced": 'curfew_enforced{policy="all"} 1.0', **self.planted}.items():
            lines = [*(known for known in lines if not known.startswith((f"{name} ", f"{name}{{"))), line]
        return "\n".join(lines) + "\n"


class Examined:
    """What the doctor found."""

    def __init__(self, code: int, text: str) -> None:
        """Take the exit code and the report in JSON."""
        self.code = code
        self.text = text
        self.report: Body = json.loads(text)

    @property
    def codes(self) -> list[str]:
        """Return the codes of the findings, each once."""
        return sorted({one["code"] for one in self.report["findings"]})

    def told(self, faults: object) -> str:
        """Return what somebody needs to know if that was not all, or too much."""
        return "\n".join([f"of {faults}:", *(f"{one['code']} {one['what']}" for one in self.report["findings"])])


def own_address() -> str:
    """Return an address of this machine that is not loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def pod(name: str, component: str, port: int) -> Body:
    """Return a pod of Curfew's."""
    labels = {"app.kubernetes.io/name": "curfew", "app.kubernetes.io/component": component}
    container = {"name": component, "image": "curfew", "ports": [{"name": "http", "containerPort": port}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SYSTEM, "labels": labels},
        "spec": {"serviceAccountName": "default", "nodeName": "nowhere", "containers": [container]},
    }


def policy(name: str, role: str) -> Body:
    """Return an AccessPolicy."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"roleRef": {"kind": "ClusterRole", "name": role}, "maxDuration": "1h"},
    }


class Vandal:
    """Changes what is in the cluster, and puts it back as the chart had it when the block ends."""

    def __init__(self, ground: Ground, undo: ExitStack, name: str) -> None:
        """Do nothing yet. What is made has this name in place of `planted`."""
        self.ground = ground
        self.api = ground.api
        self.undo = undo
        self._name = name

    def put(self, *manifests: Body) -> None:
        """Make objects, and take them away at the end, the last first."""
        for manifest in manifests:
            named = json.loads(json.dumps(manifest).replace("planted", self._name))
            self.api.apply(named)
            self.undo.callback(self.api.ask, "DELETE", self.api.path_of(named), gracePeriodSeconds="0")

    def take(self, path: str) -> None:
        """Delete an object, and make it again as Helm."""
        saved = self._saved(path)
        succeed(self.api.ask("DELETE", path))
        until(lambda: self.api.ask("GET", path).returncode != 0, f"that {path} is gone")
        self.undo.callback(self.api.apply, saved, "helm")

    def change(self, path: str, patch: Body, manager: str = "helm") -> None:
        """Change an object as some program, and change it back as Helm."""
        saved = self._saved(path)
        succeed(self.api.ask("PATCH", path, patch, content_type=MERGE, fieldManager=manager))
        self.undo.callback(lambda: succeed(self.api.replace(saved, fieldManager="helm")))

    def show(self, name: str, line: str) -> None:
        """Plant a number in the metrics, in place of all series of a name."""
        self.ground.planted[name] = line
        self.undo.callback(self.ground.planted.pop, name)

    def sweep_last(self, at: datetime) -> None:
        """Have the sweeper have run last at a time."""
        before = self.ground.swept_at
        self.ground.swept_at = lambda: at
        self.undo.callback(setattr, self.ground, "swept_at", before)

    def ready(self, name: str, number: int, otherwise: int) -> None:
        """Have a Deployment show so many ready pods, and others at the end."""
        self.ground.show_ready(name, number)
        self.undo.callback(self.ground.show_ready, name, otherwise)

    def pause_operator(self) -> None:
        """Stop the operator where it stands, unless it was; it leads again when the block has ended."""
        if self.ground.held_page:
            return
        self.undo.callback(until, self.ground.is_led, "that the operator leads again")
        page = self.ground.operator.metrics_page()
        self.undo.enter_context(self.ground.operator.paused())
        self.ground.held_page = page
        self.undo.callback(setattr, self.ground, "held_page", "")

    def _saved(self, path: str) -> Body:
        found = json.loads(succeed(self.api.ask("GET", path)))
        meta = found["metadata"]
        kept = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if key in meta}
        rest = {key: value for key, value in found.items() if key not in ("metadata", "status")}
        return {**rest, "metadata": kept}
