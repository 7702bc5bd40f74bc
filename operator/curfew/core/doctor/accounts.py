"""The service accounts of Curfew: what they must be able to do, what they are, and what they may besides."""

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Final, NamedTuple

from curfew.api.names import (
    CHECKPOINT_CONFIG_MAP,
    GROUP,
    LEADER_LEASE,
    SELF_TEST_POLICY,
    SELF_TEST_REQUEST,
    SWEEPER_CRON_JOB,
)
from curfew.core.doctor.diagnosis import Diagnosis, Gravity
from curfew.core.doctor.facts import ClusterFacts, text
from curfew.core.doctor.holdings import SERVICE_ACCOUNT, Holding, holdings
from curfew.core.rbac_rules import allows, texts
from curfew.core.risk import MOST
from curfew.core.risk_table import RBAC

EVERYWHERE: Final = ""
HOME: Final = "."
"""Curfew's own namespace, whatever its name."""


class Right(NamedTuple):
    """One verb on one resource, perhaps of one name alone. A URL stands in place of a resource."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """Return it as people read it."""
        about = f"{self.resource}{'.' + self.group if self.group else ''}"
        return f"{self.verb} {about}{' ' + self.name if self.name else ''}"


def _rights(group: str, resource: str, verbs: str, name: str = "") -> Iterator[Right]:
    return (Right(group, resource, verb, name) for verb in verbs.split())


NEEDED: Final[Mapping[str, Mapping[str, frozenset[Right]]]] = {
    "operator": {
        EVERYWHERE: frozenset(
            {
                *_rights(GROUP, "accessrequests", "get list watch patch"),
                *_rights(GROUP, "accessrequests/status", "patch"),
                *_rights(GROUP, "accesspolicies", "list watch"),
                *_rights(GROUP, "accesspolicies/status", "patch"),
                *_rights(GROUP, "accesslocks", "list watch"),
                *_rights(GROUP, "accesslocks/status", "patch"),
                *_rights(RBAC, "rolebindings", "get list watch delete"),
                *_rights(RBAC, "roles", "get list watch"),
                *_rights(RBAC, "clusterroles", "get list watch"),
                *_rights("authorization.k8s.io", "subjectaccessreviews", "create"),
                *_rights("events.k8s.io", "events", "create"),
            }
        ),
        HOME: frozenset(
            {
                *_rights("", "serviceaccounts/token", "create", "curfew-probe"),
                *_rights("", "configmaps", "get patch", CHECKPOINT_CONFIG_MAP),
                *_rights("batch", "cronjobs", "get", SWEEPER_CRON_JOB),
                *_rights("coordination.k8s.io", "leases", "get create update", LEADER_LEASE),
            }
        ),
    },
    "probe": {
        EVERYWHERE: frozenset({*_rights(GROUP, "accesslocks", "create"), *_rights(GROUP, "alertresponses", "create")}),
        HOME: frozenset(
            {
                *_rights(GROUP, "accessrequests", "create"),
                *_rights(GROUP, "accessrequests", "patch delete", SELF_TEST_REQUEST),
                *_rights(GROUP, "accessrequests/status", "patch", SELF_TEST_REQUEST),
                *_rights(GROUP, "accesspolicies", "create"),
                *_rights(GROUP, "accesspolicies/status", "patch", SELF_TEST_POLICY),
                *_rights(GROUP, "accesspolicies", "request-on-behalf", SELF_TEST_REQUEST),
                *_rights(RBAC, "rolebindings", "create"),
                *_rights(RBAC, "roles", "bind", "curfew-probe"),
            }
        ),
    },
    "sweeper": {EVERYWHERE: frozenset(_rights(RBAC, "rolebindings", "list delete"))},
    "monitor": {
        EVERYWHERE: frozenset(
            {
                *_rights(GROUP, "accessrequests/status", "patch"),
                *_rights(GROUP, "alertresponses", "list"),
                *_rights("events.k8s.io", "events", "create"),
                *_rights(RBAC, "rolebindings", "get list"),
                *_rights(RBAC, "clusterrolebindings", "get list"),
                *_rights("", "/metrics", "get"),
            }
        ),
        HOME: frozenset(
            {
                *_rights("coordination.k8s.io", "leases", "get update", "curfew-monitor"),
                *_rights("", "secrets", "list", "curfew-monitor-canary"),
            }
        ),
    },
}
"""What the chart gives to each account in any case: docs/rights.md explains each right."""


def accounts(facts: ClusterFacts) -> dict[str, str]:
    """Return the service accounts of Curfew by name, each as the API server knows its user. The monitor's may not be there."""
    sweeper = next(
        (
            text(one, "spec", "jobTemplate", "spec", "template", "spec", "serviceAccountName")
            for one in facts.cron_job or ()
        ),
        "",
    )
    names = (
        facts.account("operator", "curfew"),
        sweeper or "curfew-sweeper",
        facts.account("monitor", "curfew-monitor"),
        "curfew-probe",
    )
    return {name: f"{SERVICE_ACCOUNT}{facts.namespace}:{name}" for name in names}


def judge_rights(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield which rights Curfew's accounts lack, and which they have and should not have."""
    if facts.cluster_rbac is None or facts.namespace_rbac is None:
        return
    held: dict[str, list[Holding]] = {}
    for one in holdings(facts.cluster_rbac, facts.namespace_rbac):
        held.setdefault(one.subject, []).append(one)
    everybody_here = held.get(f"group system:serviceaccounts:{facts.namespace}", [])
    for part, (name, user) in zip(("operator", "sweeper", "monitor", "probe"), accounts(facts).items(), strict=True):
        mine = [*held.get(user, []), *everybody_here]
        if part == "operator" or (part == "sweeper" and facts.cron_job) or facts.components(part) or part == "probe":
            yield from _missing(part, name, mine, facts)
        for one in mine:
            yield from _too_many(part, name, one, facts)
    yield from _not_to_be_granted(facts, held.get(accounts(facts)[facts.account("operator", "curfew")], []))


def _missing(part: str, name: str, held: list[Holding], facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield what an account lacks, in one finding."""
    lacks = []
    for place, rights in NEEDED[part].items():
        where = facts.namespace if place == HOME else place
        rules = [rule for one in held if one.namespace in ("", where) for rule in one.rules]
        lacks += [str(right) for right in sorted(rights) if not any(_gives(rule, right) for rule in rules)]
    if lacks:
        yield Diagnosis(
            "D201",
            f"ServiceAccount {facts.namespace}/{name}",
            f"The {part}'s account {name} may not: {_some(lacks)}.",
            "Run helm upgrade with your values, which puts the roles and bindings back.",
            grave=Gravity.CRITICAL if part == "operator" else None,
        )


def _gives(rule: object, right: Right) -> bool:
    if not isinstance(rule, Mapping):
        return False
    if right.resource.startswith("/"):
        return right.verb in texts(rule, "verbs") and bool({right.resource, "*"} & texts(rule, "nonResourceURLs"))
    return allows(rule, right.verb, right.group, right.resource, {right.name} if right.name else {""})


def _too_many(part: str, name: str, one: Holding, facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield what one binding gives to an account that it should not have."""
    place = HOME if one.namespace == facts.namespace else one.namespace
    needed = NEEDED[part].get(place, frozenset()) | NEEDED[part][EVERYWHERE]
    found = [
        str(right)
        for rule in one.rules
        for right in _expanded(rule)
        if right not in needed and not _may_be(part, place, right)
    ]
    if found:
        where = f" in {one.namespace}" if one.namespace else ""
        yield Diagnosis(
            "D202",
            f"ServiceAccount {facts.namespace}/{name} by {one.binding}",
            f"The {part}'s account {name} may also{where}: {_some(sorted(set(found)))}.",
            f"Remove the account from {one.binding}, or the rules from {one.role_kind} {one.role}. Whoever gets its token "
            "has these rights too.",
            path=one.path("its rules"),
        )


def _may_be(part: str, place: str, right: Right) -> bool:
    """Whether a right depends on the chart's values: what may be granted where, and which pods are deleted."""
    if part == "operator" and place != HOME:
        grants = (
            right.group == RBAC and right.verb == "bind" and right.resource in ("roles", "clusterroles") and right.name
        )
        return bool(grants) or right in (
            Right(RBAC, "rolebindings", "create"),
            Right(GROUP, "accessrequests", "delete"),
        )
    if part == "monitor":
        counts_servers = right == Right("coordination.k8s.io", "leases", "list") and place == "kube-system"
        return counts_servers or (right == Right("", "pods", "delete") and place not in (EVERYWHERE, HOME))
    return False


def _expanded(rule: Mapping[str, object]) -> Iterator[Right]:
    """Yield each right that a rule gives. A rule that names too many gives one: everything."""
    groups, resources, verbs, names, urls = (
        sorted(texts(rule, key)) for key in ("apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs")
    )
    if prod(map(len, (groups, resources, verbs, names or [""]))) > MOST:
        yield Right("*", "*", "*")
        return
    for group, resource, verb, name in product(groups, resources, verbs, names or [""]):
        yield Right(group, resource, verb, name)
    for url, verb in product(urls, verbs):
        yield Right("", url, verb)


def _not_to_be_granted(facts: ClusterFacts, held: list[Holding]) -> Iterator[Diagnosis]:
    """Yield the policies whose role the operator may not bind where the policy is."""
    for policy in facts.policies or ():
        where, name = text(policy, "metadata", "namespace"), text(policy, "metadata", "name")
        kind, role = text(policy, "spec", "roleRef", "kind"), text(policy, "spec", "roleRef", "name")
        if where == facts.namespace or not role:
            continue  # the test policy: nothing is granted in Curfew's namespace
        needs = (Right(RBAC, "rolebindings", "create"), Right(RBAC, f"{kind.lower()}s", "bind", role))
        rules = [rule for one in held if one.namespace in ("", where) for rule in one.rules]
        if not all(any(_gives(rule, right) for rule in rules) for right in needs):
            yield Diagnosis(
                "D203",
                f"AccessPolicy {where}/{name}",
                f"AccessPolicy {where}/{name} offers {kind} {role}, which the operator may not bind there: requests will fail.",
                f"Add {role} to the value roles, and {where} to namespaces (or namespaces[].roles for a Role), and run helm "
                "upgrade.",
            )


def judge_tokens(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield the Secrets that hold a token of an account of Curfew's for ever."""
    own = accounts(facts)
    for one in facts.token_secrets or ():
        name, account = text(one, "metadata", "name"), text(one, "account")
        if account in own:
            yield Diagnosis(
                "D204",
                f"Secret {facts.namespace}/{name}",
                f"Secret {name} holds a token of {account} that never ends.",
                f"kubectl delete secret {name} -n {facts.namespace}. Curfew's pods need none.",
            )


def _some(found: list[str], most: int = 6) -> str:
    return "; ".join(found[:most]) + (f"; and {len(found) - most} more" if len(found) > most else "")
