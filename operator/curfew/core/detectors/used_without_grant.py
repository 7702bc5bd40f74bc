"""UsedWithoutGrant: somebody used a role that Curfew grants, through a binding that Curfew did not make."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from curfew.core.activity.wording import kind_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import actor, detail, text
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "UsedWithoutGrant"


class UsedWithoutGrantSettings(DetectorSettings):
    """How often the same is told."""

    quiet: Span = timedelta(days=7)
    """For how long nothing more is told of one person and one binding."""


class UsedWithoutGrant:
    """One alert for each person and binding. It keeps no state of its own."""

    name = NAME
    events = frozenset({"role.used_outside"})

    def __init__(self, tuned: Tuned[UsedWithoutGrantSettings]) -> None:
        """Know the settings."""
        self._tuned = tuned

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Return the alert about access that was used."""
        told = detail(seen.record)
        caller, user, role = actor(seen.record), text(told, "user"), text(told, "role")
        namespace = text(told, "namespace")
        binding = "/".join(filter(None, (text(told, "kind"), namespace, text(told, "name"))))
        if not caller or not binding:
            return
        who = f"{caller} as {user}" if user and user != caller else caller
        verb, what = text(told, "verb"), kind_of(text(told, "group"), text(told, "resource"))
        did = f": {verb} {what}" if verb and what else ""
        yield Alert(
            detector=NAME,
            key=f"{user or caller}/{binding}",
            at=seen.at,
            severity=Severity.HIGH,
            title="A role that Curfew grants was used without a grant",
            message=f"{who} used {role or 'a role'} through {binding}, which Curfew did not make{did}",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            people=tuple(dict.fromkeys(filter(None, (caller, user)))),
            namespace=text(told, "target") or namespace,
            values={"binding": binding, "role": role},
            quiet=self._tuned.usual.quiet,
        )
