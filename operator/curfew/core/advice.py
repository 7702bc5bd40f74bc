"""A smaller role: from what was used of a role, the rules that would have been enough, and what they would have refused.

A rule of RBAC is taken apart into permissions: one verb on one resource of one API group. The advised rules allow each used
call, and nothing that the granted rules did not allow: a granted wildcard is replaced by what was used, and a restriction to
names is kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from curfew.core.activity.rules import Rule, allows
from curfew.core.activity.usage import Needed


@dataclass(frozen=True, slots=True)
class Advice:
    """The rules that would have been enough, and how much of the granted rules was used."""

    rules: tuple[Rule, ...]
    granted: int  # permissions of the granted rules
    used: int  # of these, the permissions that allowed a used call
    unused: tuple[str, ...]  # the others, as "verb resource"
    not_granted: tuple[Needed, ...]  # used calls that no granted rule allows; the advised rules do not either


def enough_for(granted: Sequence[Rule], used: Iterable[Needed]) -> Advice:
    """Return the smallest rules that allow the used calls."""
    permissions = _permissions(granted)
    seen: set[int] = set()
    enough: dict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    not_granted: list[Needed] = []
    for one in dict.fromkeys(used):
        allowing = [place for place, (_, rule) in enumerate(permissions) if allows((rule,), one.call)]
        if not allowing:
            not_granted.append(one)
            continue
        seen.update(allowing)
        resource = f"{one.resource}/{one.subresource}" if one.subresource else one.resource
        if any("resourceNames" not in permissions[place][1] for place in allowing):
            enough[one.group, resource, ()].add(one.verb)
        else:
            names[one.group, resource, one.verb].add(one.seen_name)
    for (group, resource, verb), held in names.items():
        if verb not in enough.get((group, resource, ()), ()):
            enough[group, resource, tuple(sorted(held))].add(verb)
    return Advice(
        rules=_rules(enough),
        granted=len(permissions),
        used=len(seen),
        unused=tuple(text for place, (text, _) in enumerate(permissions) if place not in seen),
        not_granted=tuple(not_granted),
    )


def refused(rules: Sequence[Rule], calls: Iterable[Needed]) -> tuple[Needed, ...]:
    """Return those of the calls that the rules do not allow."""
    return tuple(one for one in calls if not allows(rules, one.call))


def _permissions(rules: Sequence[Rule]) -> list[tuple[str, Rule]]:
    """Return each permission of the rules once: in words, and as a rule of its own. Rules for plain URLs have none."""
    found: dict[str, Rule] = {}
    for rule in rules:
        groups, resources, verbs, names = (
            _texts(rule, part) for part in ("apiGroups", "resources", "verbs", "resourceNames")
        )
        for group, resource, verb in product(groups, resources, verbs):
            single: dict[str, Any] = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
            if names:
                single["resourceNames"] = sorted(set(names))
            of = f" named {', '.join(single['resourceNames'])}" if names else ""
            found.setdefault(f"{verb} {resource}{f'.{group}' if group else ''}{of}", single)
    return list(found.items())


def _texts(rule: Rule, part: str) -> list[str]:
    value = rule.get(part)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _rules(enough: Mapping[tuple[str, str, tuple[str, ...]], set[str]]) -> tuple[Rule, ...]:
    """Return rules: resources of one group with the same verbs and names are in one rule, which allows nothing more."""
    together: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, held), used in enough.items():
        together[group, tuple(sorted(used)), held].append(resource)
    made = []
    for (group, verbs, held), resources in sorted(
        together.items(), key=lambda one: (one[0][0], sorted(one[1]), one[0])
    ):
        rule: dict[str, Any] = {"apiGroups": [group], "resources": sorted(resources), "verbs": list(verbs)}
        if held:
            rule["resourceNames"] = list(held)
        made.append(rule)
    return tuple(made)
