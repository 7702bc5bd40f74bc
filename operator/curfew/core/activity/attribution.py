"""Which session a call belongs to: the one whose binding the API server names, and a few weaker ties.

The rules, the strongest first, are the values of `How`. What is remembered follows from the records of the activity log:
`attribute` learns from the records that it returns, and `learn` from those of an earlier run.
"""

import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from curfew.api.names import GROUP, binding_name, granted_by
from curfew.audit.record import Record
from curfew.core.activity import call_records, classify, records, rules
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.derived import Derived
from curfew.core.activity.effect import OWN, Effect, How
from curfew.core.activity.reason import RbacReason, parse
from curfew.core.activity.recent import RecentCalls
from curfew.core.activity.recorded import RecordedCall
from curfew.core.activity.remains import ObjectKey, deleted, made_by
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.unannounced import Unannounced

STILL_SEEN: Final = timedelta(seconds=60)
"""How long after its recorded end a binding may still be named: API servers that lag behind see it so long at most."""

SEEN_EARLY: Final = timedelta(minutes=5)
"""How far the clock of an API server may be behind: a grant's name is known to nobody before it is announced."""

SEEN_LATE: Final = timedelta(seconds=1)
"""How late API servers may see that a binding is gone before its use counts as use after the end."""

MOST_AUDIT_IDS: Final = 20_000
"""How many Audit-IDs are remembered, over all sessions. Two calls under one ID both count, also when it was forgotten."""

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No record can hold an earlier time, and no grant was ever held then."""

_PREFIX: Final = binding_name("")
_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Attributed:
    """A call that belongs to a session, and its record."""

    session: Session
    call: Call
    how: How
    effect: Effect
    record: Record


@dataclass(frozen=True, slots=True)
class CallAlert:
    """Something that people should look at. Without a session, it is about a binding that no grant is known for."""

    session: Session | None
    record: Record


@dataclass(frozen=True, slots=True)
class Gone:
    """Something that a session had left behind was deleted, not by the session."""

    session: Session
    record: Record


Found = Attributed | CallAlert | Gone
"""What a call leads to. Each has a record, and a session or None."""


class Attribution:
    """Finds the sessions of calls."""

    def __init__(self, sessions: Sessions) -> None:
        """Know these sessions, also those that they learn of later."""
        self._sessions = sessions
        self._derived = Derived()
        self._recent = RecentCalls()
        self._unannounced = Unannounced()
        self._audit_ids: OrderedDict[int, str] = OrderedDict()  # by session and Audit-ID: the first call

    def attribute(self, call: Call) -> tuple[Found, ...]:
        """Return what a call leads to; nothing if it belongs to nobody.

        The same call gives the same records each time. Calls that arrived before what makes them somebody's come with it.
        """
        if call.received_at < EARLIEST:
            return ()
        found: dict[str, Found] = {}
        waiting, done = deque([call]), set[tuple[str, CallStage]]()
        while waiting:
            for one in self._attribute(waiting.popleft()):
                found[one.record.id] = one
                if isinstance(one, Attributed):
                    done.add((one.call.identity, one.call.stage))
                    for earlier in self._waiting_for(one):
                        if (earlier.identity, earlier.stage) not in done:
                            done.add((earlier.identity, earlier.stage))
                            waiting.append(earlier)
        return tuple(found.values())

    def caught_up(self, now: datetime) -> tuple[Found, ...]:
        """Return what calls lead to that were allowed by bindings whose grants became known since, or never did."""
        found: list[Found] = []
        for named, calls in self._unannounced.settled(self._sessions, now):
            if self._sessions.by_binding(named.namespace, named.binding) is None:
                found += [CallAlert(None, records.binding_name_reused(None, call, named)) for call in calls[:1]]
            else:
                found += [one for call in calls for one in self.attribute(call)]
        return tuple(found)

    @property
    def lost(self) -> int:
        """How many calls were let go that a grant which becomes known later may have allowed."""
        return self._unannounced.lost

    def learn(self, record: Record) -> None:
        """Learn a record of the activity log, in the log's order."""
        self._derived.learn(record)
        seen = RecordedCall.of(record)
        if seen is not None:
            self._first_call(record.subject, seen.audit_id, seen.call)

    def forget(self, before: datetime) -> tuple[str, ...]:
        """Forget the sessions that were over before an instant, and what they gave birth to; return their UIDs."""
        gone = self._sessions.forget(before)
        for uid in gone:
            self._derived.forget(uid)
        return gone

    # --- one call ---------------------------------------------------------------------------------------------------

    def _attribute(self, call: Call) -> Iterator[Found]:
        effect = classify.effect(call)
        if call.stage is CallStage.RESPONSE_STARTED and effect in (Effect.DENIED, Effect.FAILED):
            return  # nothing has begun, and the event of the end follows
        named = _named(call)
        ties: dict[str, tuple[Session, How]] = {}
        for session, how in self._ties(call, effect, named):
            ties.setdefault(session.uid, (session, how))
        if named is not None and granted_by(named.binding) and not any(how is How.BINDING for _, how in ties.values()):
            yield from self._misnamed(call, named)
        for session, how in ties.values():
            yield from self._of_session(session, call, how, effect)
        yield from self._gone(call, effect, frozenset(ties))
        self._remember(call, effect)

    def _ties(self, call: Call, effect: Effect, named: RbacReason | None) -> Iterator[tuple[Session, How]]:
        """Yield the sessions that a call is tied to and how, the strongest tie first."""
        if named is not None:
            session = self._sessions.by_binding(named.namespace, named.binding)
            if session is not None and _fits(session, call, named):
                yield session, How.BINDING
        if call.impersonated is not None:
            yield from self._of_impersonation(call)
        for uid, how in self._derived.of(call):
            if (session := self._sessions.get(uid)) is not None:
                yield session, how
        for session in self._sessions.of_person(call.user, call.namespace, call.received_at) if call.namespace else ():
            was_allowed = call.decision == "allow" or effect is not Effect.DENIED
            if was_allowed and not _is_explained(call):
                if rules.would_allow(session, call):
                    yield session, How.UNEXPLAINED
            elif session.was_open(call.received_at) and not _is_about_a_request(call):  # a weak tie needs a sure window
                if not was_allowed:
                    yield session, How.PERSON
                elif rules.would_allow(session, call):
                    yield session, How.STANDING

    def _of_impersonation(self, call: Call) -> Iterator[tuple[Session, How]]:
        """Yield the sessions whose grant lets its person act as a service account; no binding is named for that."""
        namespace = rules.namespace_of(call.user)
        for session in self._sessions.of_person(call.caller.name, namespace, call.received_at) if namespace else ():
            if rules.may_act_as(session, call.user):
                yield session, How.IMPERSONATION if session.rules else How.UNEXPLAINED

    def _of_session(self, session: Session, call: Call, how: How, effect: Effect) -> Iterator[Found]:
        after_end = how in OWN and call.received_at > session.until + SEEN_LATE
        record = call_records.called(session, call, how, effect, after_end=after_end)
        first = self._first_call(session.uid, call.audit_id, call.identity)
        self._derived.learn(record)
        yield Attributed(session, call, how, effect, record)
        if after_end and effect is not Effect.DENIED:
            yield CallAlert(session, records.used_after_end(session, call, how))
        if call.audit_id and first != call.identity:
            yield CallAlert(session, records.audit_id_reused(session, call, other=first))

    def _misnamed(self, call: Call, named: RbacReason) -> Iterator[CallAlert]:
        """Yield the alert about a binding with the name of a grant's. One that no grant is known for is waited for."""
        session = self._sessions.get(granted_by(named.binding) or "")
        if session is not None:
            yield CallAlert(session, records.binding_name_reused(session, call, named))
        elif _UID.fullmatch(named.binding.removeprefix(_PREFIX)):  # Curfew's own bindings are called curfew-… too
            self._unannounced.keep(named, call)

    def _gone(self, call: Call, effect: Effect, own: frozenset[str]) -> Iterator[Gone]:
        gone = _deleted(call, effect)
        if gone is None:
            return
        for uid in self._derived.closed_by(gone, call):
            session = self._sessions.get(uid)
            if session is not None and uid not in own:
                record = records.remains_gone(session, call)
                self._derived.learn(record)
                yield Gone(session, record)

    # --- what is remembered -----------------------------------------------------------------------------------------

    def _first_call(self, uid: str, audit_id: str, identity: str) -> str:
        """Return the first call of a session with this Audit-ID, as far as is remembered."""
        first = self._audit_ids.setdefault(hash((uid, audit_id)), identity)
        if len(self._audit_ids) > MOST_AUDIT_IDS:
            self._audit_ids.popitem(last=False)
        return first

    def _remember(self, call: Call, effect: Effect) -> None:
        """Remember a call that may turn out to be about something that a session made."""
        if (gone := _deleted(call, effect)) is not None and self._sessions.is_in(gone.namespace):
            self._recent.keep(gone, call)
        namespace = rules.namespace_of(call.caller.name)
        if not namespace or not self._sessions.is_in(namespace):
            return
        if call.caller.credential is not None:
            self._recent.keep(call.caller.credential, call)
        if call.caller.pod is not None:
            self._recent.keep(("pod", namespace, call.caller.pod[0]), call)

    def _waiting_for(self, found: Attributed) -> Iterator[Call]:
        """Yield the remembered calls that are about what a call made."""
        if found.how not in OWN or found.effect is not Effect.CHANGED:
            return
        if found.call.issued_credential is not None:
            yield from self._recent.of(found.call.issued_credential)
        seen = RecordedCall.of(found.record)
        made = made_by(seen) if seen is not None else None
        if made is None:
            return
        if (made.group, made.resource) == ("", "pods"):
            yield from self._recent.of(("pod", made.namespace, made.name))
        resource = made.resource.partition("/")[0]
        for gone in (
            ObjectKey(made.group, resource, made.namespace, made.name),
            ObjectKey(made.group, resource, made.namespace, ""),
            ObjectKey("", "namespaces", made.namespace, made.namespace),
        ):
            yield from self._recent.of(gone)


def _named(call: Call) -> RbacReason | None:
    """Return the RoleBinding that allowed a call, if the API server names one that is named like a grant's."""
    if call.decision != "allow" or call.reason is None or _PREFIX not in call.reason:
        return None
    named = parse(call.reason)
    return named if named is not None and named.binding_kind == "RoleBinding" else None


def _fits(session: Session, call: Call, named: RbacReason) -> bool:
    """Whether a binding of the right name and namespace is the session's: also role, person and time have to fit."""
    role = session.role
    begins, ends = session.announced_at - SEEN_EARLY, session.ended_at
    return (
        (named.subject_kind, named.subject) == ("User", session.requester)
        and call.user == session.requester
        and (role is None or (named.role_kind, named.role) == (role.kind, role.name))
        and begins <= call.received_at
        # As long as no end is recorded, the binding may be there, however late that is.
        and (ends is None or call.received_at <= ends + STILL_SEEN)
    )


def _is_explained(call: Call) -> bool:
    """Whether the event shows that something else allowed a call. A reason of RBAC's that cannot be read may be ours."""
    reason = call.reason or ""
    return bool(reason) and (parse(reason) is not None or not reason.startswith("RBAC:"))


def _deleted(call: Call, effect: Effect) -> ObjectKey | None:
    if effect is not Effect.CHANGED or call_records.is_selected(call) or call_records.may_remain(call):
        return None
    return deleted(call.verb, call.group, call.resource, call.subresource, call.namespace, call.name)


def _is_about_a_request(call: Call) -> bool:
    """Whether a call asks for access, or looks at a request: that is no use of access, and the trail tells of it.

    Access can begin within milliseconds of the call that asks for it.
    """
    return (call.group, call.resource) == (GROUP, "accessrequests")
