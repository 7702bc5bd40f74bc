"""Lists everything and compares: at the start and at intervals, because a watch reports no deletions across a gap."""

from collections.abc import Callable

from curfew.core.keys import Key, PolicyKey, RequestKey
from curfew.ports import Cluster
from curfew.processes.operator.known import Store
from curfew.processes.operator.unreadable import Unreadable


class Lister:
    """Lists all our objects, stores them, finds what was deleted unseen, and gives every object its turn."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        enqueue: Callable[[Key], None],
        complain: Callable[[Unreadable], None],
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._enqueue = enqueue
        self._complain = complain
        self._is_from_scratch = False  # stays True until a listing has succeeded

    async def relist(self, *, from_scratch: bool = False) -> bool:
        """Bring the store up to date with the API server, and return whether the API server's state went back.

        It went back if a list shows an older version than was known before the list was begun, or shows an object that was
        known to be gone: etcd was restored. Then everything is listed again and taken as it is. Set `from_scratch` if this is
        known beforehand. Raise a `ClusterError` if the API server does not answer.
        """
        self._is_from_scratch |= from_scratch
        if self._is_from_scratch:
            self._store.start_over()
        known = self._store.known()
        requests_before = {request.metadata.uid for request in self._store.requests()}
        bindings_before = tuple(self._store.bindings().values())
        policies_before = tuple(self._store.policies.all())
        # Bindings first: a binding past its end is removed at once, whatever happens to the other lists (promise P3).
        bindings = await self._cluster.list_bindings()
        for body in bindings:
            key = self._store.see_binding(body)
            if key is not None:
                self._enqueue(key)
        policies = await self._cluster.list_policies()
        for body in policies:
            try:
                self._store.policies.see(body)
            except Unreadable as error:
                self._complain(error)
        requests = await self._cluster.list_requests()
        for body in requests:
            try:
                self._store.see_request(body)
            except Unreadable as error:
                self._complain(error)
                self._enqueue(RequestKey(body["metadata"]["uid"]))  # it gets its answer
        for kind, bodies in (("binding", bindings), ("policy", policies), ("request", requests)):
            if any(known.contradicts(kind, body) for body in bodies):
                return await self.relist(from_scratch=True)
        self._store.is_synced = True
        there = {body["metadata"]["uid"] for body in (*bindings, *policies, *requests)}
        for binding in bindings_before:
            if binding.uid not in there:
                found = await self._cluster.get_binding(binding.namespace, binding.name)
                if found is None or found["metadata"]["uid"] != binding.uid:
                    self._store.lose_binding(binding)
        for policy in policies_before:
            if policy.metadata.uid not in there and (gone := self._store.policies.lose(policy)) is not None:
                self._enqueue(gone)
        for uid in requests_before - there:
            await self._look_for(uid)
        self._store.forget_orphans()
        self._give_everything_its_turn()
        went_back, self._is_from_scratch = self._is_from_scratch, False
        return went_back

    async def _look_for(self, uid: str) -> None:
        """Ask for a request that was not listed: it may be gone, or finished, or newer than the list."""
        request = self._store.request(uid)
        if request is None:
            return
        body = await self._cluster.get_request(request.metadata.namespace, request.metadata.name)
        if body is None or body["metadata"]["uid"] != uid:
            self._store.memories.saw_gone(uid)

    def _give_everything_its_turn(self) -> None:
        for policy in self._store.policies.all():
            self._enqueue(PolicyKey.of(policy))
        requests = {RequestKey.of(request) for request in self._store.requests()}
        for key in requests | self._store.bindings().keys():
            self._enqueue(key)
