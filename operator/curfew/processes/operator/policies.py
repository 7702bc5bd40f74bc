"""Policies: each is judged, and each of its versions and its end are recorded in the log."""

from datetime import datetime

from curfew.core import policies, policy_records
from curfew.core.keys import PolicyKey
from curfew.ports import Clock, Cluster, Conflict, NotFound
from curfew.processes.operator.known_policies import KnownPolicies
from curfew.processes.operator.ports import Reporter, TrailPort
from curfew.processes.operator.rights import RightsReader
from curfew.processes.operator.roles import RoleReader


class PolicyReconciler:
    """Records what the log does not have yet about policies. Writes into their status whether people can ask for them."""

    def __init__(
        self,
        known: KnownPolicies,
        cluster: Cluster,
        trail: TrailPort,
        clock: Clock,
        reporter: Reporter,
        roles: RoleReader,
        rights: RightsReader,
    ) -> None:
        self._known = known
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter
        self._roles = roles
        self._rights = rights

    async def reconcile(self, key: PolicyKey) -> datetime | None:
        """Record each version of a policy once, and judge the policy. Return when to look again, or None."""
        self._tell_of_deleted(key)
        policy = self._known.get(key)
        if policy is None:
            return None
        last = self._trail.open_policies().get(policy.metadata.uid)
        is_read = self._trail.health.is_open  # otherwise only the log knows what was recorded about the policy
        version = policy_records.changed(policy, last, at=self._clock.now()) if is_read else None
        is_behind = is_read and version is None and not policy_records.is_recorded(policy)
        is_durable = version is not None and self._trail.receipt(version.id) is not None
        if version is not None and not is_durable:
            self._trail.submit((version,))
        meta = policy.metadata
        role = await self._roles.known(policy)
        may_bind = await self._rights.may_bind(policy)
        judgement = policies.judge(policy, role, may_bind=may_bind, now=self._clock.now())
        status = {**(judgement.status or {}), **(policy_records.recorded(policy) if is_durable or is_behind else {})}
        if status:
            try:
                patched = await self._cluster.patch_policy_status(
                    key.namespace, key.name, meta.uid, meta.resource_version, status
                )
            except (Conflict, NotFound):
                return None  # it was changed or deleted in the meantime; the watch brings it back
            self._known.see(patched)
        for notice in judgement.notices:
            self._reporter.notice(notice)
        return judgement.wake_at

    def _tell_of_deleted(self, key: PolicyKey) -> None:
        """Record the ends of the policies that had this key, until the records are durable."""
        for policy in self._known.gone(key):
            last = self._trail.open_policies().get(policy.metadata.uid)
            records = policy_records.deleted(policy, last, at=self._clock.now())
            if self._trail.receipt(records[-1].id) is not None:
                self._known.forget(policy.metadata.uid)
            else:
                self._trail.submit(records)

    def tell_deleted(self) -> None:
        """Record the ends of the policies that the trail remembers and the cluster no longer has."""
        for uid, last in self._trail.open_policies().items():
            if not self._known.knows(uid):
                self._trail.submit(policy_records.deleted_unseen(last, at=self._clock.now()))
