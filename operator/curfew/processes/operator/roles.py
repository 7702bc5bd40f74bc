"""Watches roles by their metadata only. A role is read in full only if a request has pinned it or a policy offers it.

So the Roles of people who do not use Curfew cost nothing, however large they are. A change of a role that matters still ends
its grants at once (promise P5).
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog

from curfew.api.access_policy import AccessPolicy
from curfew.core.keys import Key, PolicyKey
from curfew.core.terms import Role, read_role
from curfew.ports import Cluster, ClusterError, Conflict, ObjectSeen, RoleSource, TooLarge
from curfew.processes.operator.known_roles import KnownRoles, RoleKey
from curfew.processes.operator.sharing import SharedReads

log = structlog.get_logger("curfew")

KINDS: Final = ("ClusterRole", "Role")

_FIRST_DELAY: Final = 0.1
_LAST_DELAY: Final = 2.0  # seconds


class RoleWatch:
    """Keeps the known state of the roles that matter up to date."""

    def __init__(self, source: RoleSource, roles: KnownRoles, enqueue: Callable[[Key], None]) -> None:
        self._source = source
        self._roles = roles
        self._enqueue = enqueue
        self._reading = asyncio.Lock()  # one at a time: each may have the largest size that is read

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as watches:
            for kind in KINDS:
                watches.create_task(self._follow(kind))

    async def _follow(self, kind: str) -> None:
        """List and watch; begin again after each failure, with a pause so that it does not spin."""
        delay = _FIRST_DELAY
        while True:
            try:
                version = await self._list(kind)
                delay = _FIRST_DELAY
                while True:
                    async for seen in self._source.watch_roles(kind, version):
                        await self._see(kind, seen)
                        version = seen.version or version
            except ClusterError as error:
                if not isinstance(error, Conflict):  # a version that is not kept any more need not be reported
                    log.warning("cannot watch roles", kind=kind, problem=str(error), again_in=delay)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  jitter is no secret
            delay = min(_LAST_DELAY, delay * 2)

    async def _list(self, kind: str) -> str:
        """List all roles of a kind, look at those that matter, and find those that were deleted unseen."""
        listed, version = await self._source.list_roles(kind)
        there = {(kind, seen.namespace, seen.name) for seen in listed}
        for key, uid in self._roles.there().items():
            if key[0] == kind and key not in there:
                self._lose(key, uid)
        for seen in listed:
            await self._see(kind, seen)
        return version

    async def _see(self, kind: str, seen: ObjectSeen) -> None:
        """Read a role that changed, if it matters to anybody."""
        key = (kind, seen.namespace, seen.name)
        if not seen.uid:
            return
        if seen.type == "DELETED":
            self._lose(key, seen.uid)
            return
        self._roles.note_change(key, seen.version)
        if self._roles.matters(key):
            async with self._reading:
                await self._read(key, seen.uid)

    async def _read(self, key: RoleKey, uid: str) -> None:
        try:
            body = await self._source.get_role(*key)
        except TooLarge:  # nobody can know whether it is still as approved (promise P8)
            waiting = self._roles.see_unreadable(key, uid)
        else:
            waiting = self._roles.see(body) if body is not None else frozenset()  # the watch reports its end
        for key_ in waiting:
            self._enqueue(key_)

    def _lose(self, key: RoleKey, uid: str) -> None:
        kind, namespace, name = key
        gone = {"kind": kind, "metadata": {"namespace": namespace, "name": name, "uid": uid}}
        for waiting in self._roles.see_deleted(gone):
            self._enqueue(waiting)


class RoleReader:
    """Reads the role that a policy offers, directly and not through the watch."""

    def __init__(self, cluster: Cluster, roles: KnownRoles, wake: Callable[[Key], None]) -> None:
        """`wake` gives a turn to each request and policy that a new version of the role matters to."""
        self._cluster = cluster
        self._roles = roles
        self._wake = wake
        self._shared: SharedReads[tuple[str, str, str], Role | None] = SharedReads()

    async def known(self, policy: AccessPolicy) -> Role | None:
        """Return the role as the watch shows it, or read it if the watch does not show it whole. Not for a grant."""
        return self._roles.whole(policy) or await self.read(policy)

    async def read(self, policy: AccessPolicy) -> Role | None:
        """Return the role that a policy offers; None if it does not exist or cannot be read (promise P8).

        What the watch reports late is known after this. Many grants that begin together share a read that begins after all
        of them have asked.
        """
        ref = policy.spec.role_ref
        return await self._shared.get((policy.metadata.uid, str(ref.kind), ref.name), lambda: self._read(policy))

    async def _read(self, policy: AccessPolicy) -> Role | None:
        ref, place, seen = policy.spec.role_ref, PolicyKey.of(policy), self._roles.offered_by(policy)
        uid = seen.uid if seen is not None else ""
        role: Role | None = None
        try:
            body = await self._cluster.get_role(str(ref.kind), place.namespace, ref.name)
        except TooLarge:
            waiting = self._roles.see_too_large(policy, uid)
        else:
            role = read_role(body) if body is not None else None
            if role is not None:
                self._roles.keep(role)
            waiting = self._roles.see(body) if body is not None else self._roles.see_gone(policy, uid)
        for key in waiting:
            self._wake(key)
        return role
