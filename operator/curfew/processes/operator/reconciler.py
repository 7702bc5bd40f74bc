"""Gather, decide, record, act, report: the only place that sets the order of the API calls about a request.

Each round does one thing to the world and looks again, so that a crash between any two is an ordinary start (promise P10).
Every failure leaves this file as an error, and the work queue brings the key back.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from curfew.api.access_request import AccessRequest, Phase
from curfew.audit.record import Story
from curfew.core import ending
from curfew.core.bindings import Binding
from curfew.core.facts import ClockState, EnforcementState, Facts, Read
from curfew.core.granting import refused
from curfew.core.keys import Key, LockKey, PolicyKey, RequestKey
from curfew.core.lifecycle import FINAL, Event
from curfew.core.notices import Notice
from curfew.core.outbox import is_counted
from curfew.core.steps import Close, Create, Forget, Patch, Remove, Step
from curfew.core.unrecorded import INTENDED
from curfew.ports import AlreadyExists, Clock, ClosedRequest, Cluster, Conflict, Forbidden, Invalid, NotFound
from curfew.processes.operator.closing import Closing
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.deciding import decide
from curfew.processes.operator.deleted import DeletedRequests
from curfew.processes.operator.gathering import Gatherer
from curfew.processes.operator.known import Store
from curfew.processes.operator.locks import LockReconciler
from curfew.processes.operator.policies import PolicyReconciler
from curfew.processes.operator.ports import Names, Reporter, TrailPort
from curfew.processes.operator.removing import Remover
from curfew.processes.operator.rights import RightsReader
from curfew.processes.operator.roles import RoleReader
from curfew.processes.operator.standby import AGAIN, Alone, Courtesy, Leading
from curfew.processes.operator.turns import NamespaceLine, Place

ROUNDS = 32
"""How many steps one turn may take before the key goes back into the queue: far more than any story needs."""

CLOSE_LATER = timedelta(seconds=1)
"""How soon to look again whether there is time to label a finished request."""

CLOSE_BY = timedelta(seconds=30)
"""How long after its end a request is labelled even if others wait: until then it fills memory."""


class Reconciler:
    """Brings one request, one policy or one lock, step by step to where it should be."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        trail: TrailPort,
        clock: Clock,
        reporter: Reporter,
        *,
        names: Names,
        counting: Counting,
        enforcement: Callable[[], EnforcementState],
        clock_state: Callable[[], ClockState],
        is_past: Callable[[datetime], bool] = lambda _: False,
        max_grant: timedelta,
        wake: Callable[[Key], None],
        closed: Callable[[ClosedRequest], None] = lambda _: None,
        ends_wait: Callable[[], bool] = lambda: False,
        others_wait: Callable[[], bool] = lambda: False,
        is_busy: Callable[[], bool] = lambda: False,
        leading: Leading | None = None,
    ) -> None:
        """`wake` gives a request or a policy a turn, by its key: something that it may wait for is over or has changed.

        `closed` is called with each request that was labelled closed. `ends_wait` and `others_wait` return whether ends of
        access, or other turns, wait, and `is_busy` whether any wait or many are under way: then a turn does not do
        everything at once. Without `leading`, this process always leads.
        `is_past` returns whether an instant has passed on the API server's clock.
        """
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter
        self._counting = counting
        self._wake = wake
        self._ends_wait = ends_wait
        self._others_wait = others_wait
        self._is_busy = is_busy
        self._leading = leading or Alone()
        roles, self._rights = RoleReader(cluster, store.roles, wake), RightsReader(cluster, clock)
        self.gatherer = Gatherer(
            store,
            cluster,
            trail,
            clock,
            roles=roles,
            rights=self._rights,
            names=names,
            counting=counting,
            enforcement=enforcement,
            clock_state=clock_state,
            max_grant=max_grant,
            leading=self._leading,
        )
        courtesy = Courtesy(store, self._leading, clock_state, is_past)
        self._remover = Remover(store, cluster, trail, clock, reporter, self.gatherer, wake=wake, courtesy=courtesy)
        self._closing = Closing(store, cluster, trail, clock, reporter, counting=counting, closed=closed)
        self.deleted = DeletedRequests(store, cluster, trail, clock, reporter, self._remover)
        self.locks = LockReconciler(store.locks, cluster, trail, clock, reporter)
        self.policies = PolicyReconciler(store.policies, cluster, trail, clock, reporter, roles, self._rights)

    async def reconcile(self, key: Key) -> datetime | None:
        """Work on a request, a policy or a lock. Return when to look again, or None."""
        match key:
            case PolicyKey() | LockKey() if not self._leading.leads:
                return self._leave_alone()
            case PolicyKey():
                return await self.policies.reconcile(key)
            case LockKey():
                return await self.locks.reconcile(key)
            case RequestKey(uid):
                return await self._reconcile_request(uid)

    def _leave_alone(self) -> datetime | None:
        """Do nothing about policies and locks: they are the leader's. Return when to look again, or None."""
        if self._leading.is_in_office:
            return self._clock.now() + AGAIN
        self._store.policies.leave()
        self._store.locks.leave()
        return None

    def place(self, key: Key) -> Place:
        """Return where a key waits for its turn: in the line of the person who submitted it, unless it ends access now.

        A policy waits in the line of its namespace, and all locks wait in one line.
        """
        if isinstance(key, LockKey):
            return Place(NamespaceLine(""))
        if isinstance(key, PolicyKey):
            return Place(NamespaceLine(key.namespace))
        uid = key.uid
        request, binding, broken = self._store.request(uid), self._store.binding(uid), self._store.unreadable(uid)
        if binding is not None and (request is None or broken is not None or not self._store.is_synced):
            return Place(None)  # nobody knows what it should wait for, or only the end on its binding counts
        if broken is not None:
            return Place(NamespaceLine(str(broken.body["metadata"].get("namespace"))))
        if request is None:
            return Place(None)  # nothing is left to do
        if binding is not None and self._has_to_end(request, binding):
            return Place(None)
        # With a binding or a phase after it, the access is given or over: the status, the records and the label are left.
        only_shows = binding is not None or request.status.phase not in (None, Phase.PENDING, Phase.APPROVED)
        until = binding.expires_at if binding is not None else None
        return Place(request.spec.submitted_by, until, only_shows=only_shows)

    def _has_to_end(self, request: AccessRequest, binding: Binding) -> bool:
        if ending.is_over(binding, self._clock.now()) is not None:
            return True  # many may end in the same second: nothing else is looked at
        try:
            return ending.why_ended(self.gatherer.facts(request), binding) is not None
        except Exception:  # noqa: BLE001  its trouble must not hold up others: its own turn reports it
            return True

    async def _reconcile_request(self, uid: str) -> datetime | None:
        reads: frozenset[Read] = frozenset()
        for _ in range(ROUNDS):
            binding = self._store.binding(uid)
            if binding is not None and await self._end_at_once(uid, binding):
                return self._clock.now()  # its records wait for its turn
            if not self._leading.leads and not self._is_known(uid):
                return self._leave_to_the_leader(uid, binding)
            if self._store.unreadable(uid) is not None and self._store.is_synced:
                return await self._closing.answer_unreadable(uid) if binding is None else binding.expires_at
            if self._store.request(uid) is None or not self._store.is_synced:
                if binding is not None:
                    return await self.deleted.end_binding(uid, binding)
                self._store.forget_orphan(uid)
                return None
            facts = await self.gatherer.gather(uid, reads)
            if facts is None:
                return None
            facts, step = decide(facts, self._trail.receipt)
            self._record(facts, step)
            if step.reads:  # while what was handed over becomes durable
                reads |= step.reads
                continue
            if step.act is None:
                self._report(step.notices)
                return step.wake_at
            if isinstance(step.act, Forget) and not facts.leads and self._leading.is_in_office:
                # It may lead again at once, and then it has to record the end (promise P7).
                return self._clock.now() + AGAIN
            if isinstance(step.act, Close) and self._can_wait(facts):
                return self._clock.now() + CLOSE_LATER
            reads = await self._act(uid, facts, step)
            if isinstance(step.act, Remove) or self._ends_wait():
                return self._clock.now()
            if isinstance(step.act, Create) and not reads and self._is_busy():
                return self._clock.now()  # access for others comes before the status of this one
        raise RuntimeError(f"request {uid} did not come to rest in {ROUNDS} steps")

    async def _end_at_once(self, uid: str, binding: Binding) -> bool:
        """End access that must end, before anything else is read or parsed. Return whether it was ended (P1 and P3)."""
        cause, broken = ending.is_over(binding, self._clock.now()), self._store.unreadable(uid)
        if cause is None and broken is not None:
            cause = ending.last_word(broken.body)
        if cause is not None:
            await self._remover.remove(uid, Remove(binding, *cause))
            return True
        if self._is_known(uid) or not self._leading.leads:
            return False  # the plan ends it, or the leader does
        lock = self._store.locks.over_binding(binding, self._clock.now())
        if lock is not None:
            await self.deleted.end_locked(uid, binding, ending.locked(lock))
        return lock is not None

    def _can_wait(self, facts: Facts) -> bool:
        """Whether the label of a finished request waits, for a while, because access or the end of access of others does."""
        ended = facts.request.status.ended_at
        is_late = ended is None or facts.now >= ended + CLOSE_BY or is_counted(facts)
        return not is_late and self._others_wait()

    def _is_known(self, uid: str) -> bool:
        """Whether the request is known and can be read, and everything else is known as well."""
        return self._store.is_synced and self._store.request(uid) is not None and self._store.unreadable(uid) is None

    def _leave_to_the_leader(self, uid: str, binding: Binding | None) -> datetime | None:
        """Wait for the end on a binding whose request is not known. Only the log shows what else to do about it."""
        if binding is None:
            self._store.forget_orphan(uid)
        return binding.expires_at if binding is not None else None

    # --- record -----------------------------------------------------------------------------------------------------

    def _record(self, facts: Facts, step: Step) -> None:
        if not facts.leads:
            return
        if isinstance(step.act, Patch) and step.act.event is Event.ACCEPT:
            self._store.accepting(facts.request)
        if step.submit:
            self._trail.submit(step.submit)  # raises for what cannot be written: then nothing is on its way
            for record in step.submit:
                if record.event == INTENDED:
                    self._store.memories.handed_over(facts.request.metadata.uid, Story.of(record))
        if step.told_end is not None:
            self._store.memories.told_end(facts.request.metadata.uid, step.told_end)
        self._counting.learn(step.records)

    # --- act --------------------------------------------------------------------------------------------------------

    async def _act(self, uid: str, facts: Facts, step: Step) -> frozenset[Read]:
        """Do the step's one act, report it, and return what must be read before the next decision."""
        reads: frozenset[Read] = frozenset()
        match step.act:
            case Remove() as removal:
                await self._remover.remove(uid, removal)
            case Create() as create:
                reads = await self._create(uid, facts, create)
            case Patch() as patch:
                await self._refuse_or_patch(uid, facts, step, patch)
                return frozenset()
            case Close():
                await self._closing.close(facts)
            case Forget():
                if facts.leads and is_counted(facts):
                    self._counting.count(facts.request)
                self._store.forget(uid)
                self._give_place(facts)
        self._report(step.notices)
        return reads

    async def _create(self, uid: str, facts: Facts, create: Create) -> frozenset[Read]:
        within = create.ends - self._clock.now()
        if within <= timedelta(0) or not self._leading.leads:  # nothing may come between this question and the POST
            return frozenset()
        try:
            self._store.see_binding(await self._cluster.create_binding(create.manifest, within))
        except AlreadyExists:
            # This is not success yet: the binding is read back and compared.
            return frozenset({Read.BINDING})
        except (Forbidden, Invalid) as error:
            self._rights.was_refused()
            now = self._clock.now()
            since = self._store.memories.of(uid).refused_since or now
            refusal = refused(str(error), may_pass=isinstance(error, Forbidden), since=since, now=now)
            self._store.memories.refused(uid, refusal, since=since)
        return frozenset()

    async def _refuse_or_patch(self, uid: str, facts: Facts, step: Step, patch: Patch) -> None:
        """Write a status. A count waits for each refusal that is being written into a status."""
        key = facts.counting if "countedIn" in patch.status else None
        if key is None:
            await self._patch(uid, facts, step, patch)
            return
        self._counting.begin(key, uid)
        try:
            await self._patch(uid, facts, step, patch)
        finally:
            self._counting.end(key, uid)

    async def _patch(self, uid: str, facts: Facts, step: Step, patch: Patch) -> None:
        meta, status = facts.request.metadata, patch.status
        if patch.outbox is not None and (seals := self._trail.seals) is not None:
            status = {**status, "outbox": [seals.seal(uid, record) for record in patch.outbox]}
        try:
            body = await self._cluster.patch_request_status(
                meta.namespace, meta.name, meta.uid, meta.resource_version, status
            )
        except Conflict:
            await self._reread(uid, facts)
            return
        except NotFound:
            self._store.memories.saw_gone(uid)
            return
        self._store.see_request(body)
        if "reviews" in patch.status:
            self._reporter.reviewed(facts)
        if patch.event is not None:
            self._reporter.transition(facts, patch.event)
            if patch.status["phase"] in FINAL:
                self._give_place(facts)
        self._report(step.notices)

    def _give_place(self, facts: Facts) -> None:
        """Let the person's other requests check whether there is a place for them, now that this one holds none."""
        if facts.request.status.phase is Phase.ACTIVE or facts.announced is not None:
            for key in self._store.beside(facts.request):
                self._wake(key)

    async def _reread(self, uid: str, facts: Facts) -> None:
        """Read a request again that somebody changed between our read and our write."""
        meta = facts.request.metadata
        body = await self._cluster.get_request(meta.namespace, meta.name)
        if body is None or body["metadata"]["uid"] != uid:
            self._store.memories.saw_gone(uid)
        else:
            self._store.see_request(body)

    # --- report -----------------------------------------------------------------------------------------------------

    def _report(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._reporter.notice(notice)
