"""A short memory of calls that are nobody's now and may be somebody's when an earlier call arrives late.

API servers send their batches side by side, so the use of a token can arrive before the call that minted it.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from curfew.core.activity.call import Call

MOST_CALLS: Final = 2_000
MOST_OF_ONE: Final = 100
"""How many calls are remembered in all, and for one key. The oldest are forgotten first."""


class RecentCalls:
    """Calls by what would make them somebody's: a credential, a pod, an object that they delete."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._by_key: OrderedDict[Hashable, OrderedDict[str, Call]] = OrderedDict()
        self._count = 0

    def keep(self, key: Hashable, call: Call) -> None:
        """Remember a call."""
        calls = self._by_key.setdefault(key, OrderedDict())
        self._by_key.move_to_end(key)
        if f"{call.identity}{call.stage}" not in calls:
            calls[f"{call.identity}{call.stage}"] = call
            self._count += 1
        if len(calls) > MOST_OF_ONE:
            calls.popitem(last=False)
            self._count -= 1
        while self._count > MOST_CALLS:
            self._count -= len(self._by_key.popitem(last=False)[1])

    def of(self, key: Hashable) -> tuple[Call, ...]:
        """Return the calls with a key that are still remembered."""
        return tuple(self._by_key.get(key, {}).values())

    def __len__(self) -> int:
        """Return how many calls are remembered."""
        return self._count
