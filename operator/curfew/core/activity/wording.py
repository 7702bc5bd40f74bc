"""The words for calls, objects and counts, as people read them in records and in the verdict."""

from collections.abc import Iterable, Sequence
from typing import Final

LONGEST_OBJECT: Final = 320
"""Most characters of an object's name in a verdict: what `status.activity.changed` takes."""


def kind_of(group: str, resource: str) -> str:
    """Return a resource as kubectl writes it: `deployments.apps`, or `pods`."""
    return f"{resource}.{group}" if group else resource


def object_of(group: str, resource: str, namespace: str, name: str, *, home: str = "") -> str:
    """Return an object as kubectl writes it: `deployments.apps/web`. `home` is the namespace that need not be named."""
    where = f" in {namespace}" if namespace not in ("", home) else ""
    return cut(f"{kind_of(group, resource)}/{name or '*'}{where}", LONGEST_OBJECT)


def cut(text: str, longest: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def some(number: int, thing: str, things: str = "") -> str:
    """Return a number with its noun, `one` for 1: `one exec`, `2 execs`."""
    return f"one {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"


def listed(parts: Sequence[str]) -> str:
    """Return a list as people write it: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def singular(resource: str) -> str:
    """Return the word for one object of a resource, by the rules of English: `policies` becomes `policy`."""
    for ending, one in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("s", "")):
        if resource.endswith(ending):
            return resource.removesuffix(ending) + one
    return resource


def within(clauses: Iterable[str], longest: int, join: str = ", ") -> str:
    """Return clauses joined, as many as fit; what is left out is shown."""
    text, more = "", f"{join}and more"
    for clause in clauses:
        longer = f"{text}{join}{clause}" if text else clause
        if len(longer) + len(more) > longest:
            return f"{text}{more}" if text else cut(clause, longest)
        text = longer
    return text
