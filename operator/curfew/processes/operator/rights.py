"""Asks RBAC who may ask for a policy, and whether Curfew may bind a role."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.core.checks import JUST_ASKED
from curfew.core.facts import Rights
from curfew.core.keys import PolicyKey
from curfew.ports import Clock, Cluster

YES_FOR: Final = timedelta(minutes=10)
"""How long a yes to Curfew's own right is believed. The API server itself decides about each binding."""

MOST_ANSWERS: Final = 4096
"""How many people's answers are remembered."""

_Place = tuple[str, str, str]  # kind, namespace and name of a role
_Asker = tuple[str, str, str]  # a person, and the namespace and name of a policy


class RightsReader:
    """Asks the API server. A yes is remembered for a while: to Curfew's own right for long, to a person's for seconds.

    A no is never remembered: whoever was just given a right has it, and a right that was given by name is known to be.
    """

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._yes: dict[_Place, datetime] = {}
        self._may_ask: OrderedDict[_Asker, datetime] = OrderedDict()  # when each was asked; the oldest first

    async def read(self, request: AccessRequest, policy: AccessPolicy) -> Rights:
        """Ask what the requester may do by name, and what Curfew itself may do. Raise a `ClusterError`."""
        may_ask = await self._ask(request)
        may_bind = self._is_recent(self._yes.get(_place(policy)), YES_FOR) or await self._ask_to_bind(policy)
        return Rights(requester_may_ask=may_ask, curfew_may_bind=may_bind)

    async def _ask(self, request: AccessRequest) -> bool:
        """Ask whether the requester may ask, unless the answer to the same question was yes a moment ago (decision 0098).

        Nobody speaks for somebody who may not ask (promise P4), so for requests on behalf the question is always asked.
        """
        spec, namespace = request.spec, request.metadata.namespace
        asker, now = (spec.requester, namespace, spec.policy_name), self._clock.now()
        if spec.submitted_by == spec.requester and self._is_recent(self._may_ask.get(asker), JUST_ASKED):
            return True
        self._may_ask.pop(asker, None)
        if not await self._cluster.may_request(*asker):
            return False
        self._may_ask[asker] = now
        self._may_ask.move_to_end(asker)
        if len(self._may_ask) > MOST_ANSWERS:
            self._may_ask.popitem(last=False)
        return True

    def _is_recent(self, since: datetime | None, longest: timedelta) -> bool:
        return since is not None and timedelta(0) <= self._clock.now() - since <= longest

    async def may_bind(self, policy: AccessPolicy) -> bool:
        """Return whether Curfew may bind the role that a policy offers. A yes from a moment ago is not asked for again."""
        return self._is_recent(self._yes.get(_place(policy)), JUST_ASKED) or await self._ask_to_bind(policy)

    async def _ask_to_bind(self, policy: AccessPolicy) -> bool:
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
        self._may_ask.clear()


def _place(policy: AccessPolicy) -> _Place:
    ref = policy.spec.role_ref
    return str(ref.kind), PolicyKey.of(policy).namespace, ref.name
