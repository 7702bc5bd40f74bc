"""What calls show besides the use of grants, as records. Feed it with the trail, the log of activity, and each call."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from curfew.api.names import GROUP
from curfew.audit.pseudonyms import is_person
from curfew.audit.record import Record
from curfew.core.activity.attribution import EARLIEST, Attributed, Found
from curfew.core.activity.call import Call
from curfew.core.activity.effect import OWN
from curfew.core.activity.noticing import places, records
from curfew.core.activity.noticing.allowance import Allowance
from curfew.core.activity.noticing.governed import Governed
from curfew.core.activity.noticing.guards import guard_in
from curfew.core.activity.noticing.once import Once
from curfew.core.activity.noticing.outside import Outside
from curfew.core.activity.noticing.records import SeenBy
from curfew.core.activity.noticing.refused import RefusedDecisions
from curfew.core.activity.noticing.requests import KnownRequests
from curfew.core.activity.reason import parse
from curfew.core.activity.sessions import Sessions

_Key = tuple[str, ...]


class Noticing:
    """Makes the records of what is noticed, each once as far as it remembers."""

    def __init__(self, log: str, namespace: str, sessions: Sessions, allowed: Sequence[Allowance] = ()) -> None:
        """Know nothing yet. `log` is the id of the log of activity, `namespace` Curfew's own."""
        self._log = log
        self._namespace = namespace
        self._requests = KnownRequests()
        self._refused = RefusedDecisions(namespace, self._requests)
        self._seen: Once[_Key] = Once()  # people
        self._used: Once[_Key] = Once()
        self._changed: Once[_Key] = Once()
        self.governed = Governed()
        self.outside = Outside(self.governed, sessions, allowed)

    def learn_trail(self, record: Record) -> None:
        """Learn a record of the operator's log, in its order."""
        self.governed.learn(record)
        self._requests.learn(record)

    def learn(self, record: Record) -> None:
        """Learn a record of the log of activity, in its order: what it holds is not written again."""
        self._refused.learn(record)
        self.outside.learn(record)
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping):
            return
        person = str(record.block.get("actor", ""))
        if record.event == "person.seen":
            self._seen.remember(
                _place(person, str(detail.get("network", "")), str(detail.get("credential", "")), record.at)
            )
        elif record.event == "role.used_outside":
            kind, namespace, name = (str(detail.get(field, "")) for field in ("kind", "namespace", "name"))
            self._used.remember(_use(person, str(detail.get("user", person)), kind, namespace, name, record.at))

    def notice(self, call: Call, found: Sequence[Found], now: datetime) -> Iterator[Record]:
        """Yield the records of what a call shows. `found` is what it leads to as the use of a grant."""
        if call.received_at < EARLIEST:
            return
        yield from self._refused.take(call, now)
        yield from self._guard(call)
        yield from self._use(call)
        yield from self._person(call, found)

    def due(self, now: datetime) -> Iterator[Record]:
        """Yield the records for which it is time."""
        yield from self._refused.due(now)

    def finish(self) -> Iterator[Record]:
        """Yield the records of all that is being counted."""
        yield from self._refused.finish()

    def _guard(self, call: Call) -> Iterator[Record]:
        guard = guard_in(call, self._namespace)
        if guard is None:
            return
        part, is_ours = guard
        what = call.verb, call.resource, call.subresource, call.namespace, call.name
        if self._changed.is_first(
            (call.caller.name, call.user, *what, f"{call.received_at:%Y-%m-%dT%H:%M}"), call.identity
        ):
            yield records.guard_changed(call, part, is_ours=is_ours)

    def _use(self, call: Call) -> Iterator[Record]:
        if call.decision != "allow" or call.reason is None or not self.governed.may_be_in(call.reason):
            return
        named = parse(call.reason)
        if named is None or not self.outside.concerns(named):
            return
        binding = named.binding_kind, named.namespace, named.binding
        if self._used.is_first(_use(call.caller.name, call.user, *binding, call.received_at), call.identity):
            yield records.used_outside(call, named)

    def _person(self, call: Call, found: Sequence[Found]) -> Iterator[Record]:
        person = call.caller.name
        if not is_person(person):
            return
        is_use = any(isinstance(one, Attributed) and one.how in OWN for one in found)
        if not is_use and (call.group, call.resource) != (GROUP, "accessrequests"):
            return
        network, credential = places.network_of(call), places.credential_of(call)
        is_known = bool(network or credential)
        if is_known and self._seen.is_first(_place(person, network, credential, call.received_at), call.identity):
            by = SeenBy.GRANT if is_use else SeenBy.REQUEST
            yield records.person_seen(call, self._log, network=network, credential=credential, by=by)


def _place(person: str, network: str, credential: str, at: datetime) -> _Key:
    return person, network, credential, f"{at:%Y-%m-%d}"


def _use(person: str, user: str, kind: str, namespace: str, name: str, at: datetime) -> _Key:
    return person, user, kind, namespace, name, f"{at:%Y-%m-%dT%H}"
