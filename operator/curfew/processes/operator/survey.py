"""The numbers that describe the whole state, counted in one pass: it is taken every few seconds, of 50,000 requests too."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from curfew.api.access_request import Phase
from curfew.audit.record import Record
from curfew.core.response_times import waits_since
from curfew.core.seals import Seals
from curfew.processes.operator.known import Store
from curfew.processes.operator.outboxes import open_outbox

NOWHERE = ("", "")
"""Instead of namespace and name of a policy that never was: people may name any."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there at one instant."""

    phases: Mapping[tuple[str, str, str], int]  # by namespace, policy and phase
    pending: Mapping[tuple[str, str], float]  # by namespace and policy: seconds that the oldest has waited for people
    past_expiry: int  # bindings whose end has passed
    outbox: int  # records that are not known to be durable
    oldest: float  # seconds since the oldest of these


def take_survey(store: Store, now: datetime, seals: Seals | None, is_told: Callable[[Record], bool]) -> Survey:
    """Count. `seals` shows which records in a status are ours; None while the seals are not known.

    `is_told` returns whether the log holds a record: it leaves the status only with the next change.
    """
    policies = {(policy.metadata.namespace, policy.metadata.name) for policy in store.policies.all()}
    phases: Counter[tuple[tuple[str, str], Phase | None]] = Counter()
    since: dict[tuple[str, str], datetime] = {}
    outbox = late = 0
    oldest = now
    for request in store.requests():
        status, metadata = request.status, request.metadata
        phase, policy = status.phase, (metadata.namespace, request.spec.policy_name)
        if policy not in policies and status.terms is None:
            policy = NOWHERE
        phases[policy, phase] += 1
        if phase is Phase.PENDING:
            asked_at = waits_since(request)
            if asked_at is not None and asked_at < since.get(policy, now):
                since[policy] = asked_at
        elif phase is Phase.ACTIVE and status.expires_at is not None and status.expires_at < now:
            late += 1
        found = open_outbox(request, store.memories, seals, is_told)
        if found is None:
            outbox += len(status.outbox)
        else:
            outbox += len(found.records) + (found.strange.entries if found.strange is not None else 0)
            oldest = min([oldest, *(record.at for record in found.records)])
    past = sum(1 for b in store.bindings().values() if b.expires_at is None or b.expires_at < now)
    return Survey(
        phases={(*policy, str(phase or "New")): number for (policy, phase), number in phases.items()},
        pending={policy: (now - first).total_seconds() for policy, first in since.items()},
        past_expiry=max(past, late),
        outbox=outbox,
        oldest=(now - oldest).total_seconds(),
    )
