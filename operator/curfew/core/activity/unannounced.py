"""Calls that were allowed by a binding that is named like a grant's, of a grant that the trail does not hold.

A broken glass can be granted before its record is durable, so the record may come after the first call. If it does not
come, somebody else made a binding with such a name.
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from curfew.core.activity.call import Call
from curfew.core.activity.reason import RbacReason
from curfew.core.activity.sessions import Sessions

PATIENCE: Final = timedelta(minutes=10)
"""How long after a call its grant may still be announced."""

MOST_BINDINGS: Final = 50
MOST_CALLS: Final = 500
"""How many bindings are remembered, and how many calls of each. The oldest bindings are forgotten first."""


class Unannounced:
    """Calls by the RoleBinding that allowed them."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._calls: OrderedDict[tuple[str, str], tuple[RbacReason, dict[str, Call]]] = OrderedDict()
        self.lost = 0
        """How many calls there was no room for. If their grants become known, those calls are missing."""

    def keep(self, named: RbacReason, call: Call) -> None:
        """Remember a call."""
        _, calls = self._calls.setdefault((named.namespace, named.binding), (named, {}))
        key = f"{call.identity}{call.stage}"
        if key in calls or len(calls) < MOST_CALLS:
            calls[key] = call
        else:
            self.lost += 1
        if len(self._calls) > MOST_BINDINGS:
            self.lost += len(self._calls.popitem(last=False)[1][1])

    def settled(self, sessions: Sessions, now: datetime) -> Iterator[tuple[RbacReason, tuple[Call, ...]]]:
        """Yield, and forget, the calls whose grant is known now, and those for which it was waited long enough."""
        for key, (named, calls) in tuple(self._calls.items()):
            is_known = sessions.by_binding(*key) is not None
            if is_known or all(call.received_at + PATIENCE < now for call in calls.values()):
                del self._calls[key]
                yield named, tuple(calls.values())
