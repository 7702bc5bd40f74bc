"""What is known about the cluster right now, by the UID of the request that each object is about.

Handlers and our own calls put in what they saw, and the newest version wins. Decisions read it. Nothing here waits or
decides.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from curfew.api import names
from curfew.api.access_request import AccessRequest, Phase
from curfew.api.characters import person
from curfew.core.bindings import Binding, read_binding
from curfew.core.counting import TallyKey, counted_key
from curfew.core.facts import Holder, Rivals
from curfew.core.keys import Key, PolicyKey, RequestKey
from curfew.core.lifecycle import FINAL
from curfew.processes.operator.known_locks import KnownLocks
from curfew.processes.operator.known_policies import KnownPolicies
from curfew.processes.operator.known_roles import KnownRoles
from curfew.processes.operator.memory import Memories, RequestMemory
from curfew.processes.operator.unreadable import Unreadable
from curfew.processes.operator.versions import Known, Versions


class Store:
    """All open requests, all policies, all locks and all our bindings."""

    def __init__(self) -> None:
        self._requests: dict[str, AccessRequest] = {}
        self._unreadable: dict[str, Unreadable] = {}  # requests that cannot be read and wait for that answer
        self._bindings: dict[str, Binding] = {}
        self._versions = Versions()
        self.roles = KnownRoles(self._versions)
        self.policies = KnownPolicies(self._versions, self.roles)
        self.locks = KnownLocks(self._versions)
        self.memories = Memories()
        self._by_policy: defaultdict[PolicyKey, set[str]] = defaultdict(set)
        self._claims: defaultdict[tuple[PolicyKey, str], set[str]] = defaultdict(set)  # what counts towards a limit
        self._by_count: defaultdict[TallyKey, set[str]] = defaultdict(set)  # refused, counted, and not yet closed
        self.is_synced = False  # whether everything was listed once

    # --- what was seen ----------------------------------------------------------------------------------------------

    def see_request(self, body: Mapping[str, Any]) -> RequestKey | None:
        """Store an AccessRequest and return its key, or None if a newer version is known.

        Raise `Unreadable` for a request that does not match the schema.
        """
        if not self._versions.is_news("request", body):
            return None
        uid = str(body["metadata"]["uid"])
        try:
            request = AccessRequest.model_validate(body)
        except ValidationError as error:
            self._versions.forget("request", uid)  # the next caller gets the same error again
            self._unreadable[uid] = Unreadable("AccessRequest", body, error)
            raise self._unreadable[uid] from None
        self._unreadable.pop(uid, None)
        self._requests[uid] = request
        for index, key in self._keys(request):
            index[key].add(uid)
        self.roles.pin(request)
        self._claim(request)
        return RequestKey(uid)

    def _keys(self, request: AccessRequest) -> Iterator[tuple[defaultdict[Any, set[str]], Hashable]]:
        """Yield each index with the request's key in it. The spec never changes, and neither do pinned terms."""
        yield self._by_policy, PolicyKey.named_by(request)
        if (count := counted_key(request)) is not None:
            yield self._by_count, count

    def _claim(self, request: AccessRequest) -> None:
        """Count an accepted request towards its person's limits until it is over."""
        uid, phase, key = request.metadata.uid, request.status.phase, _claim_key(request)
        if phase in FINAL:
            _discard(self._claims, key, uid)
        elif phase is not None or self.memories.of(uid).is_accepted:
            self._claims[key].add(uid)

    def accepting(self, request: AccessRequest) -> None:
        """Note that a request's acceptance is being written: from now on the request counts towards the limits."""
        self.memories.accepting(request.metadata.uid)
        self._claim(request)

    def see_request_deleted(self, body: Mapping[str, Any]) -> RequestKey | None:
        """Note that an AccessRequest is gone and return its key, or None if that was already known."""
        uid = str(body["metadata"]["uid"])
        self._unreadable.pop(uid, None)
        is_news = uid in self._requests and not self._versions.is_buried(uid)
        self._versions.bury(uid)
        if not is_news:
            self.forget_orphan(uid)
            return None
        self.memories.saw_gone(uid)
        return RequestKey(uid)

    def see_binding(self, body: Mapping[str, Any]) -> RequestKey | None:
        """Store a RoleBinding with our label and return its key, or None if it is old or not ours."""
        if not self._versions.is_news("binding", body):
            return None
        binding = read_binding(body)
        if not binding.request_uid:
            return None
        key = self._binding_key(binding)
        self._bindings[key] = binding
        return RequestKey(key)

    def _binding_key(self, binding: Binding) -> str:
        """Return the UID of the binding's request, or the binding's own UID if another namespace has that request's binding."""
        known = self._bindings.get(binding.claim)
        is_apart = binding.uid in self._bindings or (known is not None and known.namespace != binding.namespace)
        return binding.uid if is_apart else binding.claim

    def see_binding_deleted(self, body: Mapping[str, Any]) -> RequestKey | None:
        """Note that a RoleBinding with our label is gone and return its key."""
        return self.lose_binding(read_binding(body))

    def lose_binding(self, binding: Binding) -> RequestKey | None:
        """Note that exactly this binding is gone and return its key, or None if that was already known."""
        self._versions.bury(binding.uid)
        key = self._binding_key(binding)
        known = self._bindings.get(key)
        if known is None or known.uid != binding.uid:
            return None
        del self._bindings[key]
        self.memories.lost(key, known)
        return RequestKey(key)

    # --- what is known ----------------------------------------------------------------------------------------------

    def request(self, uid: str) -> AccessRequest | None:
        """Return a request as last seen. A deleted request stays until it is forgotten."""
        return self._requests.get(uid)

    def unreadable(self, uid: str) -> Unreadable | None:
        """Return what is wrong with a request as it is now, or None for a request that can be read."""
        return self._unreadable.get(uid)

    def is_locked(self, key: RequestKey, now: datetime) -> bool:
        """Whether a lock covers the request with this key, or its binding, or who has decided about a request that waits."""
        request, binding = self._requests.get(key.uid), self._bindings.get(key.uid)
        if binding is not None and self.locks.over_binding(binding, now) is not None:
            return True
        if request is None:
            return False
        waits = request.status.phase in (Phase.PENDING, Phase.APPROVED)
        return self.locks.over_request(request, now) is not None or (
            waits and bool(self.locks.over_deciders(request, now))
        )

    def end_of(self, key: Key) -> datetime | None:
        """Return when the binding with a key has to end, or None if there is no binding or its end cannot be read."""
        binding = self._bindings.get(key.uid) if isinstance(key, RequestKey) else None
        return binding.expires_at if binding is not None else None

    def binding(self, uid: str) -> Binding | None:
        """Return the binding of the request with this UID, or the binding that has this UID and no request; or None."""
        return self._bindings.get(uid)

    def forget(self, uid: str) -> None:
        """Forget a request whose story is over."""
        request = self._requests.pop(uid, None)
        self._unreadable.pop(uid, None)
        if request is not None:
            _discard(self._claims, _claim_key(request), uid)
            self.roles.unpin(request)
            for index, key in self._keys(request):
                _discard(index, key, uid)
        self.memories.forget(uid)
        self._versions.forget("request", uid)

    def forget_orphan(self, uid: str) -> None:
        """Forget what is remembered about a request if neither the request nor its binding exists.

        Before everything was listed, this cannot be known.
        """
        is_there = uid in self._requests or uid in self._unreadable or uid in self._bindings
        if self.is_synced and not is_there:
            self.memories.forget(uid)

    def forget_orphans(self) -> None:
        """Forget what is remembered about all requests that do not exist and have no binding."""
        for uid in self.memories.uids():
            self.forget_orphan(uid)

    def requests(self) -> Iterable[AccessRequest]:
        """Return all requests that are known."""
        return tuple(self._requests.values())

    def bindings(self) -> Mapping[RequestKey, Binding]:
        """Return all our bindings that are known, by their keys."""
        return {RequestKey(uid): binding for uid, binding in self._bindings.items()}

    def under_policy(self, key: PolicyKey) -> frozenset[RequestKey]:
        """Return the open requests that name a policy."""
        return frozenset(map(RequestKey, self._by_policy.get(key, ())))

    def rivals(self, request: AccessRequest, is_announced: Callable[[str], bool] = lambda _: False) -> Rivals:
        """Return what other requests the same person has under the same policy. Changes still being written count as done.

        `is_announced` returns whether the log announces a grant, by the UID of its request: a leader before us may have.
        """
        holders, pending = [], 0
        for other, memory in self._other_claims(request):
            if other.status.phase is Phase.ACTIVE:
                holders.append(Holder(other.metadata.name, other.status.expires_at))
            elif memory.handed_over is not None or is_announced(other.metadata.uid):
                holders.append(Holder(other.metadata.name, None))
            else:
                pending += 1
        return Rivals(holders=tuple(sorted(holders, key=lambda holder: holder.request)), pending=pending)

    def counted_keys(self) -> Iterable[TallyKey]:
        """Return the counts that contain requests that are not closed yet."""
        return tuple(self._by_count)

    def counted(self, key: TallyKey) -> Iterable[AccessRequest]:
        """Return the requests in a count that are not closed yet."""
        return tuple(self._requests[uid] for uid in self._by_count.get(key, ()))

    def beside(self, request: AccessRequest) -> frozenset[RequestKey]:
        """Return the other requests of the same person under the same policy that are waiting or granted."""
        return frozenset(RequestKey.of(other) for other, _ in self._other_claims(request))

    def _other_claims(self, request: AccessRequest) -> Iterator[tuple[AccessRequest, RequestMemory]]:
        """Yield the person's other requests that are accepted and not over: never more than the policy's limits allow."""
        for uid in self._claims.get(_claim_key(request), ()):
            memory = self.memories.of(uid)
            if uid != request.metadata.uid and not memory.is_gone:
                yield self._requests[uid], memory

    # --- which is newer ---------------------------------------------------------------------------------------------

    def known(self) -> Known:
        """Return what is known about all objects, as of now."""
        return self._versions.known()

    def leave(self) -> None:
        """Forget what only the leader knows, because another process leads from now on."""
        self.memories.leave()
        self.policies.leave()
        self.locks.leave()
        for request in self._requests.values():
            if request.status.phase is None:  # its acceptance was being written
                _discard(self._claims, _claim_key(request), request.metadata.uid)

    def start_over(self) -> None:
        """Treat what is seen next as the newest, as after a start: the API server's state went back."""
        self._versions.start_over()
        self.memories.forget_all()


def _claim_key(request: AccessRequest) -> tuple[PolicyKey, str]:
    """Return the key that limits are counted by: the policy and the person."""
    return PolicyKey.named_by(request), person(request.spec.requester)


def _discard(index: defaultdict[Any, set[str]], key: Hashable, uid: str) -> None:
    """Remove a UID from an index, and remove the key after its last UID."""
    if key in index:
        index[key].discard(uid)
        if not index[key]:
            del index[key]


def is_closed(body: Mapping[str, Any]) -> bool:
    """Whether an AccessRequest carries the label that takes it out of the watch."""
    return names.LABEL_CLOSED in ((body.get("metadata") or {}).get("labels") or {})
