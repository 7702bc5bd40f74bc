"""Who can go around Curfew: whose rights let them have access that nobody agreed to and that has no end.

`system:masters` is outside RBAC: whoever is a member may do everything, and no binding shows who that is.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import product
from math import prod
from typing import Final

from curfew.api.names import GROUP, is_self_test_policy
from curfew.core.doctor.accounts import accounts
from curfew.core.doctor.diagnosis import Diagnosis, Gravity
from curfew.core.doctor.facts import ClusterFacts, Json, text
from curfew.core.doctor.guards import DEFINITIONS, POLICIES
from curfew.core.doctor.holdings import Holding, holdings
from curfew.core.guidance.rules import in_words
from curfew.core.rbac_rules import allows, texts
from curfew.core.risk import LONGEST, MOST, words_of
from curfew.core.risk_table import RBAC

_ADMISSION: Final = "admissionregistration.k8s.io"
_CHANGE: Final = ("update", "patch", "delete", "deletecollection")
_WRITE: Final = ("create", "update", "patch")


class Holds(Enum):
    """Where a right has to hold to be a way around Curfew."""

    CLUSTER = auto()  # everywhere
    HOME = auto()  # in Curfew's namespace
    GOVERNED = auto()  # in a namespace with a policy


@dataclass(frozen=True, slots=True)
class Way:
    """Rights that are a way around Curfew. `names` limits them to these objects; None means any."""

    code: str
    reach: Holds
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: Collection[str] | None = None


_WAYS: Final = (
    Way(
        "D301",
        Holds.CLUSTER,
        _ADMISSION,
        ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
        _CHANGE,
        POLICIES,
    ),
    Way("D301", Holds.CLUSTER, "apiextensions.k8s.io", ("customresourcedefinitions",), _CHANGE, DEFINITIONS),
    # Whoever serves our group decides what is in it.
    Way("D301", Holds.CLUSTER, "apiregistration.k8s.io", ("apiservices",), _WRITE, {f"v1alpha1.{GROUP}"}),
    Way("D302", Holds.GOVERNED, RBAC, ("roles", "clusterroles"), ("escalate",)),
    Way(
        "D304",
        Holds.CLUSTER,
        "certificates.k8s.io",
        ("signers",),
        ("approve", "sign"),
        {"kubernetes.io/kube-apiserver-client", "kubernetes.io/*"},
    ),
    Way("D305", Holds.HOME, "", ("secrets",), _WRITE),  # one of the type kubernetes.io/service-account-token
    Way("D306", Holds.CLUSTER, "", ("nodes/proxy",), ("get", "create")),
    Way("D308", Holds.HOME, "", ("configmaps",), _CHANGE, {"curfew", "curfew-monitor"}),
)
"""What the table of risks does not tell apart. Creating objects cannot be limited to names, so such rules have none."""

_RISKS: Final[Mapping[str, tuple[str, Holds]]] = {
    "CreatesPods": ("D306", Holds.HOME),
    "ExecsIntoPods": ("D306", Holds.HOME),
    "ReadsSecrets": ("D307", Holds.HOME),
    "WritesAccessPolicies": ("D309", Holds.GOVERNED),
}
"""Words of the table of risks that are a way around Curfew there."""

_DEEDS: Final[Mapping[str, str]] = {
    "D300": "may do everything, everywhere",
    "D301": "can change or remove Curfew's admission policies or definitions",
    "D302": "can give roles that they do not hold themselves",
    "D303": "can act as other people or accounts, and so approve and use what they may",
    "D304": "can have certificates issued with which somebody logs in under any name",
    "D305": "can get a token of an account of Curfew's",
    "D306": "can run something in Curfew's namespace, with Curfew's keys and accounts",
    "D307": "can read the secrets in Curfew's namespace: the signing key, the credentials of the bucket",
    "D308": "can change the settings of Curfew",
    "D309": "can write AccessPolicies, and so decide who has to agree",
    "D310": "holds a role that Curfew grants, without an end and without a record",
}


@dataclass(frozen=True, slots=True)
class OfferedRoles:
    """What policies offer: roles, each in the namespace of its policy."""

    offers: frozenset[tuple[str, str, str]]  # namespace, kind and name

    @classmethod
    def by(cls, policies: Iterable[Json]) -> "OfferedRoles":
        """Return what policies offer; Curfew's test policy offers nothing."""
        found = ((text(one, "metadata", "namespace"), text(one, "metadata", "name"), *_role(one)) for one in policies)
        return cls(
            frozenset(
                (where, kind, role) for where, name, kind, role in found if not is_self_test_policy(name, kind, role)
            )
        )

    def includes(self, held: Holding) -> bool:
        """Whether a binding gives a role that is offered where the binding holds."""
        return any(
            (kind, name) == (held.role_kind, held.role) and held.namespace in ("", where)
            for where, kind, name in self.offers
        )

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces with a policy."""
        return frozenset(where for where, _, _ in self.offers)

    @property
    def roles(self) -> frozenset[str]:
        """The names of the roles."""
        return frozenset(name for _, _, name in self.offers)


def _role(policy: Json) -> tuple[str, str]:
    return text(policy, "spec", "roleRef", "kind"), text(policy, "spec", "roleRef", "name")


def ways_around(facts: ClusterFacts) -> tuple[list[Diagnosis], list[str]]:
    """Return who can go around Curfew, and the parts of Kubernetes that can, which is no finding."""
    if facts.cluster_rbac is None:
        return [], []
    governed = OfferedRoles.by(facts.policies or ())
    own = set(accounts(facts).values())
    found, built_in = [], set()
    for held in holdings(facts.cluster_rbac, facts.namespace_rbac or ()):
        if held.is_grant or held.subject in own:
            continue
        ways = dict(_ways(held, facts, governed))
        if held.is_built_in:
            built_in |= {held.subject} if ways else set()
        else:
            found += [_said(held, code, rule) for code, rule in ways.items()]
    return sorted(found, key=lambda one: one.key), sorted(built_in)


def _said(held: Holding, code: str, rule: str) -> Diagnosis:
    everybody = held.is_everybodys
    who = f"{held.subject}: whoever is in it" if everybody else held.subject
    return Diagnosis(
        code,
        f"{held.subject} by {held.binding}",
        f"{who} {_DEEDS[code]}.",
        f"If nobody meant that: remove the subject from {held.binding}, or the rule from its role. If somebody did: keep "
        "this report, and compare the next one with it (--compare).",
        path=held.path(rule),
        grave=Gravity.CRITICAL if everybody else None,
    )


def _ways(held: Holding, facts: ClusterFacts, governed: OfferedRoles) -> Iterator[tuple[str, str]]:
    """Yield the codes of the ways that a holding opens, each with the rule in words."""
    reach = {
        Holds.CLUSTER: held.namespace == "",
        Holds.HOME: held.namespace in ("", facts.namespace),
        Holds.GOVERNED: held.namespace == "" or held.namespace in governed.namespaces,
    }
    if not any(reach.values()):
        return
    if held.namespace == "" and any(_is_everything(rule) for rule in held.rules):
        yield "D300", "do anything with every resource"
        return
    names = {f"{name}" for name in accounts(facts)}
    for rule in held.rules:
        for code in sorted(_codes(rule, reach, governed, names)):
            yield code, next(in_words([rule]), "its rules")
    if governed.includes(held):
        yield "D310", "the whole role"


def _codes(rule: Json, reach: Mapping[Holds, bool], governed: OfferedRoles, accounts_here: Collection[str]) -> set[str]:
    """Return the codes of the ways that one rule opens."""
    found = {way.code for way in _WAYS if reach[way.reach] and _opens(rule, way)}
    token = Way("D305", Holds.HOME, "", ("serviceaccounts/token",), ("create",), accounts_here)
    bind = Way("D302", Holds.GOVERNED, RBAC, ("roles", "clusterroles"), ("bind",), governed.roles)
    found |= {way.code for way in (token, bind) if reach[way.reach] and _opens(rule, way)}
    people = reach[Holds.CLUSTER] and _impersonates(rule, ("users", "groups", "serviceaccounts", "uids"))
    if people or (reach[Holds.HOME] and _impersonates(rule, ("serviceaccounts",), accounts_here)):
        found.add("D303")
    return found | {code for word, (code, where) in _RISKS.items() if reach[where] and word in _words(rule)}


def _opens(rule: Json, way: Way) -> bool:
    return any(
        allows(rule, verb, way.group, resource, way.names) for resource, verb in product(way.resources, way.verbs)
    )


def _impersonates(rule: Json, resources: Iterable[str], names: Collection[str] | None = None) -> bool:
    """Whether a rule lets its holder act as others, by `impersonate` or a narrower verb such as `impersonate:user-info`."""
    verbs = {"impersonate", *(verb for verb in texts(rule, "verbs") if verb.startswith("impersonate"))}
    return any(
        allows(rule, verb, group, resource, names)
        for verb, group, resource in product(verbs, ("", "authentication.k8s.io"), resources)
    )


def _is_everything(rule: Json) -> bool:
    return all("*" in texts(rule, key) for key in ("verbs", "apiGroups", "resources"))


def _words(rule: Json) -> set[str]:
    """Return the words of the table of risks for a rule; all that count here if it names more than can be looked at."""
    named = [sorted(texts(rule, key)) for key in ("apiGroups", "resources", "verbs")]
    if prod(map(len, named)) > MOST:
        return set(_RISKS)
    return set().union(*(words_of(*(name[:LONGEST] for name in one)) for one in product(*named)))
