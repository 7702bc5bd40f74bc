"""A policy requires less than before, also if it was deleted and made again in the meantime."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from curfew.api.access_policy import AccessPolicySpec
from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.reading import detail, number
from curfew.core.detectors.tuning import DetectorSettings
from curfew.core.keys import PolicyKey
from curfew.core.policy_records import place_of
from curfew.core.remembered import Remembered
from curfew.core.weakening import differences

NAME: Final = "PolicyWeakened"

MOST_POLICIES: Final = 2_000


class PolicyWeakenedSettings(DetectorSettings):
    """Nothing but whether it is on, and for how long the same is not reported again."""


class PolicyWeakened:
    """Reports each weakening, and compares a policy that is made anew with the last one of its name."""

    name = NAME
    events = frozenset(
        {"policy.created", "policy.updated", "policy.weakened", "policy.deleted", STORIES_OPEN},
    )

    def __init__(self, tuned: Tuned[PolicyWeakenedSettings], privilege: Privilege) -> None:
        """Know no policy."""
        self._tuned = tuned
        self._privilege = privilege
        self._specs: Remembered[PolicyKey, Mapping[str, Any]] = Remembered(MOST_POLICIES)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a version of a policy."""
        if seen.record.event == STORIES_OPEN:
            for body in detail(seen.record)["policies"]:
                self._note(Record.parse(body))
            return
        place = place_of(seen.record)
        if place is None:
            return
        if seen.record.event == "policy.weakened":
            yield self._alert(seen, place, seen.record.message)
        elif seen.record.event == "policy.created":
            words = "; ".join(self._loosened(place, seen.record))
            if words:
                what = f"AccessPolicy {place.name} in {place.namespace} was made again, and requires less than the last one"
                yield self._alert(seen, place, f"{what}: {words}")
        self._note(seen.record)

    def _note(self, record: Record) -> None:
        place, spec = place_of(record), detail(record).get("spec")
        if place is not None and isinstance(spec, Mapping):
            self._specs[place] = spec

    def _loosened(self, place: PolicyKey, record: Record) -> Iterator[str]:
        before, now = _spec(self._specs.get(place)), _spec(detail(record).get("spec"))
        if before is not None and now is not None:
            yield from (difference.words for difference in differences(before, now) if difference.loosens)

    def _alert(self, seen: Seen, place: PolicyKey, message: str) -> Alert:
        is_privileged = self._privilege.is_offered(place.namespace, place.name)
        generation = number(detail(seen.record), "generation")
        return Alert(
            detector=NAME,
            key=f"{place}/{seen.record.subject}/{generation}",
            at=seen.at,
            severity=Severity.HIGH if is_privileged else Severity.MEDIUM,
            title="A policy requires less than before",
            message=message,
            trigger=seen,
            evidence=(Evidence.of(seen),),
            namespace=place.namespace,
            policy=place.name,
            values={"generation": generation},
            quiet=self._tuned.of(place.namespace, place.name).quiet,
        )


def _spec(spec: object) -> AccessPolicySpec | None:
    """Read a spec that any version of Curfew may have written, or return None."""
    try:
        return AccessPolicySpec.model_validate(spec)
    except ValidationError:
        return None
