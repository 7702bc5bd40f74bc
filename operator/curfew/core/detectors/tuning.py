"""The settings of detectors: what is usual, and what is different for single policies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from curfew.api.times import Duration, format_duration

LONGEST: Final = timedelta(days=90)
"""How far detectors look back: as far as the logs are read at a start."""


def _span(length: timedelta) -> timedelta:
    if timedelta(seconds=1) <= length <= LONGEST:
        return length
    raise ValueError(f"is {format_duration(length)}; write a duration from 1s to {format_duration(LONGEST)}")


Span = Annotated[Duration, AfterValidator(_span)]
"""A length of time in the settings of a detector, such as 1h30m."""


class DetectorSettings(BaseModel):
    """The base of the settings of each detector: an unknown one is an error and is never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)

    enabled: bool = True
    quiet: Span = timedelta(hours=24)
    """After this time, the same may be reported again although nothing has ended the first alert."""

    def to_json(self) -> dict[str, Any]:
        """Return all settings as they are written, durations as 1h30m."""
        return self.model_dump(mode="json", by_alias=True)


S = TypeVar("S")
D = TypeVar("D", bound=DetectorSettings)


class TuningRefused(ValueError):
    """Settings that no detector has. `str(error)` names them, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Tuned(Generic[S]):
    """The settings of a detector: the usual ones, and those for single policies."""

    usual: S
    by_policy: Mapping[tuple[str, str], S] = field(default_factory=dict)  # by namespace and name of the policy

    def of(self, namespace: str, policy: str) -> S:
        """Return the settings for a policy."""
        return self.by_policy.get((namespace, policy), self.usual)


def longest(tuned: Tuned[S], span: Callable[[S], timedelta]) -> timedelta:
    """Return the longest of the lengths of time that the settings of a detector hold, for any policy."""
    return max(span(one) for one in (tuned.usual, *tuned.by_policy.values()))


def read(
    name: str, model: type[D], usual: Mapping[str, Any], by_policy: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Tuned[D]:
    """Read the settings of a detector as they are written. What is not written for a policy is as usual.

    Raise `TuningRefused` for a setting that the detector does not have, or a value that it cannot have.
    """
    read_usual = _read(name, model, usual)
    differing = {
        (namespace, policy): _read(f"{name} for {namespace}/{policy}", model, {**usual, **written})
        for (namespace, policy), written in by_policy.items()
    }
    return Tuned(read_usual, differing)


def _read(what: str, model: type[D], written: Mapping[str, Any]) -> D:
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(part.alias or key for key, part in model.model_fields.items()))
            raise TuningRefused(f"{what} has no setting {place}; it has {known}") from None
        message = str(first["msg"]).removeprefix("Value error, ")
        raise TuningRefused(f"{what}: {place or 'it'}: {message}") from None
