"""Reads what the doctor judges, through the caller's kubectl: a bounded number of calls, several at a time."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import yaml

from curfew.adapters.clock import SystemClock
from curfew.api.names import LEADER_LEASE, SWEEPER_CRON_JOB
from curfew.api.time_text import parse_time
from curfew.audit.wording import printable
from curfew.cli.doctor import ending
from curfew.cli.kubectl import Kubectl, KubectlFailed, KubectlMissing, KubectlRefused
from curfew.cli.requests.access import POLICIES, RBAC
from curfew.core.doctor.bundle import MOST_LINES
from curfew.core.doctor.facts import COMPONENT, ClusterFacts, Json, Objects, Unread, items, number, text
from curfew.core.doctor.guards import DEFINITIONS
from curfew.core.skew import bound

USUAL_NAMESPACE: Final = "curfew-system"

AT_ONCE: Final = 4
"""How many kubectl run at a time."""

MOST_PODS: Final = 10
"""How many pods of Curfew are asked for their metrics."""

_OURS: Final = "--selector=app.kubernetes.io/name=curfew"
_ADMISSION: Final = "admissionregistration.k8s.io"
_LONGEST_WHY: Final = 300
_LONGEST_LOG: Final = 2 * 1024 * 1024  # bytes
_LONGEST_SETTINGS: Final = 1024 * 1024  # characters: what a ConfigMap can hold


class Behind(NamedTuple):
    """What is behind a report: Events and logs, and the versions of kubectl and of the API server."""

    events: Sequence[Json]
    logs: Mapping[str, str]
    version: str


class ClusterLook:
    """Reads from one cluster, and notes what cannot be read."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        """`namespace` is Curfew's; an empty one is to be found out."""
        self._kubectl = kubectl
        self._namespace = namespace
        self._unread: list[Unread] = []

    def gather(self) -> ClusterFacts:
        """Read everything. Raise `KubectlFailed` if the cluster cannot be reached at all."""
        now, ahead = self._clocks()
        deployments = self._deployments()
        namespace = self._namespace or _home(deployments) or USUAL_NAMESPACE
        here = f"--namespace={namespace}"
        reads: dict[str, Callable[[], Any]] = {
            "config_maps": lambda: self._list("ConfigMaps", "configmaps", *self._everywhere(here), _OURS),
            "lease": lambda: self._one("the Lease of the operators", "leases.coordination.k8s.io", LEADER_LEASE, here),
            "cron_job": lambda: self._one("the CronJob of the sweeper", "cronjobs.batch", SWEEPER_CRON_JOB, here),
            "guards": lambda: self._list(
                "admission policies",
                f"validatingadmissionpolicies.{_ADMISSION},validatingadmissionpolicybindings.{_ADMISSION}",
                "--show-managed-fields",
            ),
            "definitions": lambda: self._list(
                "definitions",
                "customresourcedefinitions.apiextensions.k8s.io",
                *DEFINITIONS,
                "--ignore-not-found",
                "--show-managed-fields",
            ),
            "cluster_rbac": lambda: self._list("ClusterRoles", f"clusterroles.{RBAC},clusterrolebindings.{RBAC}"),
            "namespace_rbac": lambda: self._list("Roles", f"roles.{RBAC},rolebindings.{RBAC}", "--all-namespaces"),
            "policies": lambda: self._list("AccessPolicies", POLICIES, "--all-namespaces"),
            "secrets": lambda: self._secrets(here),
            "pods": lambda: self._list(f"pods in {namespace}", "pods", here, _OURS),
        }
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = dict(zip(reads, threads.map(lambda read: read(), reads.values()), strict=True))
            pods, secrets = found["pods"], found.pop("secrets")
            metrics = dict(threads.map(lambda pod: (_name(pod), self._metrics(pod)), _serving(pods)))
        kinds = {_name(pod): text(pod, "metadata", "labels", COMPONENT) for pod in pods or ()}
        answered = {name: told for name, told in metrics.items() if told}
        return ClusterFacts(
            namespace=namespace,
            now=now,
            own_clock_ahead=ahead,
            deployments=deployments,
            settings=_settings(found["config_maps"]),
            token_secrets=ending.token_secrets(secrets) if secrets is not None else None,
            expiries=ending.expiries(secrets) if secrets is not None else None,
            metrics={name: told for name, told in answered.items() if kinds[name] == "operator"},
            monitor_metrics={name: told for name, told in answered.items() if kinds[name] == "monitor"},
            unread=tuple(sorted(self._unread, key=lambda one: one.what)),
            **found,
        )

    def behind(self, facts: ClusterFacts) -> Behind:
        """Read what a bundle has besides: what was told lately. What may not be read is left out."""
        here = f"--namespace={facts.namespace}"
        events = self._list("Events", "events.events.k8s.io", here)
        pods = [_name(pod) for pod in facts.pods or ()][:MOST_PODS]
        tail = (f"--tail={MOST_LINES}", f"--limit-bytes={_LONGEST_LOG}", "--all-containers")
        with ThreadPoolExecutor(AT_ONCE) as threads:
            logs = threads.map(
                lambda pod: self._try(f"the log of {pod}", lambda: self._kubectl.run(["logs", pod, here, *tail])), pods
            )
            told = {pod: log for pod, log in zip(pods, logs, strict=True) if log is not None}
        version = self._try("the versions", lambda: self._kubectl.run(["version", "--output=yaml"])) or ""
        return Behind(events or (), told, version)

    def _clocks(self) -> tuple[datetime, timedelta]:
        """Return the API server's time, which dates what it is asked to create, and how far ours is certainly ahead of it."""
        clock = SystemClock()
        sent = clock.now()
        answer = self._kubectl.read(["auth", "whoami"])
        received = clock.now()
        try:
            at = parse_time(text(answer, "metadata", "creationTimestamp"))
        except ValueError:  # before Kubernetes 1.28
            return received, timedelta()
        return at, bound(sent, received, at).certain

    def _deployments(self) -> Objects:
        """Return the Deployments of Curfew in the whole cluster, or of its namespace if no others may be read."""
        found = self._list("Deployments of all namespaces", "deployments.apps", "--all-namespaces", _OURS)
        if found is None:
            where = f"--namespace={self._namespace or USUAL_NAMESPACE}"
            found = self._list("Deployments in Curfew's namespace", "deployments.apps", where, _OURS)
        return found

    def _everywhere(self, here: str) -> tuple[str, ...]:
        """Return where to look for settings: two logs of one name may be in two namespaces."""
        return (here,) if any("all namespaces" in one.what for one in self._unread) else ("--all-namespaces",)

    def _list(self, what: str, *arguments: str) -> Objects:
        told = self._try(what, lambda: self._kubectl.run(["get", *arguments, "--output=json"]))
        if told is None:
            return None
        body = _parsed(told)
        return items(body, "items") if "items" in body else (body,) if body else ()

    def _one(self, what: str, kind: str, name: str, here: str) -> Objects:
        return self._list(what, kind, name, here, "--ignore-not-found", "--show-managed-fields")

    def _secrets(self, here: str) -> str | None:
        """Return what ends in the Secrets of Curfew's namespace. Keys and passwords stay with kubectl."""
        ask = ["get", "secrets", here, f"--output=go-template={ending.TEMPLATE}"]
        return self._try("certificates and tokens in Secrets", lambda: self._kubectl.run(ask))

    def _metrics(self, pod: Json) -> str:
        name, where = _name(pod), text(pod, "metadata", "namespace")
        path = f"/api/v1/namespaces/{where}/pods/{name}:{_port(pod)}/proxy/metrics"
        return self._try(f"metrics of pod {name}", lambda: self._kubectl.run(["get", f"--raw={path}"])) or ""

    def _try(self, what: str, read: Callable[[], str]) -> str | None:
        """Return what was read, or None, and note why it could not be."""
        try:
            return read()
        except KubectlMissing:
            raise
        except KubectlRefused as error:
            why = error.complaint
        except KubectlFailed as error:
            why = str(error)
        self._unread.append(Unread(what, printable(why.strip().splitlines()[0])[:_LONGEST_WHY]))
        return None


def _parsed(told: str) -> Json:
    """Return the JSON that kubectl wrote; nothing if it wrote none, as for an object that is not there."""
    try:
        body = json.loads(told) if told.strip() else {}
    except (ValueError, RecursionError):
        raise KubectlFailed("kubectl did not answer with JSON; check that KUBECTL_PATH names kubectl") from None
    return body if isinstance(body, Mapping) else {}


def _home(deployments: Objects) -> str:
    """Return where the operator is, or nothing."""
    found = [one for one in deployments or () if text(one, "metadata", "labels", COMPONENT) == "operator"]
    return min((text(one, "metadata", "namespace") for one in found), default="")


def _serving(pods: Objects) -> Sequence[Json]:
    """Return the pods that have metrics."""
    parts = ("operator", "monitor")
    found = [
        one
        for one in pods or ()
        if text(one, "status", "phase") == "Running"
        and text(one, "metadata", "labels", COMPONENT) in parts
        and _port(one)
    ]
    return found[:MOST_PODS]


def _name(pod: Json) -> str:
    return text(pod, "metadata", "name")


def _port(pod: Json) -> int:
    ports = [port for container in items(pod, "spec", "containers") for port in items(container, "ports")]
    return next((number(port, "containerPort") for port in ports if text(port, "name") == "http"), 0)


def _settings(config_maps: Objects) -> dict[str, Json]:
    """Return the settings in ConfigMaps; what cannot be read is left out: the operator refuses it, too."""
    found = {}
    for one in config_maps or ():
        told = text(one, "data", "config.yaml")
        try:
            body = yaml.safe_load(told) if len(told) <= _LONGEST_SETTINGS else None
        except (yaml.YAMLError, RecursionError, ValueError):
            body = None
        if isinstance(body, Mapping):
            found[f"{text(one, 'metadata', 'namespace')}/{_name(one)}"] = body
    return found
