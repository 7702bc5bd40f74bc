"""Whether what happens is recorded: the bucket, the logs and their names, the monitor and its feed; and what ends soon."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from curfew.api.names import CHECKPOINT_CONFIG_MAP
from curfew.audit.wording import duration
from curfew.core.doctor.diagnosis import Diagnosis, Gravity
from curfew.core.doctor.facts import ClusterFacts, number, text, title
from curfew.core.doctor.series import points, value

CERTIFICATES_AHEAD: Final = timedelta(days=30)
"""How long before its end a certificate is reported: time to have another one made."""

TOKENS_AHEAD: Final = timedelta(days=7)

_PASSING: Final = frozenset(
    {"NotLeading", "Opening", "NotYetProved", "NotWriteOnce"}
)  # reasons that are no trouble, or told elsewhere


def judge_log(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield whether the logs take records and the bucket keeps them."""
    for pod, text_ in sorted({**facts.metrics, **facts.monitor_metrics}.items()):
        for point in points(text_, "curfew_trail_healthy"):
            reason = point.labels.get("reason", "")
            if point.value == 0 and reason not in _PASSING:
                yield Diagnosis(
                    "D503",
                    pod,
                    f"The log of {pod} takes no records: {reason}. {_MEANS.get(reason, '')}".rstrip(),
                    f"/readyz of the pod and its log have the details: kubectl logs {pod} -n {facts.namespace}.",
                )
        for point in points(text_, "curfew_worm_attested"):
            if point.value == 0:
                yield Diagnosis(
                    "D501",
                    pod,
                    f"The bucket of {pod} is not proved to be write-once (evidence: {point.labels.get('evidence') or 'none'}).",
                    "Set the bucket's rule again: docs/operations.md, 'When it is not proved', explains each message.",
                )
        if value(text_, "curfew_audit_verification_failures_total"):
            yield Diagnosis(
                "D504",
                pod,
                f"{pod} read back a segment that is not as it was stored.",
                "curfew audit verify shows each bad place. See docs/operations.md, 'When a segment does not read back'.",
            )
        for point in points(text_, "curfew_audit_anchor_failures_total"):
            if point.labels.get("reason") == "Ahead" and point.value > 0:
                yield Diagnosis(
                    "D505",
                    f"ConfigMap {CHECKPOINT_CONFIG_MAP}",
                    "The checkpoint on the ConfigMap is of a longer log than the bucket has: the log was cut off, or replaced.",
                    "Keep the ConfigMap, and verify the log with it: docs/operations.md, 'Anchors'.",
                )


_MEANS: Final = {
    "SlotTaken": "Something that is no segment of it has the next name; perhaps another log is written under this name.",
    "ChainBroken": "The stored segments are not one log; perhaps two logs are written under one name.",
    "KeyUnknown": "The log is signed with another key; perhaps it is another installation's.",
}


def judge_settings(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield what the settings allow that should not be: a bucket that need not be write-once, two logs under one name."""
    names: dict[tuple[str, str], list[str]] = {}
    for config_map, settings in sorted(facts.settings.items()):
        url, log = text(settings, "audit", "url"), text(settings, "audit", "log") or "main"
        names.setdefault((url.rstrip("/"), log), []).append(config_map)
        if config_map.startswith(f"{facts.namespace}/") and url and text(settings, "audit", "worm") == "advisory":
            yield Diagnosis(
                "D502",
                f"ConfigMap {config_map}",
                f"The settings in {config_map} (audit.worm: advisory) let Curfew write a log that can be deleted or changed.",
                "Use a bucket with Object Lock, and set config.audit.worm=required.",
            )
    for (url, log), config_maps in names.items():
        if url and len(config_maps) > 1:
            yield Diagnosis(
                "D506",
                f"{url} {log}",
                f"{' and '.join(config_maps)} write the log {log} in {url}: each takes the other's segments for damage.",
                "Give each its own audit.log, or its own folder in audit.url.",
            )
    checkpoints = [one for one in facts.config_maps or () if text(one, "metadata", "name") == CHECKPOINT_CONFIG_MAP]
    if facts.config_maps is not None and not checkpoints:
        yield Diagnosis(
            "D505",
            f"ConfigMap {CHECKPOINT_CONFIG_MAP} missing",
            f"There is no ConfigMap {CHECKPOINT_CONFIG_MAP}, so nothing in the cluster shows a log that was cut off.",
            "Run helm upgrade, which puts it back.",
            grave=Gravity.WARNING,
        )


def judge_monitor(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield whether the monitor hears all audit events, and follows the log."""
    if facts.deployments is None:
        return
    monitors = facts.components("monitor")
    if not monitors:
        yield Diagnosis(
            "D507",
            facts.namespace,
            "There is no monitor, so nobody knows what was done with the access, and there are no alerts.",
            "Set monitor.enabled=true: docs/activity.md.",
        )
    for one in monitors:
        if number(one, "status", "readyReplicas") < 1:
            yield Diagnosis(
                "D509",
                title(one),
                "The monitor is not ready.",
                f"Look at its log: kubectl logs deployment/{text(one, 'metadata', 'name')} -n {facts.namespace}.",
            )
    for pod, text_ in sorted(facts.monitor_metrics.items()):
        if value(text_, "curfew_activity_covered") == 0:
            yield Diagnosis(
                "D508",
                pod,
                f"{pod} does not hear all audit events: {_heard(text_)}.",
                "Each API server needs the audit webhook (docs/activity.md); /readyz of the monitor shows what is missing.",
            )
        for metric, what in (
            ("curfew_activity_trail_followed", "follow the log"),
            ("curfew_detection_up", "look for what is wrong"),
        ):
            if value(text_, metric) == 0:
                yield Diagnosis(
                    "D509",
                    f"{pod} {metric}",
                    f"{pod} does not {what}.",
                    f"Its log has the reason: kubectl logs {pod} -n {facts.namespace}.",
                )


def _heard(text_: str) -> str:
    heard, there = (int(value(text_, f"curfew_activity_{name}") or 0) for name in ("sources", "api_servers"))
    return f"{heard} of {there or 'an unknown number of'} API servers were heard in the last five minutes"


def judge_expiries(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield the certificates and tokens that end soon, or have ended."""
    for one in facts.expiries or ():
        left = one.at - facts.now
        if left > (TOKENS_AHEAD if one.is_token else CERTIFICATES_AHEAD):
            continue
        over = left <= timedelta()
        thing = "token" if one.is_token else "certificate"
        yield Diagnosis(
            "D602" if one.is_token else "D601",
            one.what,
            f"The {thing} in {one.what} {'ended' if over else 'ends in'} {duration(abs(left))}{' ago' if over else ''}.",
            f"Put a new {thing} there; Curfew reads it again without a restart."
            if one.is_token
            else "Have a new certificate made and put it there (docs/activity.md, docs/operations.md).",
            grave=Gravity.CRITICAL if over else None,
        )
