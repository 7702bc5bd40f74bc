"""What a lock covers, and the sentence about it. While a lock covers a grant, the grant has to end (promise P3).

A lock is found by what it names, and not by looking at each lock: ten thousand locks cost a decision no more than one.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from curfew.api.access_lock import AccessLock, LockTarget
from curfew.api.access_request import AccessRequest
from curfew.api.characters import person
from curfew.api.meta import shortened
from curfew.api.times import format_time
from curfew.core.bindings import Binding
from curfew.core.facts import LocksState

LONGEST_SENTENCE: Final = 900
"""Most characters of a lock's sentence: it is a part of the messages of conditions, Events and records."""

_NAMED: Final = 128  # characters of a name in the sentence
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class Scope(StrEnum):
    """What kind of thing a lock names. The value is the field of the target, and the label of the metric."""

    PERSON = "person"
    POLICY = "policy"
    NAMESPACE = "namespace"
    EVERYTHING = "everything"


Target = tuple[Scope, str]
"""What a lock names, in the form in which two spellings of a person's name are the same."""


class LocksReason(StrEnum):
    """The words for whether Curfew knows which locks there are: in conditions, metrics and logs."""

    KNOWN = "LocksKnown"
    NOT_YET_LISTED = "LocksNotYetListed"
    NOT_LISTED = "LocksNotListed"
    UNREADABLE = "LockUnreadable"


def target_of(lock: AccessLock) -> Target:
    """Return what a lock names."""
    return normal(lock.spec.target)


def normal(target: LockTarget) -> Target:
    """Return what a target names, the same for all spellings."""
    scope, name = _named(target)
    return scope, person(name) if scope is Scope.PERSON else name


def in_words(target: LockTarget) -> str:
    """Return what is locked, as the beginning of a sentence."""
    scope, name = _named(target)
    match scope:
        case Scope.PERSON:
            return f"access of {shortened(name, _NAMED)}"
        case Scope.POLICY:
            return f"access under AccessPolicy {name}"
        case Scope.NAMESPACE:
            return f"access in namespace {name}"
        case Scope.EVERYTHING:
            return "all access"


def sentence(lock: AccessLock) -> str:
    """Return the sentence about a lock for the people whose access it ends or refuses."""
    spec = lock.spec
    until = f", until {format_time(spec.ends_at)}" if spec.ends_at is not None else ""
    name, by = shortened(lock.metadata.name, _NAMED), shortened(spec.submitted_by, _NAMED)
    told = f"{in_words(spec.target)} is locked (AccessLock {name} of {by}{until}): {spec.reason}"
    return shortened(told, LONGEST_SENTENCE)


def is_over(lock: AccessLock, now: datetime) -> bool:
    """Whether the lock has ended by itself."""
    return lock.spec.ends_at is not None and lock.spec.ends_at <= now


def covers_request(request: AccessRequest) -> Iterator[Target]:
    """Yield everything that a lock may name to cover a request."""
    meta, spec = request.metadata, request.spec
    return _targets((spec.requester, spec.submitted_by), meta.namespace, spec.policy_name)


def covers_binding(binding: Binding) -> Iterator[Target]:
    """Yield everything that a lock may name to cover a binding, from the binding alone."""
    return _targets((name for _, name in binding.subjects), binding.namespace, binding.policy)


@dataclass(slots=True)
class LockBook:
    """All locks, by what they name."""

    _by_target: dict[Target, list[tuple[datetime, str]]] = field(
        default_factory=dict
    )  # end and UID; the last ends last
    _by_uid: dict[str, AccessLock] = field(default_factory=dict)

    def put(self, lock: AccessLock) -> None:
        """Store a lock, in place of an older version of it."""
        self.remove(lock.metadata.uid)
        self._by_uid[lock.metadata.uid] = lock
        insort(self._by_target.setdefault(target_of(lock), []), _place(lock))

    def remove(self, uid: str) -> AccessLock | None:
        """Remove a lock, and return it as it was; None if there is none with this UID."""
        lock = self._by_uid.pop(uid, None)
        if lock is None:
            return None
        target = target_of(lock)
        same = self._by_target[target]
        same.remove(_place(lock))
        if not same:
            del self._by_target[target]
        return lock

    def get(self, uid: str) -> AccessLock | None:
        """Return a lock, or None."""
        return self._by_uid.get(uid)

    def all(self) -> tuple[AccessLock, ...]:
        """Return all locks."""
        return tuple(self._by_uid.values())

    def covering(self, targets: Iterable[Target], now: datetime) -> AccessLock | None:
        """Return the first lock in force that names one of these, or None. Of locks with one target, the last to end."""
        if not self._by_uid:
            return None
        for target in targets:
            same = self._by_target.get(target)
            if same and same[-1][0] > now:
                return self._by_uid[same[-1][1]]
        return None

    def on_people(self, names: Iterable[str], now: datetime) -> dict[str, AccessLock]:
        """Return the locks in force on people with these names, by `person`."""
        if not self._by_uid:
            return {}
        found = {name: self.covering(((Scope.PERSON, name),), now) for name in map(person, names)}
        return {name: lock for name, lock in found.items() if lock is not None}


def known(now: datetime) -> LocksState:
    """Return the state in which Curfew knows which locks there are."""
    return LocksState(True, LocksReason.KNOWN, "Curfew knows which AccessLocks there are.", now)


def not_yet_listed(now: datetime) -> LocksState:
    """Return the state at the start, until the locks are listed."""
    message = "It is not known yet which AccessLocks there are."
    return LocksState(False, LocksReason.NOT_YET_LISTED, message, now)


def not_listed(problem: str, now: datetime) -> LocksState:
    """Return the state in which the locks cannot be listed or watched: what is not known means no (promise P8)."""
    message = (
        f"Curfew cannot find out which AccessLocks there are: {shortened(problem, 300)}. Nothing is granted until it can; "
        "access still ends. Check that the API server answers, and that the ClusterRole curfew may list and watch "
        "accesslocks (helm upgrade curfew restores it)."
    )
    return LocksState(False, LocksReason.NOT_LISTED, message, now)


def unreadable(name: str, problem: str, now: datetime) -> LocksState:
    """Return the state in which there is a lock that cannot be read: it may cover everything."""
    message = (
        f"Curfew cannot read AccessLock {name}: {shortened(problem, 300)}. Nothing is granted while it is there; access "
        "still ends. Delete it and create it again, or upgrade Curfew if a newer version wrote it."
    )
    return LocksState(False, LocksReason.UNREADABLE, message, now)


def _named(target: LockTarget) -> Target:
    """Return what a target names. A target that names several things, or nothing, covers everything (promise P8)."""
    given = [
        (scope, name)
        for scope, name in (
            (Scope.PERSON, target.person),
            (Scope.POLICY, target.policy),
            (Scope.NAMESPACE, target.namespace),
        )
        if name
    ]
    return given[0] if len(given) == 1 and not target.everything else (Scope.EVERYTHING, "")


def _targets(people: Iterable[str], namespace: str, policy: str) -> Iterator[Target]:
    yield Scope.EVERYTHING, ""
    yield Scope.NAMESPACE, namespace
    yield Scope.POLICY, f"{namespace}/{policy}"
    for name in people:
        yield Scope.PERSON, person(name)


def _place(lock: AccessLock) -> tuple[datetime, str]:
    return lock.spec.ends_at or _FOREVER, lock.metadata.uid
