"""The grants that can have allowed calls, folded from the trail."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from curfew.api.access_policy import OnEnd
from curfew.api.access_request import DecisionKind
from curfew.api.names import binding_name
from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record, RecordRefused, Story
from curfew.audit.stories import ENDS, decision_of
from curfew.core.activity.session import KeepDecision, Session
from curfew.core.stories import GRANTED

_INTENDED = GRANTED[0]
_DECIDED = "review.submitted"
_OVER = frozenset({*ENDS, "grant.activation_failed", "request.deleted", "request.closed"})


class Sessions:
    """All grants that are known, each until it is forgotten. Feed it with the trail, record by record, in its order."""

    def __init__(self) -> None:
        """Know no grant yet."""
        self._by_uid: dict[str, Session] = {}
        self._by_binding: dict[tuple[str, str], str] = {}
        self._by_person: dict[tuple[str, str], list[str]] = {}  # by requester and namespace
        self._in_namespace: dict[str, int] = {}

    def learn(self, record: Record) -> None:
        """Learn a record of the trail. A record that cannot be read begins and ends nothing."""
        if record.event == STORIES_OPEN:
            for carried in _carried(record):
                self.learn(carried)
        if record.event == _DECIDED:
            self._keep(record)
        if record.event not in GRANTED and record.event not in _OVER:
            return
        try:
            told = Story.of(record)
        except RecordRefused:
            return
        if record.event in _OVER:
            self._end(told, record.at)
        else:
            self._begin(told, record)

    def get(self, uid: str) -> Session | None:
        """Return the grant to the AccessRequest with this UID."""
        return self._by_uid.get(uid)

    def all(self) -> tuple[Session, ...]:
        """Return all grants that are known, in the order of their announcement."""
        return tuple(self._by_uid.values())

    def by_binding(self, namespace: str, name: str) -> Session | None:
        """Return the grant whose RoleBinding has this name, in this namespace."""
        uid = self._by_binding.get((namespace, name))
        return self._by_uid.get(uid) if uid is not None else None

    def of_person(self, user: str, namespace: str, at: datetime) -> tuple[Session, ...]:
        """Return the grants that a person may have held in a namespace at an instant of an API server's clock."""
        held = (self._by_uid[uid] for uid in self._by_person.get((user, namespace), ()))
        return tuple(session for session in held if session.may_be_open(at))

    def is_in(self, namespace: str) -> bool:
        """Whether any known grant is in a namespace."""
        return namespace in self._in_namespace

    def __len__(self) -> int:
        """Return how many grants are known."""
        return len(self._by_uid)

    def forget(self, before: datetime) -> tuple[str, ...]:
        """Forget the grants that were over before an instant, and return the UIDs of their requests."""
        old = [session for session in self._by_uid.values() if session.is_over and session.until < before]
        for session in old:
            person = session.requester, session.namespace
            del self._by_uid[session.uid], self._by_binding[session.namespace, session.binding]
            self._by_person[person].remove(session.uid)
            if not self._by_person[person]:
                del self._by_person[person]
            self._in_namespace[session.namespace] -= 1
            if not self._in_namespace[session.namespace]:
                del self._in_namespace[session.namespace]
        return tuple(session.uid for session in old)

    def _begin(self, told: Story, record: Record) -> None:
        """Begin a grant with its announcement. If that is not in the part of the trail that was read, with its activation."""
        known = self._by_uid.get(told.uid)
        if known is None:
            if told.requester is None or told.expires_at is None:
                return  # it announces nothing
            known = Session(
                uid=told.uid,
                namespace=told.namespace,
                request=told.request,
                requester=told.requester,
                binding=binding_name(told.uid),
                announced_at=min(record.at, told.starts_at or record.at),
                expires_at=told.expires_at,
                role=told.role,
                policy=told.policy,
                ticket=told.ticket,
            )
            self._by_binding[known.namespace, known.binding] = known.uid
            self._by_person.setdefault((known.requester, known.namespace), []).append(known.uid)
            self._in_namespace[known.namespace] = self._in_namespace.get(known.namespace, 0) + 1
        if record.event == _INTENDED:
            begun = min(known.announced_at, record.at)
            known = replace(known, announced_at=begun, rules=known.rules or _rules(record), on_end=_on_end(record))
        else:
            known = replace(known, granted_at=known.granted_at or told.granted_at or record.at)
        self._by_uid[told.uid] = known

    def _end(self, told: Story, at: datetime) -> None:
        known = self._by_uid.get(told.uid)
        if known is not None and known.ended_at is None:
            self._by_uid[told.uid] = replace(known, ended_at=told.ended_at or at)

    def _keep(self, record: Record) -> None:
        known, made = self._by_uid.get(record.subject), decision_of(record)
        if known is None or made is None or made[1] != DecisionKind.KEEP:
            return
        if known.kept is None or known.kept.at <= record.at:
            kept = KeepDecision(by=made[0], reason=str(record.block["detail"].get("reason", "")), at=record.at)
            self._by_uid[known.uid] = replace(known, kept=kept)


def _on_end(record: Record) -> OnEnd:
    """Return what the announcement of a grant has about its end. What this version does not know is only reported."""
    detail = record.block.get("detail")
    is_cut = isinstance(detail, Mapping) and detail.get("on_end") == OnEnd.DELETE_PODS
    return OnEnd.DELETE_PODS if is_cut else OnEnd.REPORT


def _rules(record: Record) -> tuple[Mapping[str, Any], ...]:
    detail = record.block.get("detail")
    rules = detail.get("rules") if isinstance(detail, Mapping) else None
    return tuple(rule for rule in rules if isinstance(rule, Mapping)) if isinstance(rules, list) else ()


def _carried(record: Record) -> Iterator[Record]:
    """Yield the records that a set of open stories repeats. They have no rules: those are too large to be repeated."""
    detail = record.block.get("detail")
    stories = detail.get("stories") if isinstance(detail, Mapping) else None
    for story in stories if isinstance(stories, list) else ():
        bodies = story.get("records") if isinstance(story, Mapping) else None
        for body in bodies if isinstance(bodies, list) else ():
            try:
                carried = Record.parse(body)
            except RecordRefused:
                continue
            if carried.event != STORIES_OPEN:
                yield carried
