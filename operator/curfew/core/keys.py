"""How the operator names what it works on: a request by its UID, a policy by its place in the cluster, a lock by its UID."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request, or a binding that is no request's, by its UID."""

    uid: str

    def __str__(self) -> str:
        return self.uid

    @classmethod
    def of(cls, request: AccessRequest) -> "RequestKey":
        """Return the key of a request."""
        return cls(request.metadata.uid)


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """A policy by its namespace and name. Names are reused: a policy that was deleted and created again has the same key."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def of(cls, policy: AccessPolicy) -> "PolicyKey":
        """Return the key of a policy."""
        return cls(policy.metadata.namespace, policy.metadata.name)

    @classmethod
    def of_body(cls, body: Mapping[str, Any]) -> "PolicyKey":
        """Return the key of a policy that may be unreadable. The API server itself enforces that its metadata is valid."""
        return cls(str(body["metadata"]["namespace"]), str(body["metadata"]["name"]))

    @classmethod
    def named_by(cls, request: AccessRequest) -> "PolicyKey":
        """Return the key of the policy that a request asks for, whether or not there is one."""
        return cls(request.metadata.namespace, request.spec.policy_name)


@dataclass(frozen=True, slots=True)
class LockKey:
    """A lock, by its UID."""

    uid: str

    def __str__(self) -> str:
        return f"AccessLock {self.uid}"


Key = RequestKey | PolicyKey | LockKey
"""What is given a turn."""
