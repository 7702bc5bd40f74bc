"""Whether the API server enforces Curfew's rules, judged by the objects: its admission policies and its definitions.

The operator tries what each policy must refuse. This looks at what such a try cannot show: a policy that holds only where the
operator tries it, or whose rules somebody has changed.
"""

from collections.abc import Iterator
from typing import Final

from curfew.core.doctor.diagnosis import Diagnosis
from curfew.core.doctor.facts import ClusterFacts, Json, at, items, text, title
from curfew.core.probes import UNTRIED, attempts

TRIED: Final = tuple(attempt.policy for attempt in attempts("", ""))
POLICIES: Final = (*TRIED, *UNTRIED)
"""The admission policies that the chart installs."""

DEFINITIONS: Final = tuple(
    f"{kind}.curfew.dev" for kind in ("accesslocks", "accesspolicies", "accessrequests", "alertresponses")
)

_UPGRADE: Final = "Run helm upgrade with your values, which puts it back"


def judge_guards(facts: ClusterFacts) -> Iterator[Diagnosis]:
    """Yield what is wrong with the admission policies and the definitions."""
    if facts.guards is not None:
        for policy in POLICIES:
            yield from _policy(policy, facts.guards)
    if facts.definitions is not None:
        yield from _definitions(facts.definitions)


def _policy(name: str, guards: object) -> Iterator[Diagnosis]:
    found = items({"all": guards}, "all")
    policies = [one for one in found if text(one, "kind").endswith("Policy") and text(one, "metadata", "name") == name]
    bindings = [
        one for one in found if text(one, "kind").endswith("Binding") and text(one, "spec", "policyName") == name
    ]
    about = f"ValidatingAdmissionPolicy {name}"
    if not policies:
        yield Diagnosis("D101", about, f"{about} does not exist.", f"{_UPGRADE}.")
        return
    (policy,) = policies
    denying = [one for one in bindings if "Deny" in (at(one, "spec", "validationActions") or ())]
    if not denying:
        what = "has no binding" if not bindings else f"is bound by {title(bindings[0])} without the action Deny"
        advice = "If Helm reports that validationActions is invalid, delete the binding first."
        yield Diagnosis("D102", about, f"{about} {what}, so it refuses nothing.", f"{_UPGRADE}. {advice}")
    elif name in TRIED and not any(_is_whole(one) for one in denying):
        what = f"{title(denying[0])} limits it to some namespaces or objects"
        yield Diagnosis("D103", about, f"{about} does not apply everywhere: {what}.", f"{_UPGRADE}.")
    if name in TRIED and (why := _weakened(policy)):
        yield Diagnosis("D103", f"{about} itself", f"{about} does not apply everywhere: {why}.", f"{_UPGRADE}.")
    for one in (policy, *bindings):
        yield from _changed(one)


def _is_whole(binding: Json) -> bool:
    """Whether a binding applies to everything that its policy is about."""
    return not _selects(at(binding, "spec", "matchResources")) and not at(binding, "spec", "paramRef")


def _selects(match: object) -> bool:
    """Whether some namespaces or objects are left out."""
    selectors = [at(match, name, what) for name in ("namespaceSelector", "objectSelector") for what in _SELECT]
    return any(selectors) or any(at(match, name) for name in ("excludeResourceRules",))


_SELECT: Final = ("matchLabels", "matchExpressions")


def _weakened(policy: Json) -> str:
    """Return why a policy does not apply to all that it was written for; nothing if it does."""
    if _selects(at(policy, "spec", "matchConstraints")):
        return "it leaves out some namespaces or objects"
    if text(policy, "spec", "failurePolicy") == "Ignore":
        return "its failurePolicy is Ignore, so an error lets everything through"
    return ""


def _changed(one: Json) -> Iterator[Diagnosis]:
    """Yield that several programs have written what an object demands: one installed it, others changed it."""
    managers = writers(one)
    if len(managers) > 1:
        yield Diagnosis(
            "D104",
            title(one),
            f"Parts of {title(one)} were written by {' and '.join(managers)}; one of them installed it.",
            f"Compare it with the chart (helm get manifest). {_UPGRADE}; a field that stays different has to be deleted "
            "with its object first.",
        )


def writers(one: Json) -> list[str]:
    """Return the programs that own fields of an object's spec, as the API server keeps them."""
    fields = items(one, "metadata", "managedFields")
    return sorted(
        {
            text(field, "manager")
            for field in fields
            if not text(field, "subresource") and at(field, "fieldsV1", "f:spec")
        }
    )


def _definitions(found: object) -> Iterator[Diagnosis]:
    known = {text(one, "metadata", "name"): one for one in items({"all": found}, "all")}
    for name in DEFINITIONS:
        about = f"CustomResourceDefinition {name}"
        if name not in known:
            yield Diagnosis("D106", about, f"{about} does not exist.", "Run helm upgrade, or apply the files in crds/.")
            continue
        conditions = items(known[name], "status", "conditions")
        if not any(text(one, "type") == "Established" and text(one, "status") == "True" for one in conditions):
            yield Diagnosis("D106", about, f"{about} is not served.", "kubectl describe shows why.")
        yield from _changed(known[name])
