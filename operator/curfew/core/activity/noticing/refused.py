"""Refused decisions: the first of its kind is written at once, and those like it are counted for a minute."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from curfew.api.names import GROUP, SELF_TEST_REQUEST
from curfew.audit.record import Record
from curfew.core.activity.call import Call
from curfew.core.activity.noticing.once import Once
from curfew.core.activity.noticing.reasons import refused_by
from curfew.core.activity.noticing.records import RefusedBecause, decision_refused
from curfew.core.activity.noticing.requests import KnownRequests

EVENT: Final = "decision.refused"

COUNT_FOR: Final = timedelta(minutes=1)
"""How long calls are counted before their record is written."""

MOST_COUNTED: Final = 1_000
"""How many kinds are counted at a time. The oldest is written before its time if there are more."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes two refused decisions alike."""

    person: str
    user: str  # whom they acted as
    request: str  # namespace/name
    policy: str
    why: RefusedBecause
    minute: str


@dataclass(slots=True)
class _Counted:
    first: Call
    since: datetime  # by our clock
    count: int = 0


class RefusedDecisions:
    """Makes the records."""

    def __init__(self, namespace: str, requests: KnownRequests) -> None:
        """Know of none yet. `namespace` is Curfew's own, where its self-test forges decisions."""
        self._namespace = namespace
        self._requests = requests
        self._begun: Once[_Kind] = Once()
        self._calls: Once[str] = Once()  # those that were counted, by their identity: a sender may repeat them
        self._counted: OrderedDict[_Kind, _Counted] = OrderedDict()

    def take(self, call: Call, now: datetime) -> Iterator[Record]:
        """Yield the record of a refused decision, if a call is one and not like another one of its minute."""
        if (call.group, call.resource, call.subresource) != (GROUP, "accessrequests", "status") or not call.refusals:
            return
        refused = refused_by(call)
        if refused is None or self._is_self_test(call):
            return
        policy, why = refused
        kind = _Kind(
            call.caller.name, call.user, f"{call.namespace}/{call.name}", policy, why, _minute(call.received_at)
        )
        if self._begun.is_first(kind, call.identity):
            yield self._record(kind, call)
            return
        if call.identity in self._calls:
            return
        self._calls.remember(call.identity)
        counted = self._counted.setdefault(kind, _Counted(call, now))
        counted.count += 1
        if len(self._counted) > MOST_COUNTED:
            yield self._counting(*self._counted.popitem(last=False))

    def due(self, now: datetime) -> Iterator[Record]:
        """Yield the records of what was counted long enough."""
        while self._counted:
            kind, counted = next(iter(self._counted.items()))
            if now - counted.since < COUNT_FOR:
                return
            del self._counted[kind]
            yield self._counting(kind, counted)

    def finish(self) -> Iterator[Record]:
        """Yield the records of all that is being counted."""
        while self._counted:
            yield self._counting(*self._counted.popitem(last=False))

    def learn(self, record: Record) -> None:
        """Learn a record of the log of activity: what was written before a start is only counted after it."""
        detail = record.block.get("detail")
        if record.event != EVENT or not isinstance(detail, Mapping):
            return
        try:
            why = RefusedBecause(str(detail.get("why")))
        except ValueError:
            return
        person = str(record.block.get("actor", ""))
        request = f"{detail.get('namespace', '')}/{detail.get('request', '')}"
        user, policy = str(detail.get("user", person)), str(detail.get("policy", ""))
        self._begun.remember(_Kind(person, user, request, policy, why, _minute(record.at)))

    def _is_self_test(self, call: Call) -> bool:
        is_own = call.caller.name.startswith(f"system:serviceaccount:{self._namespace}:")
        place = call.namespace, call.name
        return is_own and place == (self._namespace, SELF_TEST_REQUEST) and call.dry_run is True

    def _record(self, kind: _Kind, call: Call, count: int = 1) -> Record:
        story = self._requests.of(call.namespace, call.name)
        return decision_refused(call, story, decision=call.decision_kind, policy=kind.policy, why=kind.why, count=count)

    def _counting(self, kind: _Kind, counted: _Counted) -> Record:
        return self._record(kind, counted.first, counted.count)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"
