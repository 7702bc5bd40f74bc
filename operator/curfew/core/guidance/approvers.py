"""Who can approve a request, as RBAC has it: the subjects of all bindings whose role allows the verb approve.

RBAC matches as the API server's authorizer does; other authorizers are not known here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from curfew.api.names import GROUP
from curfew.core.guidance.objects import Json, parts
from curfew.core.rbac_rules import allows

RESOURCE: Final = "accesspolicies"
APPROVE: Final = "approve"


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding with the rules of its role: everything it allows holds in the namespace that was asked about."""

    subjects: tuple[str, ...]  # such as `bob@example.com` or `group sre`
    rules: tuple[Json, ...]


def bound(bindings: Iterable[object], roles: Iterable[object]) -> tuple[Bound, ...]:
    """Join bindings and roles, both as the API server lists them. A binding without its role allows nothing."""
    rules = {(_at(role, "kind"), _at(role, "metadata", "name")): parts(role, "rules") for role in roles}
    return tuple(
        Bound(tuple(_subjects(binding)), rules[key])
        for binding in bindings
        if (key := (_at(binding, "roleRef", "kind"), _at(binding, "roleRef", "name"))) in rules
    )


def approvers(found: Iterable[Bound], policy: str, stage: str) -> tuple[str, ...]:
    """Return the subjects that may approve under a policy, for a stage or, with an empty one, for no stage."""
    resource = f"{RESOURCE}/{stage}" if stage else RESOURCE
    who = [
        subject
        for one in found
        if any(allows(rule, APPROVE, GROUP, resource, {policy}) for rule in one.rules)
        for subject in one.subjects
        # The API server lets only people decide.
        if not subject.startswith("system:") and not subject.startswith("group system:serviceaccounts")
    ]
    return tuple(sorted(dict.fromkeys(who)))


def _subjects(binding: object) -> Iterator[str]:
    for subject in parts(binding, "subjects"):
        kind, name = _at(subject, "kind"), _at(subject, "name")
        if kind == "User" and name:
            yield name
        elif kind == "Group" and name:
            yield f"group {name}"


def question(namespace: str, policy: str, verb: str, stage: str = "") -> dict[str, Any]:
    """Return the question to the API server whether the caller may do something with a policy."""
    attributes = {"group": GROUP, "resource": RESOURCE, "namespace": namespace, "name": policy, "verb": verb}
    if stage:
        attributes["subresource"] = stage
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }


def _at(body: object, *path: str) -> str:
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body if isinstance(body, str) else ""
