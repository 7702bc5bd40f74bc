"""Gathers what is known about one request: the only place that reads data for a decision."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from curfew.api.access_lock import AccessLock
from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.api.names import binding_name
from curfew.core.announcing import read_intent
from curfew.core.bindings import Binding, read_binding
from curfew.core.facts import ClockState, EnforcementState, Facts, Intent, LastRead, NameClaim, Read
from curfew.core.keys import PolicyKey
from curfew.core.role_changes import changing_since
from curfew.core.seals import Outbox
from curfew.core.terms import Role, RoleSeen
from curfew.core.unrecorded import sealed_announcement
from curfew.ports import Clock, Cluster, StoreError
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.known import Store
from curfew.processes.operator.outboxes import open_outbox
from curfew.processes.operator.ports import Names, TrailPort
from curfew.processes.operator.rights import RightsReader
from curfew.processes.operator.roles import RoleReader
from curfew.processes.operator.standby import Leading


class Gatherer:
    """Freezes what is known about a request into the facts that a decision looks at."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        trail: TrailPort,
        clock: Clock,
        *,
        roles: RoleReader,
        rights: RightsReader,
        names: Names,
        counting: Counting,
        enforcement: Callable[[], EnforcementState],
        clock_state: Callable[[], ClockState],
        max_grant: timedelta,
        leading: Leading,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._roles = roles
        self._rights = rights
        self._names = names
        self._counting = counting
        self._enforcement = enforcement
        self._clock_state = clock_state
        self._max_grant = max_grant
        self._leading = leading

    async def gather(self, uid: str, reads: frozenset[Read]) -> Facts | None:
        """Freeze what is known about a request. From the API server, read only what the decision asked for."""
        request = self._store.request(uid)
        if request is None:
            return None
        namespace = request.metadata.namespace
        policy = self._store.policies.get(PolicyKey.named_by(request))
        if Read.BINDING in reads:
            await self._read_binding(uid, namespace)
        if policy is not None:
            await self._read(request, policy, reads - self._fresh(request, policy, self._clock.now()))
        claim = await self._claim_name(request) if Read.NAME in reads else None
        # The reads above may have taken a while. So the rest is read only now, all at one instant.
        request = self._store.request(uid)
        return self.facts(request, reads, claim) if request is not None else None

    async def _read(self, request: AccessRequest, policy: AccessPolicy, reads: frozenset[Read]) -> None:
        """Read the role, and what RBAC says, at the same time. What was read shortly before is kept."""
        what = reads & {Read.ROLE, Read.RIGHTS}
        if not what:
            return
        uid, begun = request.metadata.uid, self._clock.now()
        role, rights = await asyncio.gather(
            self._roles.read(policy) if Read.ROLE in what else _nothing(),
            self._rights.read(request, policy) if Read.RIGHTS in what else _nothing(),
        )
        before = self._store.memories.of(uid).last_read
        seen = role.seen if role is not None else None
        if before is not None and before.is_fresh(begun) and not before.what <= what:
            begun = before.at
            if Read.ROLE in what:
                rights = before.rights
            else:
                role, seen = before.role, before.seen
            what |= before.what
        self._store.memories.was_read(uid, LastRead(begun, what, role, seen, rights))

    def _fresh(self, request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> frozenset[Read]:
        """Return what was read for a request so shortly before that it may be believed, and was not seen changed since."""
        read = self._store.memories.of(request.metadata.uid).last_read
        if read is None or policy is None or not read.is_fresh(now):
            return frozenset()
        known = self._store.roles.offered_by(policy)
        return read.what if known is None or _agree(read.seen, known) else read.what - {Read.ROLE}

    async def _claim_name(self, request: AccessRequest) -> NameClaim:
        meta = request.metadata
        try:
            holder = await self._names.claim(meta.namespace, request.spec.policy_name, meta.name, meta.uid)
        except StoreError as error:
            return NameClaim(problem=str(error))
        return NameClaim(holder=holder)

    def facts(
        self,
        request: AccessRequest,
        reads: frozenset[Read] = frozenset(),
        name: NameClaim | None = None,
    ) -> Facts:
        """Freeze what is known about a request at this instant, together with what was read for it."""
        uid = request.metadata.uid
        memory, now = self._store.memories.of(uid), self._clock.now()
        binding, policy = self._store.binding(uid), self._store.policies.get(PolicyKey.named_by(request))
        fresh, read = self._fresh(request, policy, now), memory.last_read
        role: Role | None = None
        if read is not None and Read.ROLE in fresh:
            role = read.role
        elif policy is not None:
            role = self._store.roles.whole(policy)
        rights = read.rights if read is not None and Read.RIGHTS in fresh else None
        seen = self._store.roles.of(request)
        role_changing_since = changing_since(request, seen, memory.role_changing_since, now)
        if role_changing_since != memory.role_changing_since:
            self._store.memories.role_changing(uid, role_changing_since)
        outbox = open_outbox(request, self._store.memories, self._trail.seals, self._trail.is_told)
        is_new = request.status.phase is None
        return Facts(
            now=now,
            request=request,
            trail=self._trail.health,
            enforcement=self._enforcement(),
            clock=self._clock_state(),
            locks=self._store.locks.state,
            lock=self._lock(request, binding, now),
            locked=self._store.locks.over_deciders(request, now),
            leads=self._leading.leads,
            is_gone=memory.is_gone,
            policy=policy,
            role=role,
            fresh=fresh,
            role_seen=seen,
            role_changing_since=role_changing_since,
            rights=rights,
            name=name,
            binding=binding or memory.stranger,
            lost=memory.lost,
            removal=memory.removal,
            handed_over=memory.handed_over,
            told_end=memory.told_end,
            recorded_end=self._trail.recorded_end(uid),
            story_closed=self.is_story_closed(request),
            intent=self._intent(uid, outbox),
            outbox=outbox,
            refusal=memory.refusal,
            rivals=self._store.rivals(request, lambda other: self._trail.intent(other) is not None),
            withdrawn=self._counting.withdrawn(request, now) if is_new else 0,
            counting=self._counting.key_for(request, now) if is_new else None,
            max_grant=self._max_grant,
            was_read=reads,
        )

    def _lock(self, request: AccessRequest, binding: Binding | None, now: datetime) -> AccessLock | None:
        """Return a lock that covers the request or its binding, or None."""
        found = self._store.locks.over_request(request, now)
        return found if found is not None or binding is None else self._store.locks.over_binding(binding, now)

    async def _read_binding(self, uid: str, namespace: str) -> None:
        """Read the binding of a request back from the API server, because the watch may lag."""
        from_watch = self._store.binding(uid)
        body = await self._cluster.get_binding(namespace, binding_name(uid))
        found = read_binding(body) if body is not None else None
        self._store.memories.saw_stranger(uid, found if found is not None and not found.request_uid else None)
        if body is not None:
            self._store.see_binding(body)
        if from_watch is not None and (found is None or found.uid != from_watch.uid):
            self._store.lose_binding(from_watch)

    def is_story_closed(self, request: AccessRequest) -> bool:
        """Whether the log shows the story of a request as closed."""
        created = request.metadata.creation_timestamp
        return created is not None and self._trail.is_over(request.metadata.uid, created)

    def _intent(self, uid: str, outbox: Outbox | None) -> Intent | None:
        record = self._trail.intent(uid)
        if record is None:
            sealed = sealed_announcement(outbox)
            return read_intent(sealed, is_sealed=True) if sealed is not None else None
        return read_intent(record, receipt=self._trail.receipt(record.id), is_own=self._trail.is_own(record.id))


async def _nothing() -> None:
    """Read nothing."""


def _agree(read: RoleSeen | None, known: RoleSeen) -> bool:
    """Whether a role is known as it was read: with these rules, or as one that is gone or too large."""
    return read == known if read is not None else not known.rules_digest
