"""The risks in a role's rules, one CamelCase word each, for the people who offer the role, ask for it and agree to it.

The words are those of the table in `risk_table`. A risk is permanent if it allows making access that outlives the grant:
a policy may offer a role with a permanent risk only if it names that risk (promise P1).
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Final

from curfew.core.risk_table import MEANINGS, ROWS, TOO_LARGE, UNRECOGNISED, WILDCARD, Lasts, Row

MOST: Final = 5_000
"""How many combinations of group, resource and verb a role may name: more than `admin` of a large cluster names."""

LONGEST: Final = 400
"""How many characters of a name are looked at: more than any resource or verb has."""

_BY_GROUP: Final[defaultdict[str, list[Row]]] = defaultdict(list)
for _row in ROWS:
    _BY_GROUP[_row.group].append(_row)


def risks(rules: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what is risky in a role's rules, sorted; nothing for a role that only looks at harmless things."""
    named = [tuple(rule.get(key) or () for key in ("apiGroups", "resources", "verbs")) for rule in rules]
    if sum(prod(map(len, names)) for names in named) > MOST:
        return (TOO_LARGE,)
    found = (words_of(*(str(name)[:LONGEST] for name in one)) for names in named for one in product(*names))
    return tuple(sorted(frozenset().union(*found)))


def permanent(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words for risks that allow making access that outlives the grant."""
    return tuple(word for word in words if MEANINGS[word].lasts is Lasts.ACCESS)


def explain(words: Iterable[str]) -> str:
    """Return the words with the reason of each, as people read them."""
    return "; ".join(f"{word} ({MEANINGS[word].why})" for word in words)


@functools.lru_cache(maxsize=4096)  # roles name the same things over and over
def words_of(group: str, resource: str, verb: str) -> frozenset[str]:
    """Return the words for a verb on a resource, as a rule names them. `*` in a rule matches everything."""
    about = [
        row
        for row in _rows(group)
        if _names(verb, row.verbs) and (_names(resource, row.resources) or _names_part(resource, row.resources))
    ]
    words = {row.word for row in about if row.word}
    if "*" in (resource, verb):
        words.add(WILDCARD)
    elif group == "*" or not any(_covers(row.resources, resource) for row in about):
        words.add(UNRECOGNISED)
    return frozenset(words)


def _rows(group: str) -> Iterable[Row]:
    """Return the rows about a group, and those about every group."""
    return ROWS if group == "*" else (*_BY_GROUP.get(group, ()), *_BY_GROUP["*"])


def _names(name: str, known: Sequence[str]) -> bool:
    """Whether a name in a rule is `*`, or one that a row is about."""
    return name == "*" or _covers(known, name)


def _names_part(name: str, known: Sequence[str]) -> bool:
    """Whether a rule names a subresource of every resource, as `*/scale` does, and a row is about that subresource."""
    return name.startswith("*/") and _covers((one.partition("/")[2] for one in known if "/" in one), name[2:])


def _covers(known: Iterable[str], name: str) -> bool:
    """Whether one of the table's names matches a name. A `*` at the end of a table name matches any rest."""
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in known)
