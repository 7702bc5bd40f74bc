"""The rules of a role in words, one line for each rule."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

READ: Final = frozenset({"get", "list", "watch"})

MOST_LINES: Final = 20
"""How many rules are shown; the others are counted."""

_MOST_NAMES: Final = 12  # resources, names or verbs in one line


def in_words(rules: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what each rule allows, such as `read pods, pods/log`. A RoleBinding grants no URLs, so they are left out."""
    lines = list(dict.fromkeys(line for rule in rules if (line := _line(rule))))
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"and {len(lines) - MOST_LINES} more rules: read them with kubectl describe"


def _line(rule: Mapping[str, Any]) -> str:
    verbs, groups, resources, names = (
        _texts(rule, key) for key in ("verbs", "apiGroups", "resources", "resourceNames")
    )
    if not verbs or not groups or not resources:
        return ""
    what = [f"{resource}{_of(group)}" for group in groups for resource in resources]
    line = f"{_verbs(verbs)} {_some(what)}" if what != ["*.*"] else f"{_verbs(verbs)} every resource"
    return f"{line}, only {_some(names)}" if names else line


def _of(group: str) -> str:
    """Return what follows a resource's name, as kubectl writes it: `deployments.apps`."""
    return f".{group}" if group else ""


def _verbs(verbs: Sequence[str]) -> str:
    if "*" in verbs:
        return "do anything with"
    reads = set(verbs) >= READ
    rest = [verb for verb in dict.fromkeys(verbs) if not (reads and verb in READ)]
    said = [*(["read"] if reads else []), *rest]
    return _some(said[:-1]) + f" and {said[-1]}" if len(said) > 1 else said[0]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _texts(rule: Mapping[str, Any], key: str) -> list[str]:
    value = rule.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
