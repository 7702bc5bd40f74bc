"""The reconciler on the small world, driven step by step: no tasks, no sleeping, and a process that can die anywhere."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, Story, record_id
from curfew.audit.stories import AFTER_CLOSED
from curfew.core import locks
from curfew.core.bindings import Binding
from curfew.core.facts import ClockState, EnforcementState, Facts, RecordedEnd, TrailState
from curfew.core.keys import Key, LockKey, PolicyKey, RequestKey
from curfew.core.lifecycle import Event
from curfew.core.lock_records import is_about_lock
from curfew.core.notices import Notice
from curfew.core.policy_records import place_of
from curfew.core.reasons import Reason
from curfew.core.refused_or_withdrawn import RefusedOrWithdrawn
from curfew.core.response_times import ResponseTimes, response_times
from curfew.core.seals import Seals
from curfew.ports import ClosedRequest, ClusterError, StoreUnavailable
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.known import Store, is_closed
from curfew.processes.operator.queue import WorkQueue
from curfew.processes.operator.reconciler import Reconciler
from curfew.processes.operator.unreadable import Unreadable
from tests.support.builders import NOON, a_decision, a_policy, a_request, a_role
from tests.support.world import FailurePlan, FakeClock, FakeCluster

ROUNDS = 200


class FakeTrail:
    """A log that is durable in itself, and a writer that dies with its process."""

    def __init__(self, clock: FakeClock, log: list[Record]) -> None:
        self._clock = clock
        self.log = log  # outlives the process
        self.failures = FailurePlan()
        self._queued: dict[str, Record] = {}
        self._own: set[str] = set()
        self.ok = True
        self.reason = "TrailUnavailable"  # while it is not
        self.seals: Seals | None = Seals(b"a signature")
        self._index = {record.id: index for index, record in enumerate(log)}
        self._intents = {record.subject: record for record in log if record.event == "grant.intended"}
        self.is_open = True  # False: this process has not read it yet, and knows nothing of what it holds
        self._open = self._fold()
        self._refused_or_withdrawn = RefusedOrWithdrawn()
        for record in log:
            self._refused_or_withdrawn.learn(record)

    def remembers(self, since: datetime) -> bool:
        """Whether all is known since then."""
        return self.is_open

    @property
    def refused_or_withdrawn(self) -> RefusedOrWithdrawn:
        """Return what the log has of refusals and withdrawals."""
        return self._refused_or_withdrawn if self.is_open else RefusedOrWithdrawn()

    def submit(self, records: Iterable[Record]) -> None:
        """Queue what is not durable yet, and what a closed story still takes."""
        for record in records:
            if not self.is_told(record):
                self._queued.setdefault(record.id, record)

    def receipt(self, id_: str) -> Receipt | None:
        """Return a receipt for what is in the log."""
        index = self._index.get(id_) if self.is_open else None
        return None if index is None else Receipt(log="test", index=index, size=len(self.log), root="00" * 32)

    def is_told(self, record: Record) -> bool:
        """Whether it is in the log, or its story is closed without it."""
        is_closed = self.receipt(record_id(record.subject, "request.closed")) is not None
        return self.receipt(record.id) is not None or (is_closed and record.event not in AFTER_CLOSED)

    def intent(self, uid: str) -> Record | None:
        """Return the announcement of an open request."""
        return None if not self.is_open or record_id(uid, "request.closed") in self._index else self._intents.get(uid)

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the log holds the story closed."""
        return self.is_open and record_id(uid, "request.closed") in self._index

    def recorded_end(self, uid: str) -> RecordedEnd | None:
        """Return how the log has the end of a request."""
        index = self._index.get(record_id(uid, "request.closed")) if self.is_open else None
        if index is None:
            return None
        record = self.log[index]
        told, phase = Story.of(record), record.block["detail"].get("phase")
        if phase is None or told.ended_at is None or told.end_reason is None:
            return None
        return RecordedEnd(phase, told.end_reason, told.ended_at)

    def open_policies(self) -> Mapping[str, Record]:
        """Return the policies that the log does not hold deleted."""
        told: dict[str, Record] = {}
        for record in self.log if self.is_open else ():
            if record.event == "policy.deleted":
                told.pop(record.subject, None)
            elif record.event.startswith("policy."):
                told[record.subject] = record
        return told

    def open_locks(self) -> Mapping[str, Record]:
        """Return the locks that the log does not hold lifted."""
        told: dict[str, Record] = {}
        for record in self.log if self.is_open else ():
            if record.event == "lock.lifted":
                told.pop(record.subject, None)
            elif record.event.startswith("lock."):
                told[record.subject] = record
        return told

    def is_own(self, id_: str) -> bool:
        """Whether this process appended it."""
        return id_ in self._own

    def open_stories(self) -> Mapping[str, Record]:
        """Return what was open when this process started."""
        return self._open if self.is_open else {}

    @property
    def health(self) -> TrailState:
        """Whether it takes records."""
        ok = self.ok and self.is_open
        reason = "Writing" if ok else self.reason
        return TrailState(ok=ok, reason=reason, message="the bucket is away", since=NOON, is_open=self.is_open)

    def flush(self) -> set[Key]:
        """Make all that is queued durable; return the keys of the requests and policies it is about."""
        if not self.health.ok or not self._queued:
            return set()
        records = tuple(self._queued.values())
        self.failures.before("append")
        for record in records:
            self._index[record.id] = len(self.log)
            self.log.append(record)
            self._refused_or_withdrawn.learn(record)
            if record.event == "grant.intended":
                self._intents[record.subject] = record
        self._own |= {record.id for record in records}
        self._queued.clear()
        with contextlib.suppress(ClusterError):  # the writer tries again, and finds its own bytes there
            self.failures.after_effect("append")
        about_locks = {LockKey(record.subject) for record in records if is_about_lock(record)}
        return about_locks | {
            place_of(record) or RequestKey(record.subject) for record in records if not is_about_lock(record)
        }

    def takes_in(self, *records: Record) -> None:
        """Take in what another process has appended. What was queued here and is not in the log is left out of it."""
        for record in records:
            self._index[record.id] = len(self.log)
            self.log.append(record)
        self._queued.clear()

    def _fold(self) -> dict[str, Record]:
        stories: dict[str, Record] = {}
        for record in self.log:
            if record.event == "request.closed":
                stories.pop(record.subject, None)
            elif record.event in ("request.accepted", "grant.intended", "grant.activated"):
                stories[record.subject] = record
        return stories


class FakeNames:
    """The names that were used, in a store that can be away."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str, str], str] = {}
        self.is_away = False

    async def claim(self, namespace: str, policy: str, name: str, uid: str) -> str:
        """Use a name and return who has it."""
        if self.is_away:
            raise StoreUnavailable("the bucket is away.")
        return self.used.setdefault((namespace, policy, name), uid)


class Told:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.removals: list[tuple[str, datetime, Reason]] = []
        self.responses: list[ResponseTimes] = []

    def notice(self, notice: Notice) -> None:
        """Remember an Event."""
        self.notices.append(notice)

    def transition(self, facts: Facts, event: Event) -> None:
        """Hear of a transition."""

    def reviewed(self, facts: Facts) -> None:
        """Remember how long people took."""
        self.responses.append(response_times(facts))

    def removed(self, binding: Binding, at: datetime, reason: Reason) -> None:
        """Remember a removal."""
        self.removals.append((binding.name, at, reason))


@dataclass
class Standing:
    """Whether the process leads: a test changes it."""

    leads: bool = True
    is_in_office: bool = True
    is_held: bool = True


class Stage:
    """One cluster, one log, one clock; and the operator's process, which can be started anew at any time."""

    def __init__(self, *, policy: Mapping[str, Any] | None = None, max_grant: timedelta = timedelta(hours=24)) -> None:
        self.max_grant = max_grant
        self.clock = FakeClock(NOON)
        self.cluster = self.a_cluster()
        self.log: list[Record] = []
        self.queue: WorkQueue | None = None  # for tests of the order of turns
        self.told = Told()
        self.names = FakeNames()
        self.leading = Standing()
        self.closed: list[ClosedRequest] = []
        self.failures = FailurePlan()
        self.enforcement = EnforcementState(ok=True, reason="Enforced", message="", since=NOON)
        self.clock_state = ClockState(ok=True, reason="ClockAgrees", message="", since=NOON)
        self.locks_state = locks.known(NOON)
        self.cluster.apply(a_role())
        self.cluster.apply(policy or a_policy())
        self.restart()

    def plan_failure(self, failures: FailurePlan) -> None:
        """Let one call to the world, cluster or log, fail."""
        self.failures = failures
        self.cluster.failures = failures
        self.trail.failures = failures

    def restart(self) -> None:
        """Start the operator's process: all that it remembered is lost."""
        self.store = Store()
        self.store.locks.state = self.locks_state
        self.trail = self.a_trail()
        self.trail.failures = self.failures
        self.counting = Counting(self.store, self.cluster, self.trail, self.clock)
        self.is_counted = False
        self.reconciler = Reconciler(
            self.store,
            self.cluster,
            self.trail,
            self.clock,
            self.told,
            names=self.names,
            counting=self.counting,
            enforcement=lambda: self.enforcement,
            clock_state=lambda: self.clock_state,
            max_grant=self.max_grant,
            wake=lambda key: self.dirty.add(key),
            closed=self.closed.append,
            leading=self.leading,
            ends_wait=lambda: self.queue is not None and self.queue.ends_wait,
            others_wait=lambda: self.queue is not None and self.queue.waiting > 0,
            is_busy=lambda: self.queue is not None and self.queue.is_busy,
        )
        self.dirty: set[Key] = set()
        self.wakes: dict[Key, datetime] = {}
        self.is_listed = False
        self.cluster.watchers = [self._see]

    def stand_by(self) -> None:
        """Start the process as one that does not lead, and that nobody leads: it does not wait for its turn."""
        self.leading.leads = self.leading.is_in_office = self.leading.is_held = False
        self.restart()
        self.trail.is_open, self.trail.reason = False, "NotLeading"

    def take_over(self) -> None:
        """Start the process as the one that leads."""
        self.leading.leads = self.leading.is_in_office = self.leading.is_held = True
        self.restart()

    def a_cluster(self) -> FakeCluster:
        """Return the API server."""
        return FakeCluster(self.clock)

    def a_trail(self) -> FakeTrail:
        """Return what the process knows of the log when it starts."""
        return FakeTrail(self.clock, self.log)

    def _see(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        key: Key | None = None
        if kind == "AccessRequest":
            if verb == "DELETED":
                key = self.store.see_request_deleted(body)
            elif not is_closed(body):
                try:
                    key = self.store.see_request(body)
                except Unreadable:
                    key = RequestKey(body["metadata"]["uid"])
        elif kind == "AccessPolicy":
            policy = self.store.policies.see_deleted(body) if verb == "DELETED" else self.store.policies.see(body)
            if policy is not None:
                self.dirty |= {policy, *self.store.under_policy(policy)}
        elif kind in ("Role", "ClusterRole"):
            self.dirty |= self.store.roles.see_deleted(body) if verb == "DELETED" else self.store.roles.see(body)
        elif kind == "RoleBinding":
            key = self.store.see_binding_deleted(body) if verb == "DELETED" else self.store.see_binding(body)
        elif kind == "AccessLock":
            key = self.store.locks.see_deleted(body["metadata"]["uid"]) if verb == "DELETED" else self._see_lock(body)
        if key is not None:
            self.dirty.add(key)

    def _see_lock(self, body: Mapping[str, Any]) -> LockKey | None:
        key = self.store.locks.see(body)
        now = self.clock.now()
        known = (*self.store.bindings(), *map(RequestKey.of, self.store.requests()))
        self.dirty |= {one for one in known if self.store.is_locked(one, now)}
        return key

    def see_as_handlers_do(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        """See an object that may hold anything: what cannot be read gets its turn, and nothing else fails."""
        try:
            self._see(verb, kind, body)
        except Exception:  # noqa: BLE001  Kopf tells of it and goes on
            self.dirty.add(RequestKey(body["metadata"]["uid"]))

    async def settle(self) -> None:
        """Let the operator work until there is nothing left to do at this instant; failed work is tried again."""
        for _ in range(ROUNDS):
            try:
                await self._list()
                if self.trail.is_open and not self.is_counted:
                    await self.counting.find_counted()
                    self.is_counted = True
                self.counting.tell()
                for key in self.trail.flush():
                    if isinstance(key, PolicyKey | LockKey) or self.store.request(key.uid) is not None:
                        self.dirty.add(key)
            except ClusterError:
                continue
            if not self.dirty:
                return
            key = min(self.dirty, key=str)
            self.dirty.discard(key)
            try:
                wake_at = await self.reconciler.reconcile(key)
            except ClusterError:
                self.dirty.add(key)
                continue
            self.wakes.pop(key, None)
            if wake_at is not None and wake_at <= self.clock.now():
                self.dirty.add(key)
            elif wake_at is not None:
                self.wakes[key] = wake_at
        raise AssertionError(f"the operator does not come to rest; still to do: {self.dirty}")

    async def _list(self) -> None:
        if self.is_listed:
            return
        for body in (await self.cluster.list_locks())[0]:
            if (key := self.store.locks.see(body)) is not None:
                self.dirty.add(key)
        self.store.locks.is_listed = True
        for body in await self.cluster.list_bindings():
            self.store.see_binding(body)
        for body in await self.cluster.list_policies():
            self.store.policies.see(body)
        for body in await self.cluster.list_requests():
            try:
                self.store.see_request(body)
            except Unreadable:
                self.dirty.add(RequestKey(body["metadata"]["uid"]))
        self.store.is_synced = True
        self.store.forget_orphans()
        if self.trail.is_open:
            self.reconciler.policies.tell_deleted()
            self.reconciler.locks.tell_deleted()
            await self.reconciler.deleted.close_stories()
        self.is_listed = True
        self.dirty |= {PolicyKey.of(policy) for policy in self.store.policies.all()}
        self.look_at_all_requests()
        self.dirty |= self.store.bindings().keys()

    def look_at_all_requests(self) -> None:
        """Give each request that is known its turn."""
        self.dirty |= {RequestKey.of(request) for request in self.store.requests()}

    async def pass_time(self, **by: float) -> None:
        """Turn the clock, stopping at each instant at which the operator wanted to look again."""
        until = self.clock.now() + timedelta(**by)
        while True:
            due = sorted(instant for instant in self.wakes.values() if instant <= until)
            if not due:
                break
            self.clock.set(max(due[0], self.clock.now()))
            for key in [key for key, instant in self.wakes.items() if instant <= self.clock.now()]:
                del self.wakes[key]
                self.dirty.add(key)
            await self.settle()
        self.clock.set(until)

    # --- what a test asks about -------------------------------------------------------------------------------------

    def phase(self, name: str = "inc-4711") -> str | None:
        """Return a request's phase."""
        found: str | None = self.cluster.status(name).get("phase")
        return found

    def events(self, uid: str | None = None) -> Sequence[str]:
        """Return the events of requests, or of one request or policy, in the log, in order."""
        about_requests = [record for record in self.log if place_of(record) is None]
        return [
            record.event for record in (about_requests if uid is None else self.log) if uid in (None, record.subject)
        ]

    def bindings(self) -> Sequence[dict[str, Any]]:
        """Return the bindings that are there."""
        return self.cluster.all("RoleBinding")

    def condition(self, type_: str, name: str = "inc-4711") -> dict[str, Any]:
        """Return a condition of a request."""
        found: dict[str, Any] = next(c for c in self.cluster.status(name)["conditions"] if c["type"] == type_)
        return found


async def pending(stage: Stage, **spec: Any) -> str:
    """Put a request before the approvers and return its UID."""
    uid: str = stage.cluster.apply(a_request(**spec))["metadata"]["uid"]
    await stage.settle()
    return uid


async def active(stage: Stage, **spec: Any) -> str:
    """Bring a request to Active and return its UID."""
    uid = await pending(stage, **spec)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Active"
    return uid
