"""Asks RBAC who may ask for a policy, and whether Curfew may bind a role."""

from datetime import datetime, timedelta
from typing import Final

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.core.facts import Rights
from curfew.core.keys import PolicyKey
from curfew.ports import Clock, Cluster

YES_FOR: Final = timedelta(minutes=10)
"""How long a yes to Curfew's own right is believed. The API server itself decides about each binding."""

_Place = tuple[str, str, str]  # kind, namespace and name of a role


class RightsReader:
    """Asks the API server. A yes to Curfew's own right, which is the same for each request, is remembered for a while."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._yes: dict[_Place, datetime] = {}

    async def read(self, request: AccessRequest, policy: AccessPolicy) -> Rights:
        """Ask what the requester may do by name, and what Curfew itself may do. Raise a `ClusterError`."""
        spec, namespace = request.spec, request.metadata.namespace
        may_ask = await self._cluster.may_request(spec.requester, namespace, spec.policy_name)
        place = _place(policy)
        since = self._yes.get(place)
        is_known = since is not None and timedelta(0) <= self._clock.now() - since <= YES_FOR
        may_bind = is_known or await self.ask_to_bind(policy)
        return Rights(requester_may_ask=may_ask, curfew_may_bind=may_bind)

    async def ask_to_bind(self, policy: AccessPolicy) -> bool:
        """Ask whether Curfew may bind the role that a policy offers. Raise a `ClusterError`."""
        place, now = _place(policy), self._clock.now()
        if await self._cluster.may_bind(*place):
            self._yes[place] = now
            return True
        self._yes.pop(place, None)
        return False

    def was_refused(self) -> None:
        """Note that the API server refused a binding: what was believed may no longer be true."""
        self._yes.clear()


def _place(policy: AccessPolicy) -> _Place:
    ref = policy.spec.role_ref
    return str(ref.kind), PolicyKey.of(policy).namespace, ref.name
