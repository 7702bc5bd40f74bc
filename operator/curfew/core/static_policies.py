"""Our admission policies as the API server reads them from a folder: there, no administrator of the cluster can take them away.

Kubernetes 1.37 (KEP-5793). Only the names differ: each ends in `.static.k8s.io`, which the API keeps for such objects.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from curfew.core.probes import UNTRIED

SUFFIX: Final = ".static.k8s.io"

_API: Final = "admissionregistration.k8s.io/v1"
_POLICY: Final = "ValidatingAdmissionPolicy"
_BINDING: Final = "ValidatingAdmissionPolicyBinding"
_OURS: Final = "curfew-"


class NotFit(Exception):
    """The policies cannot guard from a folder. `str(error)` is a sentence for people."""


def static_manifests(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return our policies and their bindings among some manifests, by name, as static ones. Raise `NotFit`.

    What only brings an answer of Curfew's forward is left out if it has parameters, which a static policy cannot have. So is
    what fills in who asks, which another plugin of the API server would read.
    """
    found = [one for one in found if one.get("apiVersion") == _API and _name(one).startswith(_OURS)]
    left_out = {_name(one) for one in found if _name(one) in UNTRIED and "paramKind" in one["spec"]}
    ours = [one for one in found if _name(one) not in left_out]
    policies = {_name(one): one for one in ours if one.get("kind") == _POLICY}
    bindings = {_name(one): one for one in ours if one.get("kind") == _BINDING}
    if not policies:
        raise NotFit("there is no admission policy of Curfew; install the chart, or give its manifests with --filename")
    _check(policies, bindings)
    return [
        *(_static(one, one["spec"]) for _, one in sorted(policies.items())),
        *(
            _static(one, {**one["spec"], "policyName": one["spec"]["policyName"] + SUFFIX})
            for _, one in sorted(bindings.items())
        ),
    ]


def _check(policies: Mapping[str, Mapping[str, Any]], bindings: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `NotFit` unless each policy is put into force by a binding that denies, as the chart writes it."""
    bound = {str(one["spec"]["policyName"]): one for one in bindings.values()}
    if odd := sorted(bound.keys() ^ policies.keys()):
        raise NotFit(f"a policy or its binding is missing: {', '.join(odd)}; run helm upgrade first")
    for name, policy in sorted(policies.items()):
        if "paramKind" in policy["spec"] or "paramRef" in bound[name]["spec"]:
            raise NotFit(f"{name} has parameters, which a static policy cannot have; run helm upgrade first")
        if "Deny" not in bound[name]["spec"].get("validationActions", ()):
            raise NotFit(f"{name} does not deny: somebody changed its binding; run helm upgrade first")


def _name(manifest: Mapping[str, Any]) -> str:
    return str((manifest.get("metadata") or {}).get("name", ""))


def _static(manifest: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    name = _name(manifest) + SUFFIX
    return {"apiVersion": _API, "kind": manifest["kind"], "metadata": {"name": name}, "spec": dict(spec)}
