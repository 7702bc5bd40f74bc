"""Somebody switched off a detector."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.reading import detail
from curfew.core.detectors.tuning import DetectorSettings

NAME: Final = "DetectorSwitchedOff"


def _stays_on(enabled: bool) -> bool:
    if not enabled:
        raise ValueError("must stay on, or nobody would see which others are off; silence its alerts instead")
    return enabled


class DetectorSwitchedOffSettings(DetectorSettings):
    """Only for how long the same is not reported again: it cannot be switched off."""

    enabled: Annotated[bool, AfterValidator(_stays_on)] = True


class DetectorSwitchedOff:
    """Remembers which detectors are off, and for which policies. Before the first record of a log, all are on."""

    name = NAME
    events = frozenset({"detection.configured"})

    def __init__(self, tuned: Tuned[DetectorSwitchedOffSettings]) -> None:
        """Know no settings."""
        self._off: frozenset[str] = frozenset()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn the settings of all detectors."""
        told = detail(seen.record)
        off, before = _off(told), self._off
        self._off = off
        for key in sorted(before - off):
            yield Resolution(NAME, key, seen.at, "it is on again", seen)
        for key in sorted(off - before):
            name, _, policy = key.partition(" ")
            namespace, _, policy_name = policy.partition("/")
            where = f" for AccessPolicy {policy_name} in {namespace}" if policy else ""
            yield Alert(
                detector=NAME,
                key=key,
                at=seen.at,
                severity=Severity.MEDIUM,
                title="A detector was switched off",
                message=f"the detector {name} was switched off{where} in the settings of the monitor",
                trigger=seen,
                evidence=(Evidence.of(seen),),
                namespace=namespace,
                policy=policy_name,
                values={"switched_off": name},
            )


def _off(told: Mapping[str, Any]) -> frozenset[str]:
    """Return what is off: the names of detectors, and for single policies a name, a space and NAMESPACE/NAME."""
    everywhere = [name for name in told.get("off", ()) if type(name) is str]
    for_policies = [
        f"{name} {policy}"
        for policy, detectors in told.get("policies", {}).items()
        for name, settings in detectors.items()
        if settings.get("enabled") is False and name not in everywhere
    ]
    return frozenset((*everywhere, *for_policies))
