"""The policies that exist, and the deleted ones until their ends are recorded."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from curfew.api.access_policy import AccessPolicy
from curfew.core.keys import PolicyKey
from curfew.processes.operator.known_roles import KnownRoles
from curfew.processes.operator.unreadable import Unreadable
from curfew.processes.operator.versions import Versions


class KnownPolicies:
    """All policies, by their keys."""

    def __init__(self, versions: Versions, roles: KnownRoles) -> None:
        self._versions = versions
        self._roles = roles
        self._there: dict[PolicyKey, AccessPolicy] = {}
        self._gone: dict[str, AccessPolicy] = {}  # by UID: deleted, and not yet known to be recorded

    def see(self, body: Mapping[str, Any]) -> PolicyKey | None:
        """Store an AccessPolicy and return its key, or None if a newer version is known."""
        if not self._versions.is_news("policy", body):
            return None
        key = PolicyKey.of_body(body)
        known = self._there.get(key)
        if known is not None and known.metadata.uid != body["metadata"]["uid"]:
            self.lose(known)
        self._withdraw(key)  # unreadable means no (promise P8)
        try:
            policy = AccessPolicy.model_validate(body)
        except ValidationError as error:
            raise Unreadable("AccessPolicy", body, error) from None
        self._there[key] = policy
        self._roles.offer(policy)
        return key

    def _withdraw(self, key: PolicyKey) -> None:
        """Remove the policy with this key, if there is one."""
        policy = self._there.pop(key, None)
        if policy is not None:
            self._roles.withdraw(policy)

    def see_deleted(self, body: Mapping[str, Any]) -> PolicyKey | None:
        """Note that an AccessPolicy is gone and return its key, or None if another policy already has its name."""
        uid, known = body["metadata"]["uid"], self._there.get(PolicyKey.of_body(body))
        self._versions.bury(str(uid))
        return self.lose(known) if known is not None and known.metadata.uid == uid else None

    def lose(self, policy: AccessPolicy) -> PolicyKey | None:
        """Note that exactly this policy is gone and return its key, or None if that was already known."""
        key = PolicyKey.of(policy)
        self._versions.bury(policy.metadata.uid)
        known = self._there.get(key)
        if known is None or known.metadata.uid != policy.metadata.uid:
            return None
        self._gone[policy.metadata.uid] = known
        self._withdraw(key)
        return key

    def get(self, key: PolicyKey) -> AccessPolicy | None:
        """Return a policy, or None."""
        return self._there.get(key)

    def knows(self, uid: str) -> bool:
        """Whether a policy is known: it still exists, or its end is still to be recorded."""
        return self._versions.has("policy", uid) or uid in self._gone

    def gone(self, key: PolicyKey) -> Iterable[AccessPolicy]:
        """Return the policies that had this key and are deleted, as they were last seen, until they are forgotten."""
        found = self._gone.values()
        return tuple(policy for policy in found if PolicyKey.of(policy) == key)

    def forget(self, uid: str) -> None:
        """Forget a deleted policy after its end was recorded."""
        self._gone.pop(uid, None)

    def leave(self) -> None:
        """Forget all deleted policies: another process records their ends."""
        self._gone.clear()

    def all(self) -> Iterable[AccessPolicy]:
        """Return all policies that exist."""
        return tuple(self._there.values())
