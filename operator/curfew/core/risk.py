"""What is risky in a role's rules, one CamelCase word each, for those who offer it, ask for it and agree to it.

Verbs are as RBAC knows them: `*` stands for every verb, every resource, every group. What makes access outlive a grant is
`PERMANENT`: a policy offers such a role only when it says so by name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RBAC = "rbac.authorization.k8s.io"
READING = ("get", "list", "watch")
WRITING = ("create", "update", "patch")
WORKLOADS = {
    "": ("pods", "replicationcontrollers"),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "batch": ("cronjobs", "jobs"),
}


@dataclass(frozen=True, slots=True)
class Risk:
    """A word, and the verbs on resources of a group that earn it; `/*` stands for whatever subresource."""

    word: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


RISKS: tuple[Risk, ...] = (
    Risk("ReadsSecrets", "", ("secrets",), READING),
    Risk("ExecsIntoPods", "", ("pods/exec", "pods/attach", "pods/ephemeralcontainers"), ("create", "get", *WRITING)),
    Risk("ForwardsPorts", "", ("pods/portforward", "pods/proxy", "services/proxy"), ("create", "get", *WRITING)),
    Risk("EntersNodes", "", ("nodes/proxy",), ("create", "get", *WRITING)),
    Risk("MintsTokens", "", ("serviceaccounts/token",), ("create",)),
    # A Secret of the type kubernetes.io/service-account-token is filled with a token that never expires.
    Risk("MintsTokens", "", ("secrets",), WRITING),
    Risk("Impersonates", "", ("users", "groups", "serviceaccounts"), ("impersonate",)),
    Risk("Impersonates", "authentication.k8s.io", ("users", "groups", "serviceaccounts", "uids"), ("impersonate",)),
    Risk("Binds", RBAC, ("roles", "clusterroles"), ("bind",)),
    Risk("Escalates", RBAC, ("roles", "clusterroles"), ("escalate",)),
    Risk("WritesRBAC", RBAC, ("roles", "rolebindings", "clusterroles", "clusterrolebindings"), WRITING),
    Risk("WritesAccessPolicies", "curfew.dev", ("accesspolicies",), WRITING),
    Risk("Decides", "curfew.dev", ("accesspolicies",), ("approve", "request-on-behalf")),
    Risk("Decides", "curfew.dev", ("accesspolicies/*",), ("approve",)),  # one stage of a policy
    *(Risk("CreatesPods", group, resources, WRITING) for group, resources in WORKLOADS.items()),
)

WILDCARD = "Wildcard"

PERMANENT = frozenset(
    {
        WILDCARD,
        "Binds",
        "Decides",
        "Escalates",
        "Impersonates",
        "MintsTokens",
        "WritesAccessPolicies",
        "WritesRBAC",
    }
)
"""The words of what could make access that outlives its grant."""


def risks(rules: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what is risky in a role's rules, sorted; nothing for a role that only looks at harmless things."""
    words = {risk.word for rule in rules for risk in RISKS if _allows(rule, risk)}
    if any("*" in (*rule.get("verbs", ()), *rule.get("resources", ())) for rule in rules):
        words.add(WILDCARD)
    return tuple(sorted(words))


def _allows(rule: Mapping[str, Any], risk: Risk) -> bool:
    return (
        _names(rule.get("apiGroups", ()), (risk.group,))
        and _names(rule.get("verbs", ()), risk.verbs)
        and any(_is_named(resource, name) for resource in risk.resources for name in rule.get("resources", ()))
    )


def _is_named(resource: str, name: str) -> bool:
    """Whether a rule names a resource by a name; `*/scale` names a subresource of every resource."""
    of, slash, subresource = resource.partition("/")
    if subresource == "*" and name.startswith((f"{of}/", "*/")):
        return True
    return name in ("*", resource) or (slash != "" and name == f"*/{subresource}")


def _names(given: Iterable[str], wanted: Sequence[str]) -> bool:
    return any(name == "*" or name in wanted for name in given)
