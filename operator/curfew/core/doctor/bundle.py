"""What support needs to know about an installation, without secrets (promise P12).

Of each object, only named parts are kept: whatever nobody thought of is left out. Texts that are kept are masked as well.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from curfew.core.doctor.facts import ClusterFacts, Json, at, items, text
from curfew.core.doctor.judging import DoctorReport
from curfew.core.masking import MASK, mask

MOST_LINES: Final = 1_000
"""How many of the newest lines of each log are kept."""

_LONGEST: Final = 2_000  # characters of a text
_LABELS: Final = ("app.kubernetes.io/", "helm.sh/")  # what the chart says of itself
_SECRET: Final = re.compile(r"(?i)pass|token|secret|credential|header|private|signature|apikey|api_key")
_PLAIN: Final = re.compile(r"(?i)(file|folder)$")  # where a secret is, and not the secret
_PARTS: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "Deployment": [
        ("spec", "replicas"),
        ("spec", "strategy", "type"),
        *(("status", name) for name in ("replicas", "readyReplicas", "updatedReplicas", "unavailableReplicas")),
    ],
    "CronJob": [
        *(("spec", name) for name in ("schedule", "suspend", "concurrencyPolicy")),
        *(("status", name) for name in ("lastScheduleTime", "lastSuccessfulTime")),
    ],
    "Lease": [
        *(("spec", name) for name in ("holderIdentity", "renewTime", "acquireTime", "leaseTransitions")),
    ],
    "Pod": [
        *(("status", name) for name in ("phase", "reason", "startTime", "qosClass")),
    ],
    "ValidatingAdmissionPolicy": [("spec", "failurePolicy")],
    "ValidatingAdmissionPolicyBinding": [("spec", "policyName"), ("spec", "validationActions")],
    "AccessPolicy": [
        ("spec", "roleRef", "kind"),
        ("spec", "roleRef", "name"),
        ("spec", "maxDuration"),
        ("spec", "approval", "mode"),
    ],
}
"""The parts of each kind that are kept, besides name, times, containers and conditions."""


def make_bundle(
    report: DoctorReport,
    facts: ClusterFacts,
    *,
    versions: Mapping[str, str],
    events: Iterable[Json] = (),
    logs: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the report, and what is behind it. `logs` has the text of each log, by the name of its pod."""
    read = (facts.deployments, facts.pods, facts.cron_job, facts.lease, facts.guards, facts.policies)
    return {
        "versions": {name: _said(version) for name, version in versions.items()},
        "report": _masked(report.to_json()),
        "objects": [_object(one) for objects in read for one in objects or ()],
        "settings": {name: _settings(body) for name, body in facts.settings.items()},
        "events": [_event(one) for one in events],
        "metrics": {pod: list(_numbers(page)) for pod, page in {**facts.metrics, **facts.monitor_metrics}.items()},
        "logs": {
            pod: [_said(line) for line in lines.splitlines()[-MOST_LINES:]] for pod, lines in (logs or {}).items()
        },
    }


def _said(told: str) -> str:
    return mask(told[: 2 * _LONGEST])[:_LONGEST]


def _masked(value: Any) -> Any:
    """Return a value with each of its texts masked."""
    if isinstance(value, Mapping):
        return {str(name): _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return _said(value) if isinstance(value, str) else value


def _object(one: Json) -> dict[str, Any]:
    """Return what is kept of an object."""
    kind, labels = text(one, "kind"), at(one, "metadata", "labels")
    kept: dict[str, Any] = {"kind": kind}
    for name in ("name", "namespace", "creationTimestamp"):
        if told := text(one, "metadata", name):
            kept[name] = _said(told)
    if isinstance(labels, Mapping):
        kept["labels"] = {name: _said(str(label)) for name, label in labels.items() if str(name).startswith(_LABELS)}
    if managers := [_said(text(field, "manager")) for field in items(one, "metadata", "managedFields")]:
        kept["writtenBy"] = sorted(set(managers))
    for path in _PARTS.get(kind, ()):
        if (found := at(one, *path)) is not None:
            kept[".".join(path)] = _masked(found) if not isinstance(found, Mapping) else MASK
    if containers := [_container(container) for container in _containers(one)]:
        kept["containers"] = containers
    if conditions := [_condition(condition) for condition in items(one, "status", "conditions")]:
        kept["conditions"] = conditions
    return kept


def _containers(one: Json) -> Iterator[Json]:
    yield from items(one, "spec", "containers")
    yield from items(one, "spec", "template", "spec", "containers")
    yield from items(one, "spec", "jobTemplate", "spec", "template", "spec", "containers")


def _container(one: Json) -> dict[str, Any]:
    """Return a container's image and limits, and the names of its variables without their values."""
    return {
        "name": _said(text(one, "name")),
        "image": _said(text(one, "image")),
        "variables": [_said(text(variable, "name")) for variable in items(one, "env")],
        "memory": _said(text(one, "resources", "limits", "memory")),
    }


def _condition(one: Json) -> dict[str, str]:
    names = ("type", "status", "reason", "message", "lastTransitionTime")
    return {name: _said(told) for name in names if (told := text(one, name))}


def _event(one: Json) -> dict[str, str]:
    told = {name: text(one, name) for name in ("eventTime", "type", "reason", "note")}
    about = f"{text(one, 'regarding', 'kind')} {text(one, 'regarding', 'name')}"
    return {name: _said(value) for name, value in {**told, "about": about}.items() if value}


def _settings(body: Json) -> dict[str, Any]:
    """Return settings with what is named like a secret masked, at any depth."""

    def kept(name: str, value: Any) -> Any:
        if _SECRET.search(name) and not _PLAIN.search(name):
            return MASK
        if isinstance(value, Mapping):
            return {str(inner): kept(str(inner), held) for inner, held in value.items()}
        if isinstance(value, list | tuple):
            return [kept(name, held) for held in value]
        return _address(_said(value)) if isinstance(value, str) else value

    return {str(name): kept(str(name), value) for name, value in body.items()}


def _address(told: str) -> str:
    """Return a text without what an address carries behind its path: that is where tokens are."""
    return re.sub(r"(\w://[^\s?#]*)[?#]\S*", rf"\1?{MASK}", told)


def _numbers(page: str) -> Iterator[str]:
    """Yield the series without those of histograms: they are many, and the sum and the count say enough."""
    for line in page.splitlines():
        if line and not line.startswith("#") and "_bucket{" not in line:
            yield _said(line)
