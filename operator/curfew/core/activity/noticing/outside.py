"""Bindings that give a governed role and are no grants: which there are, and when each comes and goes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from curfew.api.names import granted_by
from curfew.audit.record import Record
from curfew.core.activity import classify
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.effect import Effect
from curfew.core.activity.noticing import records
from curfew.core.activity.noticing.allowance import Allowance, not_allowed
from curfew.core.activity.noticing.binding import (
    KINDS,
    MOST_SHOWN,
    BindingKey,
    OutsideBinding,
    SeenBinding,
)
from curfew.core.activity.noticing.governed import Governed
from curfew.core.activity.noticing.records import FoundBy, GoneBecause
from curfew.core.activity.reason import RbacReason
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.unannounced import PATIENCE

FOUND: Final = "binding.found_outside"
GONE: Final = "binding.gone_outside"

MOST_OUTSIDE: Final = 5_000
"""How many bindings outside are known at a time. What is more is counted and not recorded."""

AHEAD: Final = timedelta(minutes=5)
"""How far the clock of the API server may be ahead of ours."""

_GRANT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KINDS: Final = {resource: kind for kind, resource in KINDS.items()}


class Outside:
    """The bindings that are outside now, as far as the log holds them or its records are on their way."""

    def __init__(self, governed: Governed, sessions: Sessions, allowed: Sequence[Allowance]) -> None:
        """Know none yet. `governed` and `sessions` are folded from the trail."""
        self._governed = governed
        self._sessions = sessions
        self._allowed = tuple(allowed)
        self._known: dict[BindingKey, OutsideBinding] = {}
        self.left_out = 0
        """How many bindings there was no room for, since the start."""

    def learn(self, record: Record) -> None:
        """Learn a record of the log of activity, in its order."""
        detail = record.block.get("detail")
        if record.event not in (FOUND, GONE) or not isinstance(detail, Mapping):
            return
        binding = OutsideBinding.read_back(detail)
        if binding is None:
            return
        if record.event == FOUND:
            self._known[binding.key] = binding
        elif (known := self._known.get(binding.key)) is not None and known.uid == binding.uid:
            del self._known[binding.key]

    @property
    def known(self) -> tuple[OutsideBinding, ...]:
        """The bindings that are outside."""
        return tuple(self._known.values())

    # --- what is looked at ------------------------------------------------------------------------------------------

    def is_worth_a_look(self, key: BindingKey) -> bool:
        """Whether a binding that was written has to be read: those of grants are looked after by Curfew itself."""
        session = self._sessions.by_binding(key.namespace, key.name)
        return key in self._known or session is None or session.is_over

    def saw(self, seen: SeenBinding, call: Call | None, how: FoundBy, now: datetime) -> Iterator[Record]:
        """Yield what follows from a binding as it is now. `call` is the last one that wrote it, if that is known."""
        if self._is_undecided(seen, now):
            return
        before, found = self._known.get(seen.key), self._judged(seen)
        if before == found:
            return
        at = call.received_at if call is not None else now
        if before is not None:
            del self._known[seen.key]
            yield records.gone_outside(before, call, self._why_gone(before, seen), at=at)
        if found is not None and len(self._known) >= MOST_OUTSIDE:
            self.left_out += 1
        elif found is not None:
            self._known[seen.key] = found
            yield records.found_outside(found, call, how, at=at)

    def missed(self, key: BindingKey, call: Call | None, now: datetime) -> Iterator[Record]:
        """Yield what follows from a binding that is not there. `call` is the one that deleted it, if that is known."""
        before = self._known.pop(key, None)
        if before is not None:
            at = call.received_at if call is not None else now
            yield records.gone_outside(before, call, GoneBecause.DELETED, at=at)

    def not_listed(self, bindings: Iterable[OutsideBinding], now: datetime) -> Iterator[Record]:
        """Yield what follows from bindings that were known when a list began, and are not in it."""
        for binding in bindings:
            if self._known.get(binding.key) == binding:  # else it was written meanwhile
                yield from self.missed(binding.key, None, now)

    def concerns(self, named: RbacReason) -> bool:
        """Whether a reason of RBAC's names a binding outside."""
        role = f"{named.role_kind}/{named.role}"
        if not self._governed.includes(named.binding_kind, named.namespace, named.role_kind, named.role):
            return False
        if _GRANT.fullmatch(granted_by(named.binding) or ""):
            return False  # a grant's, or the alert about its name tells of it
        subject = f"{named.subject_kind} {named.subject}"
        place = {"kind": named.binding_kind, "namespace": named.namespace, "name": named.binding, "role": role}
        return bool(not_allowed([subject], self._allowed, **place))

    # --- judging ----------------------------------------------------------------------------------------------------

    def _is_undecided(self, seen: SeenBinding, now: datetime) -> bool:
        """Whether it may be a grant whose announcement is still to come: a broken glass can be granted before its record."""
        if seen.key.kind != "RoleBinding" or not _GRANT.fullmatch(granted_by(seen.key.name) or ""):
            return False
        if self._sessions.by_binding(seen.key.namespace, seen.key.name) is not None or seen.made_at is None:
            return False
        return seen.made_at <= now + AHEAD and now < seen.made_at + PATIENCE

    def _judged(self, seen: SeenBinding) -> OutsideBinding | None:
        key, role = seen.key, f"{seen.role_kind}/{seen.role}"
        if not self._governed.includes(key.kind, key.namespace, seen.role_kind, seen.role):
            return None
        session = self._sessions.by_binding(key.namespace, key.name) if key.kind == "RoleBinding" else None
        if session is not None and _is_the_grant(session, seen):
            return None
        place = {"kind": key.kind, "namespace": key.namespace, "name": key.name, "role": role}
        subjects = not_allowed(seen.subjects, self._allowed, **place)
        if not subjects and not seen.more_subjects:
            return None
        return OutsideBinding(
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            uid=seen.uid,
            role=role,
            subjects=subjects[:MOST_SHOWN],
            more_subjects=len(subjects[MOST_SHOWN:]) + seen.more_subjects,
            made_at=seen.made_at,
        )

    def _why_gone(self, before: OutsideBinding, seen: SeenBinding) -> GoneBecause:
        if before.uid != seen.uid:
            return GoneBecause.DELETED  # this one is another of its name
        if not self._governed.includes(seen.key.kind, seen.key.namespace, seen.role_kind, seen.role):
            return GoneBecause.NOT_GOVERNED
        is_same = set(before.subjects) <= set(seen.subjects)  # a role cannot be exchanged
        return GoneBecause.ALLOWED if is_same and self._judged(seen) is None else GoneBecause.CHANGED


def written_binding(call: Call) -> BindingKey | None:
    """Return the binding that a call has written or deleted; None for any other call.

    The name is empty if the call was about many bindings, or if the API server has made the name up.
    """
    kind = _KINDS.get(call.resource)
    if kind is None or call.group != "rbac.authorization.k8s.io" or call.subresource or call.verb in classify.READS:
        return None
    if call.stage is not CallStage.RESPONSE_COMPLETE or classify.effect(call) not in (Effect.CHANGED, Effect.UNSURE):
        return None
    return BindingKey(kind, call.namespace if kind == "RoleBinding" else "", call.name)


def _is_the_grant(session: Session, seen: SeenBinding) -> bool:
    role = session.role
    if session.ended_at is not None and seen.made_at is not None and seen.made_at > session.ended_at:
        return False  # made again, after the grant had ended
    return seen.subjects == (f"User {session.requester}",) and (
        role is None or (role.kind, role.name) == (seen.role_kind, seen.role)
    )
