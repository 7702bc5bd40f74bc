"""The section of the monitor's settings about detectors: what counts as many, late or unfamiliar, also for single policies.

```yaml
detection:
  lookBack: 90d                   # how much of both logs is read at a start
  privileged: [ClusterRole/debug] # roles that count as privileged, besides those whose rules show it
  ManyRequests: {requests: 6}     # by the name of the detector; docs/detectors has a page for each
  OffHours: {enabled: false}
  policies:                       # what differs for single policies
    - policy: payments/debug
      ManyRequests: {requests: 10}
```
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from curfew.core.detectors.all import DETECTORS, tunings
from curfew.core.detectors.tuning import Tuned, TuningRefused
from curfew.settings.values import Section, between, to_days

_POLICY: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_ROLE: Final = re.compile(r"(ClusterRole|Role)/[^\s/]{1,253}")

_BY_DETECTOR: Final = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)
"""Whatever is not a setting of the section itself is the name of a detector, which `tunings` checks."""


def _policy(name: str) -> str:
    if not _POLICY.fullmatch(name):
        raise ValueError(f"is {name!r}; write NAMESPACE/NAME of an AccessPolicy, such as payments/debug")
    return name


def _role(name: str) -> str:
    if not _ROLE.fullmatch(name):
        raise ValueError(f"is {name!r}; write KIND/NAME of a role, such as ClusterRole/debug")
    return name


class PolicyDetectionSettings(Section):
    """What differs for one policy. What is not written is as for all."""

    model_config = _BY_DETECTOR

    policy: Annotated[str, AfterValidator(_policy)] = Field(examples=["payments/debug"])

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name of the policy."""
        namespace, _, name = self.policy.partition("/")
        return namespace, name

    @property
    def written(self) -> Mapping[str, Any]:
        """The settings by detector, as they are written."""
        return self.model_extra or {}


class DetectionSettings(Section):
    """How the detectors are tuned."""

    model_config = _BY_DETECTOR

    look_back: Annotated[timedelta, BeforeValidator(to_days), between(timedelta(days=1), timedelta(days=400))] = Field(
        default=timedelta(days=90), examples=["90d"]
    )
    privileged: tuple[Annotated[str, AfterValidator(_role)], ...] = Field(default=(), examples=[["ClusterRole/debug"]])
    policies: tuple[PolicyDetectionSettings, ...] = Field(default=(), max_length=1000)

    @property
    def tuned(self) -> Mapping[str, Tuned[Any]]:
        """The settings of each detector. Raise `TuningRefused` if they cannot be used, which the check below excludes."""
        return self.tuned_for({})

    def tuned_for(self, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Tuned[Any]]:
        """Return the settings of each detector. What is not written is as in `known`, by the name of the detector."""
        written = self.model_extra or {}
        both = {name: {**known.get(name, {}), **written.get(name, {})} for name in {**known, **written}}
        return tunings(both, self.written_by_policy)

    @property
    def written_by_policy(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """By namespace and name of the policy: the settings by detector, as they are written."""
        return {one.place: one.written for one in self.policies}

    @model_validator(mode="after")
    def _of_detectors_that_there_are(self) -> "DetectionSettings":
        """Refuse detectors that do not exist, settings that they do not have, and a policy that is there twice."""
        places = [one.policy for one in self.policies]
        if twice := next((place for place in places if places.count(place) > 1), None):
            raise ValueError(f"names policy {twice} twice; write all that differs for it in one place")
        for name, value in [
            *(self.model_extra or {}).items(),
            *(pair for one in self.policies for pair in one.written.items()),
        ]:
            if not isinstance(value, Mapping) and name not in DETECTORS:
                own = ", ".join(field.alias or "" for field in type(self).model_fields.values())
                raise ValueError(f"has no setting {name}; write {own}, or the name of a detector, such as ManyRequests")
            if not isinstance(value, Mapping):
                raise ValueError(  # noqa: TRY004  pydantic reports this one
                    f"has {value!r} at {name}; write the settings of that detector, such as {name}: {{enabled: true}}"
                )
        try:
            self.tuned  # noqa: B018  it is read for its check
        except TuningRefused as error:
            raise ValueError(f"cannot be used: {error}") from error
        return self
