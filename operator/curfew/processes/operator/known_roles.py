"""The roles that matter, as last seen: those that a request has pinned or a policy offers."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from curfew.api.access_policy import AccessPolicy, OfferedRole, RoleKind
from curfew.api.access_request import AccessRequest, PinnedRole
from curfew.core.keys import Key, PolicyKey, RequestKey
from curfew.core.risk_table import UNRECOGNISED
from curfew.core.terms import Role, RoleSeen, read_role
from curfew.processes.operator.role_contents import RoleContents
from curfew.processes.operator.versions import Versions

RoleKey = tuple[str, str, str]
"""Kind, namespace (empty for a ClusterRole) and name of a role."""


class KnownRoles:
    """The roles that were seen, and the requests and policies that each matters to."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._seen: dict[RoleKey, RoleSeen] = {}
        self._contents = RoleContents()
        self._behind: dict[RoleKey, int] = {}  # roles that changed and were not read since, with the version to be read
        self._pinned: defaultdict[RoleKey, set[RequestKey]] = defaultdict(set)
        self._offered: defaultdict[RoleKey, set[PolicyKey]] = defaultdict(set)

    # --- who a role matters to --------------------------------------------------------------------------------------

    def pin(self, request: AccessRequest) -> None:
        """Note the role that a request has pinned, if it has pinned one."""
        if (key := _pinned_by(request)) is not None:
            self._pinned[key].add(RequestKey.of(request))

    def unpin(self, request: AccessRequest) -> None:
        """Note that a request is forgotten that may have pinned a role."""
        if (key := _pinned_by(request)) is not None and key in self._pinned:
            self._pinned[key].discard(RequestKey.of(request))
            if not self._pinned[key]:
                del self._pinned[key]

    def offer(self, policy: AccessPolicy) -> None:
        """Note that a policy offers a role."""
        self._offered[_offered_by(policy)].add(PolicyKey.of(policy))

    def withdraw(self, policy: AccessPolicy) -> None:
        """Note that a policy does not offer its role any more."""
        key = _offered_by(policy)
        self._offered[key].discard(PolicyKey.of(policy))
        if not self._offered[key]:
            del self._offered[key]

    def matters(self, key: RoleKey) -> bool:
        """Whether a request has pinned a role, or a policy offers it."""
        return key in self._pinned or key in self._offered

    # --- what was seen ----------------------------------------------------------------------------------------------

    def see(self, body: Mapping[str, Any]) -> frozenset[Key]:
        """Store a Role or ClusterRole and return the requests that have pinned it and the policies that offer it.

        Return nothing if its rules have not changed.
        """
        key = _key_of_body(body)
        if int(body["metadata"]["resourceVersion"]) >= self._behind.get(key, 0):
            self._behind.pop(key, None)
        if not self._versions.is_news("role", body):
            return frozenset()
        role = read_role(body)
        self._contents.keep(role)
        return self._see(key, role.seen)

    def note_change(self, key: RoleKey, version: str) -> None:
        """Note that there is a version of a role that was not read yet: until it is read, nobody relies on the one before."""
        if key in self._seen or self.matters(key):
            self._behind[key] = int(version)

    def see_deleted(self, body: Mapping[str, Any]) -> frozenset[Key]:
        """Note that a Role or ClusterRole is gone and return the requests and policies that had pinned or offered it."""
        key = _key_of_body(body)
        known = self._seen.get(key)
        self._behind.pop(key, None)
        if known is not None or self.matters(key):
            self._versions.bury(str(body["metadata"]["uid"]))
        if known is None or known.uid != body["metadata"]["uid"]:
            return frozenset()
        if not self.matters(key):
            del self._seen[key]  # roles come and go, and nobody asks for this one
            return frozenset()
        return self._see(key, RoleSeen("", ""))

    def see_unreadable(self, key: RoleKey, uid: str) -> frozenset[Key]:
        """Note that a role's contents cannot be known and return the requests and policies that had pinned or offered it."""
        self._behind.pop(key, None)
        return self._see(key, RoleSeen(uid, "", permanent=(UNRECOGNISED,)))

    def _see(self, key: RoleKey, seen: RoleSeen) -> frozenset[Key]:
        known, self._seen[key] = self._seen.get(key), seen
        return frozenset((*self._pinned.get(key, ()), *self._offered.get(key, ()))) if seen != known else frozenset()

    # --- what is known ----------------------------------------------------------------------------------------------

    def there(self) -> Mapping[RoleKey, str]:
        """Return the UIDs of the roles that were read and are not known to be gone."""
        return {key: seen.uid for key, seen in self._seen.items() if seen.uid}

    def offered_by(self, policy: AccessPolicy) -> RoleSeen | None:
        """Return the role that a policy offers, as last seen, or None."""
        return self._seen.get(_offered_by(policy))

    def whole(self, policy: AccessPolicy) -> Role | None:
        """Return the role that a policy offers with its rules, as last seen; None if they are not known or it is gone."""
        ref, seen = policy.spec.role_ref, self.offered_by(policy)
        rules = self._contents.of(seen.rules_digest) if seen is not None and seen.uid else None
        if seen is None or rules is None or _offered_by(policy) in self._behind:
            return None
        return Role(str(ref.kind), ref.name, seen.uid, rules, seen.is_aggregated)

    def keep(self, role: Role) -> None:
        """Keep the rules of a role that was just read."""
        self._contents.keep(role)

    def see_gone(self, policy: AccessPolicy, uid: str) -> frozenset[Key]:
        """Note that the role that a policy offers is gone, if it still is the one with this UID. Return who it matters to."""
        ref, key = policy.spec.role_ref, _offered_by(policy)
        return self.see_deleted(
            {"kind": str(ref.kind), "metadata": {"namespace": key[1], "name": ref.name, "uid": uid}}
        )

    def see_too_large(self, policy: AccessPolicy, uid: str) -> frozenset[Key]:
        """Note that the contents of the role that a policy offers cannot be known. Return who it matters to."""
        seen = self.offered_by(policy)
        return self.see_unreadable(_offered_by(policy), uid) if seen is not None and seen.uid == uid else frozenset()

    def of(self, request: AccessRequest) -> RoleSeen | None:
        """Return the role that a request has pinned, as last seen, or None."""
        key = _pinned_by(request)
        return self._seen.get(key) if key is not None else None


def _pinned_by(request: AccessRequest) -> RoleKey | None:
    terms = request.status.terms
    return _key_of(terms.role, request.metadata.namespace) if terms is not None else None


def _offered_by(policy: AccessPolicy) -> RoleKey:
    return _key_of(policy.spec.role_ref, PolicyKey.of(policy).namespace)


def _key_of(role: PinnedRole | OfferedRole, namespace: str) -> RoleKey:
    return (str(role.kind), namespace if role.kind is RoleKind.ROLE else "", role.name)


def _key_of_body(body: Mapping[str, Any]) -> RoleKey:
    meta = body["metadata"]
    return (str(body["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))
