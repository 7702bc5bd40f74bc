"""The rules of the roles that were read last, by their digest: a digest that is known needs no second read."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from curfew.core.terms import Role

MOST_BYTES: Final = 2**21
"""How much is kept, as JSON: hundreds of ordinary roles, and a few of the largest."""

Rules = tuple[Mapping[str, Any], ...]


class RoleContents:
    """Keeps the rules that were used last. What is not kept is read again."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most` is in bytes of JSON."""
        self._most = most
        self._kept: OrderedDict[str, tuple[Rules, int]] = OrderedDict()
        self._bytes = 0

    def keep(self, role: Role) -> None:
        """Keep the rules of a role, and drop those that nobody has used for longest."""
        digest = role.rules_digest
        if self.of(digest) is not None:
            return
        size = len(json.dumps(role.rules))
        self._kept[digest] = (role.rules, size)
        self._bytes += size
        while self._bytes > self._most:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped

    def of(self, digest: str) -> Rules | None:
        """Return the rules that have this digest, or None if they are not kept."""
        found = self._kept.get(digest)
        if found is None:
            return None
        self._kept.move_to_end(digest)
        return found[0]
