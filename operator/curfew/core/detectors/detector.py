"""What a detector is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from curfew.core.detectors.alert import Alert, Resolution, Seen

S = TypeVar("S")

Finding = Alert | Resolution


class Detector(Protocol):
    """A fold over the records of both logs. What it remembers has a bound, whatever the records hold.

    Records of one log come in the log's order, but the two logs are not in step, and a record may be old when it comes.
    """

    @property
    def name(self) -> str:
        """Its name in records, settings, Events, metrics and documentation, such as ManyRequests."""
        ...

    @property
    def events(self) -> frozenset[str]:
        """The names of the events that it learns from; it is given no others."""
        ...

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a record, and return what follows from it. A record that cannot be read teaches nothing."""
        ...

    def look(self, now: datetime) -> Iterable[Finding]:
        """Return what follows from time alone. `now` never goes back. It is called often, so it is quick if nothing is due."""
        ...


@dataclass(frozen=True, slots=True)
class Tuned(Generic[S]):
    """The settings of a detector: the usual ones, and those for single policies."""

    usual: S
    by_policy: Mapping[tuple[str, str], S] = field(default_factory=dict)  # by namespace and name of the policy

    def of(self, namespace: str, policy: str) -> S:
        """Return the settings for a policy."""
        return self.by_policy.get((namespace, policy), self.usual)
