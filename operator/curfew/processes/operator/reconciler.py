"""Gather, decide, record, act, report: the only place that orders what is asked of the API server.

Each round does one thing to the world and looks again, so that a crash between any two is an ordinary start (promise P10).
Whatever fails leaves this file as an error; the work queue brings the key back.
"""

import asyncio
import contextlib
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest, Phase
from curfew.api.names import binding_name, granted_by
from curfew.api.times import parse_time
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, RecordRefused, Story
from curfew.core import ending, policies, policy_records, stories, unreadable
from curfew.core.accepting import RIGHTS_GRACE
from curfew.core.announcing import read_intent
from curfew.core.bindings import Binding, read_binding
from curfew.core.counting import TallyKey, counted_key
from curfew.core.facts import (
    ClockState,
    EnforcementState,
    Facts,
    Intent,
    NameClaim,
    Read,
    Refusal,
    Removal,
    Rights,
    TrailState,
)
from curfew.core.keys import Key, PolicyKey, RequestKey
from curfew.core.lifecycle import FINAL, Event
from curfew.core.notices import Notice, about_deleted, about_orphan, about_stuck
from curfew.core.outbox import is_counted
from curfew.core.plan import plan
from curfew.core.reasons import Reason
from curfew.core.role_changes import changing_since
from curfew.core.seals import Outbox, Seals
from curfew.core.steps import Close, Create, Forget, Patch, Remove, Step
from curfew.core.terms import Role, read_role
from curfew.core.unrecorded import sealed_announcement
from curfew.ports import (
    AlreadyExists,
    Clock,
    ClosedRequest,
    Cluster,
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StoreError,
    TooLarge,
)
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.known import Store, Unreadable, is_closed
from curfew.processes.operator.turns import NamespaceLine, Place

ILLEGITIMATE = (Reason.BINDING_UNANNOUNCED, Reason.BINDING_TAMPERED, Reason.EXPIRY_MISSING)
"""Why a binding is removed that was never a grant of ours, or is no longer the one we made."""

RIGHTS_PAUSE = timedelta(seconds=0.5)
"""How long to wait between two of these tries."""

UNREADABLE_PAUSE = timedelta(seconds=2)
"""How often a request that cannot be read looks whether the log was read by now."""

REMOVAL_PATIENCE = timedelta(seconds=5)
"""For how long a binding that must go may resist before the log says so: a moment without an answer is no news."""

ROUNDS = 32
"""How many steps one turn may take before the key goes back into the queue: far more than any story needs."""


class TrailPort(Protocol):
    """What the reconciler needs of the trail. Nothing here waits."""

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


@dataclass(frozen=True, slots=True)
class _Durable(Container[str]):
    """The ids of all records that are durable, asked one at a time."""

    trail: TrailPort

    def __contains__(self, record_id: object) -> bool:
        return isinstance(record_id, str) and self.trail.receipt(record_id) is not None


class Reconciler:
    """Brings one request, or one policy, a step at a time to where it should be."""

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
        max_grant: timedelta,
        wake: Callable[[Key], None],
        closed: Callable[[ClosedRequest], None] = lambda _: None,
    ) -> None:
        """`wake` gives a request or a policy a turn, by its key: something that it may wait for is over or has changed.

        `closed` is told of each request that was labelled closed.
        """
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter
        self._names = names
        self._counting = counting
        self._enforcement = enforcement
        self._clock_state = clock_state
        self._max_grant = max_grant
        self._wake = wake
        self._closed = closed
        self._removals = asyncio.Semaphore(64)  # what waits behind nothing else (promise P3)
        self._told_deleted: set[str] = set()  # whose stories this process closed because their requests are gone
        self._unexplained: list[tuple[Binding, str, datetime]] = []  # what was removed before the trail was read

    async def reconcile(self, key: Key) -> datetime | None:
        """Work on a request or on a policy. Return when to look again, or None."""
        match key:
            case PolicyKey():
                return await self._reconcile_policy(key)
            case RequestKey(uid):
                return await self._reconcile_request(uid)

    def place(self, key: Key) -> Place:
        """Return where a key waits for its turn: in the line of the person who submitted it, unless it ends access now.

        A policy waits in the line of its namespace.
        """
        if isinstance(key, PolicyKey):
            return Place(NamespaceLine(key.namespace))
        uid = key.uid
        request, binding, broken = self._store.request(uid), self._store.binding(uid), self._store.unreadable(uid)
        if binding is not None and (request is None or broken is not None or not self._store.is_synced):
            return Place(None)  # nobody knows what there is to wait for, or the end on it is all that is looked at
        if broken is not None:
            return Place(NamespaceLine(str(broken.body["metadata"].get("namespace"))))
        if request is None:
            return Place(None)  # there is nothing to do
        if binding is not None and self._has_to_end(request, binding):
            return Place(None)
        return Place(request.spec.submitted_by, until=binding.expires_at if binding is not None else None)

    def _has_to_end(self, request: AccessRequest, binding: Binding) -> bool:
        try:
            return ending.why_ended(self._facts(request), binding) is not None
        except Exception:  # noqa: BLE001  whatever is wrong with it is in nobody else's way: its own turn tells of it
            return True

    async def _reconcile_request(self, uid: str) -> datetime | None:
        reads: frozenset[Read] = frozenset()
        for _ in range(ROUNDS):
            binding = self._store.binding(uid)
            if binding is not None and await self._end_at_once(uid, binding):
                return self._clock.now()  # what is to be written of it waits for its turn
            if self._store.unreadable(uid) is not None and self._store.is_synced:
                return await self._answer_unreadable(uid) if binding is None else binding.expires_at
            if self._store.request(uid) is None or not self._store.is_synced:
                return await self._end_unclaimed(uid, binding) if binding is not None else None
            facts = await self._gather(uid, reads)
            if facts is None:
                return None
            step = plan(facts)
            if step.reads:
                reads |= step.reads
                continue
            self._record(facts, step)
            if step.act is None:
                self._report(step.notices)
                return step.wake_at
            reads = await self._act(uid, facts, step)
            if isinstance(step.act, Remove):
                return self._clock.now()
        raise RuntimeError(f"request {uid} did not come to rest in {ROUNDS} steps")

    async def _end_at_once(self, uid: str, binding: Binding) -> bool:
        """End what has to end before anything else is read or parsed, and return whether it was ended (P1 and P3)."""
        cause, broken = ending.is_over(binding, self._clock.now()), self._store.unreadable(uid)
        if cause is None and broken is not None:
            cause = ending.last_word(broken.body)
        if cause is not None:
            await self._remove(uid, Remove(binding, *cause))
        return cause is not None

    # --- gather -----------------------------------------------------------------------------------------------------

    async def _gather(self, uid: str, reads: frozenset[Read]) -> Facts | None:
        """Freeze what is known about a request; read from the API server only what the decision asked for."""
        request = self._store.request(uid)
        if request is None:
            return None
        namespace = request.metadata.namespace
        policy = self._store.policy(PolicyKey.named_by(request))
        if Read.BINDING in reads:
            await self._read_binding(uid, namespace)
        role: Role | None = None
        if Read.ROLE in reads and policy is not None:
            role = await self._read_role(policy)
        rights = await self._ask_rights(request, policy) if Read.RIGHTS in reads and policy is not None else None
        claim = await self._claim_name(request) if Read.NAME in reads else None
        # What was awaited may have taken a while: only now is the rest read, all of it at one instant.
        request = self._store.request(uid)
        return self._facts(request, reads, role, rights, claim) if request is not None else None

    async def _claim_name(self, request: AccessRequest) -> NameClaim:
        meta = request.metadata
        try:
            holder = await self._names.claim(meta.namespace, request.spec.policy_name, meta.name, meta.uid)
        except StoreError as error:
            return NameClaim(problem=str(error))
        return NameClaim(holder=holder)

    def _facts(
        self,
        request: AccessRequest,
        reads: frozenset[Read] = frozenset(),
        role: Role | None = None,
        rights: Rights | None = None,
        name: NameClaim | None = None,
    ) -> Facts:
        """Freeze what is known about a request at this instant, and what was read for it."""
        uid = request.metadata.uid
        memory, now = self._store.memory(uid), self._clock.now()
        seen = self._store.role_seen(request, role)
        memory.role_changing_since = changing_since(request, seen, memory.role_changing_since, now)
        outbox = self._open_outbox(request)
        is_new = request.status.phase is None
        return Facts(
            now=now,
            request=request,
            trail=self._trail.health,
            enforcement=self._enforcement(),
            clock=self._clock_state(),
            is_gone=memory.is_gone,
            policy=self._store.policy(PolicyKey.named_by(request)),
            role=role,
            role_seen=seen,
            role_changing_since=memory.role_changing_since,
            rights=rights,
            name=name,
            binding=self._store.binding(uid) or memory.stranger,
            lost=memory.lost,
            removal=memory.removal,
            handed_over=memory.handed_over,
            story_closed=self._is_closed(request),
            intent=self._intent(uid, outbox),
            outbox=outbox,
            durable=_Durable(self._trail),
            refusal=memory.refusal,
            rivals=self._store.rivals(request),
            withdrawn=self._counting.withdrawn(request, now) if is_new else 0,
            counting=self._counting.key_for(request, now) if is_new else None,
            max_grant=self._max_grant,
            was_read=reads,
        )

    def _open_outbox(self, request: AccessRequest) -> Outbox | None:
        """Return what is in the outbox of a request and not in the log; None while it is not known what seals it.

        A record that waited there once can be put back, under its seal, when the log has forgotten its receipt (promise P7).
        """
        if (seals := self._trail.seals) is None:
            return None
        found = seals.open(request.metadata.uid, request.status.outbox)
        return replace(found, records=tuple(one for one in found.records if not self._trail.is_told(one)))

    async def _read_role(self, policy: AccessPolicy) -> Role | None:
        """Read the role that a policy offers, past the watch; None if there is none, or none that can be read (P8)."""
        ref = policy.spec.role_ref
        try:
            body = await self._cluster.get_role(str(ref.kind), policy.metadata.namespace, ref.name)
        except TooLarge:
            return None
        if body is None:
            return None
        for key in self._store.see_role(body):
            self._wake(key)
        return read_role(body)

    async def _ask_rights(self, request: AccessRequest, policy: AccessPolicy) -> Rights:
        """Ask RBAC what the requester, by name, and what Curfew itself may do."""
        namespace, spec, ref = request.metadata.namespace, request.spec, policy.spec.role_ref
        may_ask = await self._cluster.may_request(spec.requester, namespace, spec.policy_name)
        may_bind = await self._cluster.may_bind(str(ref.kind), namespace, ref.name)
        return Rights(requester_may_ask=may_ask, curfew_may_bind=may_bind)

    async def _read_binding(self, uid: str, namespace: str) -> None:
        """Read the binding of a request back, past the watch, which may lag."""
        from_watch = self._store.binding(uid)
        body = await self._cluster.get_binding(namespace, binding_name(uid))
        memory, found = self._store.memory(uid), read_binding(body) if body is not None else None
        memory.stranger = found if found is not None and not found.request_uid else None
        if body is not None:
            self._store.see_binding(body)
        if from_watch is not None and (found is None or found.uid != from_watch.uid):
            self._store.lose_binding(from_watch)

    def _is_closed(self, request: AccessRequest) -> bool:
        """Whether the log holds the story of a request closed."""
        created = request.metadata.creation_timestamp
        return created is not None and self._trail.is_over(request.metadata.uid, created)

    def _intent(self, uid: str, outbox: Outbox | None) -> Intent | None:
        record = self._trail.intent(uid)
        if record is None:
            sealed = sealed_announcement(outbox)
            return read_intent(sealed, is_sealed=True) if sealed is not None else None
        return read_intent(record, receipt=self._trail.receipt(record.id), is_own=self._trail.is_own(record.id))

    async def _reconcile_policy(self, key: PolicyKey) -> datetime | None:
        """Tell of each version of a policy once, and say in its status whether it can be asked for."""
        self._tell_of_gone_policies(key)
        policy = self._store.policy(key)
        if policy is None:
            return None
        last = self._trail.open_policies().get(policy.metadata.uid)
        is_read = self._trail.health.is_open  # else only the log knows what was told of the policy
        version = policy_records.changed(policy, last, at=self._clock.now()) if is_read else None
        is_behind = is_read and version is None and not policy_records.is_recorded(policy)
        is_durable = version is not None and self._trail.receipt(version.id) is not None
        if version is not None and not is_durable:
            self._trail.submit((version,))
        ref, meta = policy.spec.role_ref, policy.metadata
        role = await self._read_role(policy)
        may_bind = await self._cluster.may_bind(str(ref.kind), meta.namespace, ref.name)
        judgement = policies.judge(policy, role, may_bind=may_bind, now=self._clock.now())
        status = {**(judgement.status or {}), **(policy_records.recorded(policy) if is_durable or is_behind else {})}
        if status:
            try:
                patched = await self._cluster.patch_policy_status(
                    meta.namespace, meta.name, meta.uid, meta.resource_version, status
                )
            except (Conflict, NotFound):
                return None  # it was changed or deleted meanwhile; the watch brings it back
            self._store.see_policy(patched)
        self._report(judgement.notices)
        return judgement.wake_at

    def _tell_of_gone_policies(self, key: PolicyKey) -> None:
        """Tell the ends of the policies that had this key, until they are durable."""
        for policy in self._store.gone_policies(key):
            last = self._trail.open_policies().get(policy.metadata.uid)
            records = policy_records.deleted(policy, last, at=self._clock.now())
            if self._trail.receipt(records[-1].id) is not None:
                self._store.forget_policy(policy.metadata.uid)
            else:
                self._trail.submit(records)

    def tell_deleted_policies(self) -> None:
        """Tell the ends of the policies that the trail remembers and the cluster no longer has."""
        for uid, last in self._trail.open_policies().items():
            if not self._store.knows_policy(uid):
                self._trail.submit(policy_records.deleted_unseen(last, at=self._clock.now()))

    # --- record -----------------------------------------------------------------------------------------------------

    def _record(self, facts: Facts, step: Step) -> None:
        if isinstance(step.act, Patch) and step.act.event is Event.ACCEPT:
            self._store.accepting(facts.request)
        if step.submit:
            for record in step.submit:
                if record.event == "grant.intended":
                    self._store.memory(facts.request.metadata.uid).handed_over = Story.of(record)
            self._trail.submit(step.submit)
        outbox = step.act.outbox or () if isinstance(step.act, Patch) else ()
        self._counting.learn((*step.submit, *outbox))

    # --- act --------------------------------------------------------------------------------------------------------

    async def _act(self, uid: str, facts: Facts, step: Step) -> frozenset[Read]:
        """Do the step's one thing, report it, and return what has to be read before the next decision."""
        reads: frozenset[Read] = frozenset()
        match step.act:
            case Remove() as removal:
                await self._remove(uid, removal)
            case Create() as create:
                reads = await self._create(uid, facts, create)
            case Patch() as patch:
                await self._refuse_or_patch(uid, facts, step, patch)
                return frozenset()
            case Close():
                await self._close_told(uid, facts)
            case Forget():
                if is_counted(facts):
                    self._counting.count(facts.request)
                self._store.forget(uid)
                self._give_place(facts)
        self._report(step.notices)
        return reads

    async def _remove(self, uid: str, removal: Remove) -> None:
        """Delete a binding. The one way access ends; nothing stands before it (promise P3)."""
        binding = removal.binding
        async with self._removals:
            try:
                removed_by_us = await self._cluster.delete_binding(binding.namespace, binding.name, binding.uid)
            except ClusterError as error:
                await self._tell_of_stuck(uid, removal, str(error))
                raise
        at = self._clock.now()
        self._store.memory(uid).stuck_since = None
        self._store.lose_binding(binding)
        if removed_by_us:
            self._store.memory(uid).removal = Removal(at=at, reason=removal.reason, detail=removal.detail)
            self._reporter.removed(binding, at, removal.reason)
        request = self._store.request(uid)
        is_active = request is not None and request.status.phase is Phase.ACTIVE
        came_back = request is not None and self._is_closed(request)
        if came_back or (removal.reason in ILLEGITIMATE and not is_active):
            self._disown(uid, binding, removal, at)

    def _disown(self, uid: str, binding: Binding, removal: Remove, at: datetime) -> None:
        """Tell of a binding that was none of ours to adopt. What was tampered with is not made again."""
        memory = self._store.memory(uid)
        memory.lost = memory.removal = None
        if removal.reason in (Reason.BINDING_TAMPERED, Reason.EXPIRY_MISSING):
            memory.refusal = Refusal(removal.reason, f"its binding was not as it was made: {removal.detail}")
        self._tell_of_orphan(binding, removal.detail, at)

    async def _tell_of_stuck(self, uid: str, removal: Remove, problem: str) -> None:
        """Tell of a binding that has to go and does not, once it has resisted for a while; it is tried on."""
        memory, now = self._store.memory(uid), self._clock.now()
        memory.stuck_since = memory.stuck_since or now
        if now - memory.stuck_since < REMOVAL_PATIENCE:
            return
        facts = await self._gather(uid, frozenset())
        told = stories.story(facts) if facts is not None else stories.of_binding(removal.binding)
        record = stories.removal_failed(
            told, removal.binding, removal.reason, since=memory.stuck_since, at=now, problem=problem
        )
        self._trail.submit((record,))
        self._reporter.notice(about_stuck(removal.binding, record.message))

    def _tell_of_orphan(self, binding: Binding, why: str, at: datetime) -> None:
        self._trail.submit((stories.orphan_removed(binding, at=at, why=why),))
        self._reporter.notice(about_orphan(binding, why))

    async def _end_unclaimed(self, uid: str, binding: Binding) -> datetime | None:
        """End a binding of whose request nothing is known. Its end is on it; before that its request is looked for."""
        if not self._store.is_synced:
            return binding.expires_at
        now = self._clock.now()
        body = await self._cluster.get_request(binding.namespace, binding.request) if binding.request else None
        if body is not None and body["metadata"]["uid"] == uid and not is_closed(body):
            with contextlib.suppress(Unreadable):  # then the next turn finds it so
                self._store.see_request(body)  # the watch had not told us yet
            return now
        why = "its request is over" if body is not None else "its request does not exist"
        if granted_by(binding.name) != uid:
            why = "it looks like a grant but belongs to no request"
        is_explained = uid in self._told_deleted or uid in self._trail.open_stories()
        if is_explained or not self._trail.health.is_open:  # told by close_deleted_stories, as the end of that grant
            if not is_explained:
                self._unexplained.append((binding, why, now))
            await self._remove(uid, Remove(binding, Reason.REQUEST_DELETED, "its request was deleted"))
            return None
        await self._remove(uid, Remove(binding, Reason.BINDING_UNANNOUNCED, why))
        return None

    async def close_deleted_stories(self) -> None:
        """Close, as deleted, what the trail holds open and the cluster no longer has: the log is the memory.

        A binding that was removed before the trail was read is an orphan if the trail knows nothing of it. Raise
        `RecordRefused` where a story cannot be read, having told all others.
        """
        refused: RecordRefused | None = None
        for uid, record in self._trail.open_stories().items():
            if self._store.request(uid) is not None:
                continue
            try:
                told = Story.of(record)
            except RecordRefused as error:
                refused = error
                continue
            body = await self._cluster.get_request(told.namespace, told.request)
            if body is not None and body["metadata"]["uid"] == uid:
                continue
            was_granted = record.event in stories.GRANTED
            self._trail.submit(stories.gone(told, at=self._clock.now(), was_granted=was_granted))
            self._told_deleted.add(uid)
            if was_granted:
                self._reporter.notice(about_deleted(told))
        for binding, why, at in self._unexplained:
            if binding.claim not in self._told_deleted:
                self._tell_of_orphan(binding, why, at)
        self._unexplained.clear()
        if refused is not None:
            raise refused

    async def _create(self, uid: str, facts: Facts, create: Create) -> frozenset[Read]:
        try:
            self._store.see_binding(await self._cluster.create_binding(create.manifest))
        except AlreadyExists:
            # Not success: it is read back and compared.
            return frozenset({Read.BINDING})
        except (Forbidden, Invalid) as error:
            memory, now = self._store.memory(uid), self._clock.now()
            memory.refused_since = memory.refused_since or now
            may_pass = isinstance(error, Forbidden) and now < memory.refused_since + RIGHTS_GRACE
            memory.refusal = Refusal(
                Reason.CANNOT_BIND,
                f"the API server refused the binding: {error}",
                again_at=now + RIGHTS_PAUSE if may_pass else None,
            )
        return frozenset()

    async def _refuse_or_patch(self, uid: str, facts: Facts, step: Step, patch: Patch) -> None:
        """Write a status; a count waits for each refusal that is on its way into one."""
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
            self._store.memory(uid).is_gone = True
            return
        self._store.see_request(body)
        if patch.event is not None:
            self._reporter.transition(facts, patch.event)
            if patch.status["phase"] in FINAL:
                self._give_place(facts)
        self._report(step.notices)

    def _give_place(self, facts: Facts) -> None:
        """Let the other requests of a person look whether there is a place for them, now that this one holds none."""
        if facts.request.status.phase is Phase.ACTIVE or facts.announced is not None:
            for key in self._store.beside(facts.request):
                self._wake(key)

    async def _reread(self, uid: str, facts: Facts) -> None:
        """Read a request anew that somebody changed between our reading and our writing."""
        meta = facts.request.metadata
        body = await self._cluster.get_request(meta.namespace, meta.name)
        if body is None or body["metadata"]["uid"] != uid:
            self._store.memory(uid).is_gone = True
        else:
            self._store.see_request(body)

    async def _answer_unreadable(self, uid: str) -> datetime | None:
        """Tell whoever asked that their request cannot be read, and close it and its story (promises P7 and P11)."""
        found = self._store.unreadable(uid)
        if found is None:
            return None
        if "phase" in (found.body.get("status") or {}) and not self._trail.health.is_open:
            return self._clock.now() + UNREADABLE_PAUSE  # only the log knows what there is to close
        story = self._trail.open_stories().get(uid)
        if story is not None:
            self._trail.submit(stories.unreadable(story, at=self._clock.now()))
        namespace, name, version = (found.body["metadata"][key] for key in ("namespace", "name", "resourceVersion"))
        answered = unreadable.answer(found.body, found.problems, now=self._clock.now())
        if answered is not None:
            status, notice = answered
            try:
                await self._cluster.patch_request_status(namespace, name, uid, version, status)
            except (Conflict, NotFound):
                return None  # it was changed or deleted meanwhile; the watch brings it back
            self._reporter.notice(notice)
        await self._close(uid, namespace, name)
        return None

    async def _close_told(self, uid: str, facts: Facts) -> None:
        """Close a request of which all is told, or which is counted from now on (decision 0049)."""
        request, key = facts.request, counted_key(facts.request) if is_counted(facts) else None
        if key is not None:
            self._counting.closing(request)
        await self._close(uid, request.metadata.namespace, request.metadata.name, key)
        if key is not None:
            self._counting.count(request)

    async def _close(self, uid: str, namespace: str, name: str, key: TallyKey | None = None) -> None:
        counted_in = f"{key.hour:%Y-%m-%dT%H}" if key is not None else ""
        with contextlib.suppress(Conflict, NotFound):  # it is gone, or another has its name: nothing is to be closed
            meta = (await self._cluster.label_closed(namespace, name, uid, counted_in))["metadata"]
            self._closed(ClosedRequest(namespace, name, uid, parse_time(meta["creationTimestamp"])))
        self._store.forget(uid)

    # --- report -----------------------------------------------------------------------------------------------------

    def _report(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._reporter.notice(notice)
