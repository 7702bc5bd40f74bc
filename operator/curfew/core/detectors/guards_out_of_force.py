"""What guards Curfew in the cluster is not in force, or was changed: admission policies, kinds, the installation."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.reading import actor, detail, text, texts
from curfew.core.detectors.tuning import DetectorSettings, Span

NAME: Final = "GuardsOutOfForce"

LOST: Final = "enforcement"
"""The key of the alert that the operator's own test gives."""


class GuardsOutOfForceSettings(DetectorSettings):
    """Nothing but whether it is on, and for how long the same change by the same person is not reported again."""

    quiet: Span = timedelta(hours=1)


class GuardsOutOfForce:
    """Reports what the operator's tests find in the trail, and who changed a guard, as the API server's events show it."""

    name = NAME
    events = frozenset({"enforcement.lost", "enforcement.restored", "guard.changed"})

    def __init__(self, tuned: Tuned[GuardsOutOfForceSettings]) -> None:
        """Remember nothing: each record is enough by itself."""
        self._settings = tuned.usual

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn that the guards are in force, or not, or that somebody changed one."""
        match seen.record.event:
            case "enforcement.restored":
                yield Resolution(NAME, LOST, seen.at, "all admission policies are in force again", seen)
            case "enforcement.lost":
                yield self._lost(seen)
            case _ if text(detail(seen.record), "part") != "Locks":  # to make or lift one is what lockers are for
                yield self._changed(seen)

    def _lost(self, seen: Seen) -> Alert:
        told = detail(seen.record)
        names = texts(told, "policies")
        of = f" ({', '.join(names)})" if names else ""
        what = text(told, "message") or "the operator's test shows that admission policies are not in force"
        return Alert(
            detector=NAME,
            key=LOST,
            at=seen.at,
            severity=Severity.CRITICAL,
            title="An admission policy is not in force",
            message=f"{what}{of}; nothing is granted until they are in force again",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            values={"policies": ", ".join(names)} if names else {},
        )

    def _changed(self, seen: Seen) -> Alert:
        told = detail(seen.record)
        verb, resource, name = (text(told, key) for key in ("verb", "resource", "name"))
        who, acted_as = actor(seen.record), text(told, "user")
        people = tuple(dict.fromkeys(filter(None, (who, acted_as))))
        is_bad = verb in ("delete", "deletecollection") or told.get("ours") is not True
        object_ = f"{resource}/{name}" if name else resource
        return Alert(
            detector=NAME,
            # An installation or an upgrade is one alert, and does not hide that somebody takes a guard away.
            key=f"{'removed' if is_bad else 'changed'}/{who}",
            at=seen.at,
            severity=Severity.HIGH if is_bad else Severity.MEDIUM,
            title="A part that Curfew depends on was changed",
            message=f"{who or 'somebody'}{f' as {acted_as}' if acted_as else ''} made the call {verb} on {object_}; "
            "Curfew depends on it, and an upgrade of Curfew changes it too",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            people=people,
            namespace=text(told, "namespace"),
            values={"verb": verb, "object": object_, "part": text(told, "part")},
            quiet=self._settings.quiet,
        )
