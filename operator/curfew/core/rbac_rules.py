"""Whether a rule of a role allows something, as the API server's RBAC authorizer decides it."""

from collections.abc import Collection, Mapping
from typing import Any


def allows(rule: Mapping[str, Any], verb: str, group: str, resource: str, names: Collection[str] | None = None) -> bool:
    """Whether a rule allows a verb on a resource, such as `pods` or `pods/exec`.

    `names` are the objects that it is about: one of them is enough. Without it, a rule about any object is enough.
    """
    subresource = f"*/{resource.partition('/')[2]}" if "/" in resource else "*"
    limited = texts(rule, "resourceNames")
    return (
        bool({"*", verb} & texts(rule, "verbs"))
        and bool({"*", group} & texts(rule, "apiGroups"))
        and bool({"*", resource, subresource} & texts(rule, "resources"))
        and (not limited or names is None or not limited.isdisjoint(names))
    )


def texts(rule: Mapping[str, Any], key: str) -> set[str]:
    """Return the texts in a list of a rule; nothing if there is no such list."""
    value = rule.get(key)
    return {one for one in value if isinstance(one, str)} if isinstance(value, list | tuple) else set()
