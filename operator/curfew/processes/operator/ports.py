"""What the operator needs of the trail, of the used names and of the reporting, to work on requests and policies."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.core.bindings import Binding
from curfew.core.facts import Facts, TrailState
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice
from curfew.core.reasons import Reason
from curfew.core.seals import Seals


class TrailPort(Protocol):
    """The trail. Nothing here waits."""

    def submit(self, records: Iterable[Record]) -> None:
        """Hand records over; those already handed over or durable are ignored."""
        ...

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None."""
        ...

    def is_told(self, record: Record) -> bool:
        """Whether the trail holds a record that was in an outbox; so also if it is too old for its receipt to be known."""
        ...

    def intent(self, uid: str) -> Record | None:
        """Return the durable announcement of the grant to a request whose story is open, however old it is.

        None while the trail is not open (`health.is_open`), and where it holds none: then no binding for that request is a
        grant. What a start does not need of the announcement (the role's rules, the reasons of decisions) may be missing.
        """
        ...

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the trail holds the story of a request closed that was created then; False while it is not open."""
        ...

    def open_stories(self) -> Mapping[str, Record]:
        """Return the latest record of each request, by its UID, that the trail holds accepted and not closed."""
        ...

    def open_policies(self) -> Mapping[str, Record]:
        """Return the latest record of each policy that the trail remembers, by its UID, and does not hold deleted."""
        ...

    def is_own(self, record_id: str) -> bool:
        """Whether this process appended the record."""
        ...

    @property
    def health(self) -> TrailState:
        """Whether records become durable now."""
        ...

    @property
    def seals(self) -> Seals | None:
        """What seals the records in a status, or None while it is not known."""
        ...


class Names(Protocol):
    """Which names of requests were used under policies that take each name once."""

    async def claim(self, namespace: str, policy: str, name: str, uid: str) -> str:
        """Use a name for a request, and return the UID of the request that has it. Raise `StoreError`."""
        ...


class Reporter(Protocol):
    """Who is told what happened: Events, metrics and logs. Nothing here waits or fails."""

    def notice(self, notice: Notice) -> None:
        """Tell people who watch Kubernetes Events."""
        ...

    def transition(self, facts: Facts, event: Event) -> None:
        """Tell that a request changed its phase."""
        ...

    def removed(self, binding: Binding, at: datetime, reason: Reason) -> None:
        """Tell that a binding was removed, so that lateness can be measured."""
        ...
