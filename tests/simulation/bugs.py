"""Planted bugs: each leaves one rule out, as somebody might in a change, and the simulation must notice it.

Sieve's three kinds are among them: acting on a state that is old, missing a state that came and went, and dying in a state
that is only half way.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from curfew.audit.receipt import Receipt
from curfew.core import bindings, plan
from curfew.ports import ObjectExists, StoreError
from curfew.processes.operator.election import Election
from curfew.processes.operator.known import Store
from curfew.processes.operator.queue import WorkQueue
from curfew.processes.operator.recall import Recall, Trail
from curfew.processes.operator.standby import Courtesy
from curfew.trail.appender import Appender
from curfew.trail.memory import Memory
from curfew.trail.placing import Placer

Bug = Callable[[pytest.MonkeyPatch], None]


def standbys_judge_by_the_log(patch: pytest.MonkeyPatch) -> None:
    """Stale state: a replica that does not lead decides as the leader does, with a log that it has not read."""
    patch.setattr(plan, "stand_by", lambda facts: plan.plan(replace(facts, leads=True)))


def deletions_are_no_news(patch: pytest.MonkeyPatch) -> None:
    """Unobserved state: that a request was deleted is not noted. The log's own rule, which covers for that, is left out too."""
    patch.setattr(Store, "see_request_deleted", lambda self, body: None)
    patch.setattr(Recall, "is_settled", Memory.is_settled)


def announcements_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Unobserved state: a new leader does not know what the one before it has announced."""
    intent = Trail.intent

    def own(self: Trail, uid: str) -> Any:
        found = intent(self, uid)
        return found if found is not None and self.is_own(found.id) else None

    patch.setattr(Trail, "intent", own)


def ends_are_computed_again(patch: pytest.MonkeyPatch) -> None:
    """Intermediate state: the end is counted from the binding, and not from what was announced before it."""
    write = bindings.write_binding

    def later(request: Any, *, expires_at: datetime, **more: Any) -> Any:
        return write(request, expires_at=expires_at + timedelta(seconds=3), **more)

    patch.setattr(bindings, "write_binding", later)


def what_was_bound_is_not_adopted(patch: pytest.MonkeyPatch) -> None:
    """Intermediate state: a leader that dies after it made a binding leaves a request that nobody shows as active."""
    patch.setattr(plan, "adopt", lambda facts: None)


def a_lost_answer_is_an_answer(patch: pytest.MonkeyPatch) -> None:
    """Intermediate state: a segment whose answer did not come counts as written."""
    try_ = Placer._try

    async def optimistic(self: Placer, head: Any, body: bytes) -> Any:
        try:
            return await try_(self, head, body)
        except StoreError:
            return None

    patch.setattr(Placer, "_try", optimistic)


def standbys_only_watch(patch: pytest.MonkeyPatch) -> None:
    """P1: nobody but the leader ends access."""

    async def only_the_leader(self: Courtesy, key: str, binding: Any) -> bool:
        await asyncio.sleep(0.5)
        return self._leading.leads

    patch.setattr(Courtesy, "is_our_turn", only_the_leader)


def ends_are_not_due(patch: pytest.MonkeyPatch) -> None:
    """P1: a key is given its turn by news only."""
    patch.setattr(WorkQueue, "_fire", lambda self: None)


def nobody_waits_for_the_lease(patch: pytest.MonkeyPatch) -> None:
    """P7: a replica takes the Lease as soon as it sees it, whoever holds it."""
    patch.setattr(Election, "_runs_out_in", lambda self: 0.0)


def a_leader_just_begins(patch: pytest.MonkeyPatch) -> None:
    """P7: a new leader does not close the log to the one before it."""
    take_over = Appender._take_over

    def unfenced(self: Appender[Any], recovered: Any) -> None:
        self._is_elected = False
        take_over(self, recovered)

    patch.setattr(Appender, "_take_over", unfenced)


def taken_is_ours(patch: pytest.MonkeyPatch) -> None:
    """P2, P7: a name that is taken counts as our own earlier try, without looking at what is there."""

    async def trusting(self: Placer, head: Any, body: bytes) -> None:
        try:
            await self._store.create(head.next_name(), body)
        except ObjectExists:
            return

    patch.setattr(Placer, "_try", trusting)


def handed_over_is_durable(patch: pytest.MonkeyPatch) -> None:
    """P2: a record counts as durable as soon as it is handed over."""
    receipt, intent = Trail.receipt, Trail.intent

    def waiting(self: Trail) -> dict[str, Any]:
        return {**self._queue._waiting, **self._queue.in_flight}

    def made_up(self: Trail, record_id: str) -> Receipt | None:
        known = receipt(self, record_id)
        if known is None and record_id in waiting(self):
            return Receipt("main", 1, 2, "00" * 32)
        return known

    def announced(self: Trail, uid: str) -> Any:
        queued = (entry.record for entry in waiting(self).values())
        return intent(self, uid) or next(
            (one for one in queued if one.event == "grant.intended" and one.subject == uid), None
        )

    patch.setattr(Trail, "receipt", made_up)
    patch.setattr(Trail, "intent", announced)


BUGS: Final[tuple[Bug, ...]] = (
    standbys_judge_by_the_log,
    deletions_are_no_news,
    announcements_are_forgotten,
    ends_are_computed_again,
    what_was_bound_is_not_adopted,
    a_lost_answer_is_an_answer,
    standbys_only_watch,
    ends_are_not_due,
    nobody_waits_for_the_lease,
    a_leader_just_begins,
    taken_is_ours,
    handed_over_is_durable,
)

FOUND_BY: Final[Mapping[str, int]] = {
    "standbys_judge_by_the_log": 68,
    "deletions_are_no_news": 38,
    "announcements_are_forgotten": 2,
    "ends_are_computed_again": 1,
    "what_was_bound_is_not_adopted": 3,
    "a_lost_answer_is_an_answer": 33,
    "standbys_only_watch": 10,
    "ends_are_not_due": 2,
    "nobody_waits_for_the_lease": 1,
    "a_leader_just_begins": 1,
    "taken_is_ours": 1,
    "handed_over_is_durable": 1,
}
"""The seed that has found each bug, so that it is tried first."""
