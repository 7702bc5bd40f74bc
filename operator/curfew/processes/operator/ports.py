"""What the operator needs from the trail, the used names and the reporting, to work on requests and policies."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.core.bindings import Binding
from curfew.core.facts import Facts, RecordedEnd, TrailState
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice
from curfew.core.reasons import Reason
from curfew.core.seals import Seals


class TrailPort(Protocol):
    """The trail. Nothing here waits."""

    def submit(self, records: Iterable[Record]) -> None:
        """Hand records over. Records that were already handed over, or are durable, are ignored."""
        ...

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None."""
        ...

    def is_told(self, record: Record) -> bool:
        """Whether the trail holds a record that was in an outbox. Also True if it is too old for its receipt to be known."""
        ...

    def intent(self, uid: str) -> Record | None:
        """Return the durable announcement of the grant to a request whose story is open, however old it is.

        None while the trail is not open (`health.is_open`). Also None if it holds no announcement: then no binding for that
        request is a grant. Parts that a start does not need (the role's rules, the reasons of decisions) may be missing.
        """
        ...

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the trail shows the story of a request created at `created` as closed; False while the trail is not open."""
        ...

    def recorded_end(self, uid: str) -> RecordedEnd | None:
        """Return how the trail shows the story of a request as ended, or None. Only the last few thousand ends are known."""
        ...

    def open_stories(self) -> Mapping[str, Record]:
        """Return, by UID, the latest record of each request that is accepted and not closed in the trail."""
        ...

    def open_policies(self) -> Mapping[str, Record]:
        """Return, by UID, the latest record of each policy that the trail remembers and does not show as deleted."""
        ...

    def open_locks(self) -> Mapping[str, Record]:
        """Return, by UID, the latest record of each lock that the trail remembers and does not show as lifted."""
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
        """The seals for the records in a status, or None while they are not known."""
        ...


class Names(Protocol):
    """Which names of requests were used under policies that accept each name only once."""

    async def claim(self, namespace: str, policy: str, name: str, uid: str) -> str:
        """Use a name for a request, and return the UID of the request that has it. Raise `StoreError`."""
        ...


class Reporter(Protocol):
    """Receives reports for Events, metrics and logs. Nothing here waits or fails."""

    def notice(self, notice: Notice) -> None:
        """Make a Kubernetes Event for the people who watch them."""
        ...

    def transition(self, facts: Facts, event: Event) -> None:
        """Report that a request changed its phase."""
        ...

    def reviewed(self, facts: Facts) -> None:
        """Report that decisions that were new are now in the status, so that people's answers can be measured."""
        ...

    def removed(self, binding: Binding, at: datetime, reason: Reason) -> None:
        """Report that a binding was removed, so that lateness can be measured."""
        ...
