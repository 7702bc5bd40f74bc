"""What a session left behind: objects that it made or changed, that can act or give access on, and nobody was seen to delete.

Which kinds those are follows from the table of risks: what lets somebody make access that outlives a grant. At the level
Metadata, an event does not show a dry run that is asked for in the body of a deletion; it counts as a deletion.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from curfew.audit.record import Record
from curfew.core.activity.effect import OWN, Effect
from curfew.core.activity.recorded import RecordedCall
from curfew.core.activity.wording import listed, singular, some
from curfew.core.risk import permanent, words_of

MOST_OBJECTS: Final = 500
"""How many objects of one session are followed. Those beyond are counted, and stay counted."""

_ALL: Final = ""  # in the place of a name: each object of that kind
_GENERATED: Final = "/"  # begins the name of an object whose name is not known; no name holds a slash
CONTAINERS: Final = "pods/ephemeralcontainers"
"""The resource of ephemeral containers. They go with their pod, so they have its name."""

_MOST_KINDS: Final = 3  # that are named in a sentence


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """An object by its place in the cluster; without a name, each of its kind in a namespace."""

    group: str
    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """An object that the session made or changed, when it last did, and whether its name is known."""

    key: ObjectKey
    at: datetime
    is_named: bool = True


class Remains:
    """The objects of one session. The order in which calls are learnt makes no difference."""

    def __init__(self) -> None:
        """Know no object yet."""
        self._made: dict[ObjectKey, datetime] = {}  # the last time
        self._gone: OrderedDict[ObjectKey, datetime] = OrderedDict()  # the last time
        self._is_pruned = True  # whether nothing was deleted since those that are gone were forgotten
        self.more = 0  # objects that were made when too many were followed
        self._more_at: datetime | None = None  # the last time

    def learn(self, record: Record) -> None:
        """Learn a record of the session: a call, or the deletion of what was left behind."""
        seen = RecordedCall.of(record)
        if seen is not None:
            self.learn_call(seen)
        elif record.event == "session.remains_gone":
            self._learn_gone(record)

    def learn_call(self, seen: RecordedCall) -> None:
        """Learn a call of the session. A deletion counts whatever allowed it."""
        if seen.effect is not Effect.CHANGED or not seen.has_ended:
            return
        made = made_by(seen) if seen.how in OWN else None
        if made is not None:
            self._make(made, seen.at)
        gone = deleted(seen.verb, seen.group, seen.resource, seen.subresource, seen.namespace, seen.name)
        if gone is not None and not seen.is_selected and not seen.may_remain and _can_matter(gone):
            self._delete(gone, seen.at)

    def is_closed_by(self, gone: ObjectKey, at: datetime) -> bool:
        """Whether a deletion at an instant is the one, or the first, that deletes something of the session's.

        The answer stays the same when the deletion was learnt.
        """
        return any(
            made_at < at and not self._was_gone(key, made_at, before=at)
            for key in self._covered(gone)
            if (made_at := self._made.get(key)) is not None
        )

    @property
    def left(self) -> tuple[LeftBehind, ...]:
        """What was made or changed and not seen to be deleted since, the oldest first; those in `more` are not in it."""
        left = (
            LeftBehind(key, at, is_named=not key.name.startswith(_GENERATED))
            for key, at in self._made.items()
            if not self._was_gone(key, at)
        )
        return tuple(sorted(left, key=lambda one: (one.at, one.key.resource, one.key.name)))

    def made_at(self, key: ObjectKey) -> datetime | None:
        """Return when an object was last made; None if that is not known."""
        return self._made.get(key)

    def gone_at(self, key: ObjectKey) -> datetime | None:
        """Return when an object was last deleted; None if it was not seen to be."""
        return max(self._deletions(key), default=None)

    def __len__(self) -> int:
        """Return how many objects were left behind."""
        return len(self.left) + self.more

    def since(self, kept_at: datetime | None) -> int:
        """Return how many objects were left behind and not made, or last changed, before somebody decided to keep them."""
        if kept_at is None:
            return len(self)
        more = self.more if self._more_at is not None and self._more_at > kept_at else 0
        return sum(one.at > kept_at for one in self.left) + more

    def words(self) -> str:
        """Return what was left behind as people read it: `one pod and 2 rolebindings`; empty if nothing was."""
        kinds = Counter(one.key.resource for one in self.left)
        if self.more:
            return f"up to {some(len(self), 'object')}"
        if len(kinds) > _MOST_KINDS:
            return some(kinds.total(), "object")
        words = {CONTAINERS: "ephemeral container"}
        named = [
            some(number, words.get(kind, singular(kind)), "ephemeral containers" if kind in words else kind)
            for kind, number in sorted(kinds.items())
        ]
        return listed(named)

    def _make(self, key: ObjectKey, at: datetime) -> None:
        if key not in self._made and len(self._made) >= MOST_OBJECTS:
            self._prune()
        if key in self._made or len(self._made) < MOST_OBJECTS:
            self._made[key] = max(at, self._made.get(key, at))
        else:
            self.more += 1
            self._more_at = max(at, self._more_at or at)

    def _prune(self) -> None:
        """Forget the objects that are gone."""
        if self._is_pruned:
            return
        self._is_pruned = True
        for key, at in tuple(self._made.items()):
            if self._was_gone(key, at):
                del self._made[key]

    def _delete(self, key: ObjectKey, at: datetime) -> None:
        self._gone[key] = max(at, self._gone.get(key, at))
        self._is_pruned = False
        if len(self._gone) > MOST_OBJECTS:
            self._prune()
            # A deletion of what is not followed is only kept for the case that its creation comes later.
            self._gone.popitem(last=False)

    def _learn_gone(self, record: Record) -> None:
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping):
            return
        verb, group, resource, namespace, name = (
            _text(detail, part) for part in ("verb", "group", "resource", "namespace", "name")
        )
        gone = deleted(verb, group, resource, "", namespace, name)
        try:
            at = datetime.fromisoformat(_text(detail, "received_at"))
        except ValueError:
            return
        if gone is not None and at.tzinfo is not None:
            self._delete(gone, at)

    def _covered(self, gone: ObjectKey) -> Iterator[ObjectKey]:
        """Yield the objects that a deletion may be about."""
        if (gone.group, gone.resource) == ("", "namespaces"):
            yield from (key for key in self._made if key.namespace == gone.name)
        elif gone.name != _ALL:
            yield gone
            yield replace(gone, resource=CONTAINERS)
        else:
            kind = gone.group, gone.resource, gone.namespace
            yield from (key for key in self._made if kind == (key.group, _base(key), key.namespace))

    def _was_gone(self, key: ObjectKey, made_at: datetime, *, before: datetime | None = None) -> bool:
        return any(made_at < at and (before is None or at < before) for at in self._deletions(key))

    def _deletions(self, key: ObjectKey) -> Iterator[datetime]:
        for gone in (
            ObjectKey(key.group, _base(key), key.namespace, key.name),
            ObjectKey(key.group, _base(key), key.namespace, _ALL),
            ObjectKey("", "namespaces", key.namespace, key.namespace),
        ):
            if (at := self._gone.get(gone)) is not None:
                yield at


def made_by(seen: RecordedCall) -> ObjectKey | None:
    """Return what a successful call made, or changed so that it gives access; None for all that does neither."""
    if (seen.group, seen.resource, seen.subresource) == ("", "pods", "ephemeralcontainers"):
        return ObjectKey("", CONTAINERS, seen.namespace, seen.name) if seen.verb in ("update", "patch") else None
    if seen.subresource or seen.verb not in ("create", "update", "patch"):
        return None
    made = seen.verb == "create" or seen.code == 201  # server-side apply makes what is missing
    words = words_of(seen.group, seen.resource, "create" if made else seen.verb)
    if not (permanent(words) if made else "WritesRBAC" in words):
        return None
    # An event at the level Metadata does not hold a generated name.
    return ObjectKey(seen.group, seen.resource, seen.namespace, seen.name or f"{_GENERATED}{seen.call}")


def deleted(verb: str, group: str, resource: str, subresource: str, namespace: str, name: str) -> ObjectKey | None:
    """Return what a successful call deleted: an object, each of its kind in a namespace, or a namespace."""
    if subresource or not resource:
        return None
    if verb == "deletecollection":
        return ObjectKey(group, resource, namespace, name or _ALL)
    if verb != "delete" or not name:
        return None
    if (group, resource) == ("", "namespaces"):
        namespace = name
    return ObjectKey(group, resource, namespace, name)


def _can_matter(gone: ObjectKey) -> bool:
    """Whether objects of that kind are left behind at all, or what is deleted can hold some that are."""
    is_namespace = (gone.group, gone.resource) == ("", "namespaces")
    return is_namespace or bool(permanent(words_of(gone.group, gone.resource, "create")))


def _base(key: ObjectKey) -> str:
    """Return the resource that is deleted when this goes: ephemeral containers go with their pod."""
    return key.resource.partition("/")[0]


def _text(detail: Mapping[str, Any], name: str) -> str:
    value = detail.get(name, "")
    return value if isinstance(value, str) else ""
