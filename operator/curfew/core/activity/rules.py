"""Whether the rules of a role would allow a call, as RBAC decides it.

The semantics are those of Kubernetes' RBAC authorizer: `RuleAllows` in plugin/pkg/auth/authorizer/rbac, and the matches
in pkg/apis/rbac/v1/evaluation_helpers.go.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from curfew.core.activity.call import Call
from curfew.core.activity.session import Session

Rule = Mapping[str, Any]
"""One rule of a Role or ClusterRole, as its manifest has it."""

_SERVICE_ACCOUNT = "system:serviceaccount:"


def allows(rules: Iterable[Rule], call: Call) -> bool:
    """Whether any rule would allow a call, if it is bound where the call is."""
    return any(rule_allows(rule, call) for rule in rules)


def rule_allows(rule: Rule, call: Call) -> bool:
    """Whether one rule would allow a call, if it is bound where the call is."""
    if not call.resource:
        return _names(rule, "verbs", call.verb) and _matches_path(rule, call.uri.partition("?")[0])
    # The name of an object that is to be created is only in the body, which RBAC does not see.
    name = "" if call.verb == "create" and not call.subresource else call.name
    return _matches(rule, call.verb, call.group, call.resource, call.subresource, name)


def would_allow(session: Session, call: Call) -> bool:
    """Whether the grant would, or may, have allowed a call: a RoleBinding reaches the resources of its namespace, no URLs.

    If the trail does not hold the rules (of a broken glass that went unrecorded, for example), any call may be allowed.
    """
    if not call.resource or call.namespace != session.namespace:
        return False
    return not session.rules or allows(session.rules, call)


def may_act_as(session: Session, user: str) -> bool:
    """Whether the grant lets, or may let, its person act as a user: a service account of its namespace.

    Constrained impersonation (KEP-5284) has a verb and an API group of its own.
    """
    if namespace_of(user) != session.namespace:
        return False
    name = user.removeprefix(_SERVICE_ACCOUNT).partition(":")[2]
    return not session.rules or any(
        _matches(rule, verb, group, "serviceaccounts", "", name)
        for verb, group in (("impersonate", ""), ("impersonate:serviceaccount", "authentication.k8s.io"))
        for rule in session.rules
    )


def namespace_of(user: str) -> str:
    """Return the namespace of a service account, by the name that the API server gives it; empty for all others."""
    return user.removeprefix(_SERVICE_ACCOUNT).partition(":")[0] if user.startswith(_SERVICE_ACCOUNT) else ""


def _matches(rule: Rule, verb: str, group: str, resource: str, subresource: str, name: str) -> bool:
    names = _texts(rule, "resourceNames")
    return (
        _names(rule, "verbs", verb)
        and _names(rule, "apiGroups", group)
        and _matches_resource(rule, resource, subresource)
        and (not names or name in names)
    )


def _matches_resource(rule: Rule, resource: str, subresource: str) -> bool:
    if not subresource:
        return _names(rule, "resources", resource)
    named = _texts(rule, "resources")
    return _names(rule, "resources", f"{resource}/{subresource}") or f"*/{subresource}" in named


def _matches_path(rule: Rule, path: str) -> bool:
    return any(
        url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))
        for url in _texts(rule, "nonResourceURLs")
    )


def _names(rule: Rule, key: str, value: str) -> bool:
    named = _texts(rule, key)
    return "*" in named or value in named


def _texts(rule: Rule, key: str) -> tuple[str, ...]:
    """Return the texts of a list in a rule. A rule comes from a log, which another version may have written."""
    values = rule.get(key)
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list | tuple) else ()
