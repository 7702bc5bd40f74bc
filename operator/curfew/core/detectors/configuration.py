"""The settings of the detectors as a record: at the first start, and whenever they are not what they were."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from curfew.audit.record import Record
from curfew.core.detectors.records import configured
from curfew.core.detectors.tuning import Tuned


def changed_configuration(
    tuned: Mapping[str, Tuned[Any]], before: Record | None, log: str, at: datetime
) -> Record | None:
    """Return the record of the settings, or None if the last one, `before`, holds the same. `log` is the id of the log."""
    detectors = {name: one.usual.to_json() for name, one in tuned.items()}
    policies: dict[str, dict[str, Any]] = {}
    for name, one in tuned.items():
        for (namespace, policy), differing in one.by_policy.items():
            policies.setdefault(f"{namespace}/{policy}", {})[name] = differing.to_json()
    off = [name for name, one in tuned.items() if not one.usual.enabled]
    changed: list[str] = []
    if before is not None:
        detail = before.block.get("detail")
        changed = _changed(detail if isinstance(detail, Mapping) else {}, detectors, policies)
        if not changed:
            return None
    return configured(log, detectors=detectors, policies=policies, off=off, changed=changed, at=at)


def _changed(
    detail: Mapping[str, Any], detectors: Mapping[str, Any], policies: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the detectors whose settings, or those for single policies, are not those in a record."""
    then, for_policies = _mapping(detail.get("detectors")), _mapping(detail.get("policies"))
    names = list(dict.fromkeys((*detectors, *then)))

    def differs(name: str) -> bool:
        places = {*policies, *for_policies}
        return then.get(name) != detectors.get(name) or any(
            _mapping(for_policies.get(place)).get(name) != policies.get(place, {}).get(name) for place in places
        )

    return [name for name in names if differs(name)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
