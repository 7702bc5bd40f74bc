"""RoleGrantedOutside: a binding gives somebody a role that Curfew grants, and Curfew did not make it."""

from collections.abc import Iterable
from typing import Final

from curfew.audit.record import CURFEW, Record
from curfew.core.activity.wording import within
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import actor, detail, number, text, texts
from curfew.core.detectors.records import MOST_PEOPLE
from curfew.core.detectors.tuning import DetectorSettings, Tuned

NAME: Final = "RoleGrantedOutside"
_FOUND, _GONE = "binding.found_outside", "binding.gone_outside"
_LONGEST_LIST: Final = 300  # characters


class RoleGrantedOutsideSettings(DetectorSettings):
    """There is nothing to tune but whether it is on. Bindings that are meant to be belong on the list of allowed ones."""


class RoleGrantedOutside:
    """The alert is open until the binding is gone. It keeps no state of its own."""

    name = NAME
    events = frozenset({_FOUND, _GONE})

    def __init__(self, tuned: Tuned[RoleGrantedOutsideSettings]) -> None:
        """Know that it is on."""

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Return the alert about a binding that was found, or its end."""
        key = _key(seen.record)
        if seen.record.event == _GONE:
            return (
                Resolution(NAME, key, seen.at, f"{_binding(seen.record)} no longer gives a role outside Curfew", seen),
            )
        told = detail(seen.record)
        subjects, by, role = texts(told, "subjects"), actor(seen.record), text(told, "role")
        more = " and others" if number(told, "more_subjects") else ""
        made = f"; {by} made it" if by != CURFEW else ""
        users = tuple(one.removeprefix("User ") for one in subjects if one.startswith("User "))
        return (
            Alert(
                detector=NAME,
                key=key,
                at=seen.at,
                severity=Severity.HIGH,
                title="A role was granted outside Curfew",
                message=f"{_binding(seen.record)} gives {role or 'a role'} to {within(subjects, _LONGEST_LIST) or 'nobody'}"
                f"{more}, without an end{made}",
                trigger=seen,
                evidence=(Evidence.of(seen),),
                # Whoever made it is always among those that a record can name: nobody silences alerts about themselves.
                people=tuple(dict.fromkeys((*users[: MOST_PEOPLE - 1], *((by,) if by != CURFEW else ())))),
                namespace=text(told, "namespace"),
                values={"subjects": len(subjects) + number(told, "more_subjects"), "role": role},
            ),
        )


def _key(record: Record) -> str:
    told = detail(record)
    return "/".join(text(told, part) for part in ("kind", "namespace", "name", "uid"))


def _binding(record: Record) -> str:
    told = detail(record)
    where = f" in {namespace}" if (namespace := text(told, "namespace")) else ""
    return f"{text(told, 'kind') or 'a binding'} {text(told, 'name')}{where}"
