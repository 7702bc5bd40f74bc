"""How measured times are told: by what half of them, nearly all and all keep."""

import math
from collections.abc import Mapping, Sequence


def spread(values: Sequence[float]) -> Mapping[str, float]:
    """Return the value that half of some values do not exceed, the one that 99 in 100 do not, and the largest."""
    ordered = sorted(values)
    return {"p50": nearest(ordered, 0.50), "p99": nearest(ordered, 0.99), "max": ordered[-1]}


def nearest(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of ascending values that this share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
