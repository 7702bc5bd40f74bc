"""What the parts report to each other: who must learn of a durable record, a change of health or a passed self-test."""

from collections.abc import Callable, Sequence
from typing import Final

from curfew.adapters.forwarding import Forwarder
from curfew.api.access_request import AccessRequest, Phase
from curfew.audit.record import Record
from curfew.core.conditions import RECORDED
from curfew.core.facts import ClockState, EnforcementState, LocksState
from curfew.core.keys import Key, LockKey, PolicyKey, RequestKey
from curfew.core.lock_records import is_about_lock
from curfew.core.policy_records import place_of
from curfew.ports import Attestation, Clock
from curfew.processes.operator.anchoring import Anchoring
from curfew.processes.operator.guards import Guards
from curfew.processes.operator.known import Store
from curfew.processes.operator.reporting import Reporting
from curfew.trail import Discrepancy, Health

UNAWAITED: Final = frozenset({"request.created", "request.accepted", "grant.activated"})
"""Records that nothing waits for if all is well: they leave the status with its next change."""

AT_REST: Final = 3
"""How many records the outbox of a request at rest holds at most. More show that the log was away: they leave at once."""


class Observer:
    """Reports what happens, and gives a turn to each request and policy that it matters to."""

    def __init__(
        self,
        known: Store,
        reporting: Reporting,
        anchoring: Anchoring,
        forwarder: Forwarder | None,
        guards: Guards,
        *,
        namespace: str,
        me: str,
        clock: Clock,
        add: Callable[[Key], None],
    ) -> None:
        """`namespace` is Curfew's own: Events about the whole installation are put there. `me` names this replica.

        `add` gives a key its turn.
        """
        self._known = known
        self._reporting = reporting
        self._anchoring = anchoring
        self._forwarder = forwarder
        self._guards = guards
        self._namespace = namespace
        self._me = me
        self._clock = clock
        self._add = add
        self._was_read = False  # whether the trail has read the log

    # --- the trail --------------------------------------------------------------------------------------------------

    def durable(self, records: Sequence[Record]) -> None:
        """Records became durable: their requests and policies can go on."""
        self._reporting.durable(records)
        waited_for = {record.subject for record in records if record.event not in UNAWAITED}
        for uid in {record.subject for record in records}:
            request = self._known.request(uid)
            if request is not None and (uid in waited_for or not self._is_at_rest(request)):
                self._add(RequestKey(uid))
        for record in records:
            if is_about_lock(record):
                self._add(LockKey(record.subject))
        for place in {place_of(record) for record in records}:
            if place is not None:
                self._add(place)

    def _is_at_rest(self, request: AccessRequest) -> bool:
        """Whether a request waits for people or for its end, and not for its records."""
        status, memory = request.status, self._known.memories.of(request.metadata.uid)
        is_told = any(one.type == RECORDED and str(one.status) == "True" for one in status.conditions)
        has_room = len(status.outbox) <= AT_REST
        is_over = memory.is_gone or memory.told_end is not None
        return status.phase in (Phase.PENDING, Phase.ACTIVE) and is_told and has_room and not is_over

    def health_changed(self, health: Health) -> None:
        """Records now become durable, or do not, or the reason has changed."""
        self._reporting.trail_changed(ok=health.ok, reason=health.reason, message=health.message)
        if health.is_open and not self._was_read:  # from now on, a grant that the log does not announce is not a grant
            self._was_read = True
            self._guards.opened()
            self._wake_all()
        elif not health.is_open and self._was_read:
            self._was_read = False
            self._guards.closed()
        self._wake_waiting()

    def attested(self, attestation: Attestation) -> None:
        """Something was proved about the bucket."""
        self._reporting.attested(attestation, self._namespace)

    def verification_failed(self, discrepancy: Discrepancy) -> None:
        """The log does not read back as it was written."""
        self._reporting.verification_failed(str(discrepancy), self._namespace, key=discrepancy.key)

    def committed(self, seconds: float, records: int, size: int) -> None:
        """A segment was committed: its duration in seconds, its records and its stored bytes."""
        self._reporting.committed(seconds, records, size)

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """A segment is durable: pass it on to the anchor and the forwarder."""
        self._anchoring.appended(first + len(lines), stored)
        if self._forwarder is not None:
            self._forwarder.appended(first, lines)

    # --- what else grants wait for ----------------------------------------------------------------------------------

    def enforcement_changed(self, state: EnforcementState) -> None:
        """Our admission policies are in force now, or are not."""
        self._reporting.enforcement_changed(state, self._namespace)
        self._guards.changed(state)
        self._wake_waiting()

    def clock_changed(self, state: ClockState) -> None:
        """Our clock agrees with the API server's now, or does not."""
        self._reporting.clock_changed(state, self._namespace)
        self._wake_waiting()

    def locks_changed(self, state: LocksState) -> None:
        """It is known now which locks there are, or it is not."""
        self._reporting.locks_changed(state, self._namespace)
        self._wake_waiting()

    # --- who leads --------------------------------------------------------------------------------------------------

    def won(self, before: str) -> None:
        """Take note that this replica leads from now on: whatever the others have left is its work."""
        self._reporting.won(self._me, before, self._clock.now(), self._namespace)
        self._wake_all()

    def regained(self) -> None:
        """Take note that this replica can show again that it leads: what it left alone meanwhile is its work."""
        self._reporting.regained()
        self._wake_all()

    def lost(self, now: str) -> None:
        """Take note that this replica leads no more."""
        self._reporting.lost(now)

    def _wake_all(self) -> None:
        for request in self._known.requests():
            self._add(RequestKey.of(request))
        for binding in self._known.bindings():
            self._add(binding)
        for policy in self._known.policies.all():
            self._add(PolicyKey.of(policy))
        for key in self._known.locks.all_keys():
            self._add(key)

    def _wake_waiting(self) -> None:
        for request in self._known.requests():
            if request.status.outbox or request.status.phase in (None, Phase.PENDING, Phase.APPROVED):
                self._add(RequestKey.of(request))
