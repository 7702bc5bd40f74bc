"""The place in the chain that an object claims by its name."""

import functools
import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from curfew.audit.segment import SUFFIX, prefix


def in_order(log: str, names: Iterable[str]) -> list[str]:
    """Return object names by their place in the chain, in which order they are verified; foreign names come last."""
    return sorted(names, key=lambda name: (_rank(log, name), name))


def up_to(log: str, names: Sequence[str], seq: int) -> Sequence[str]:
    """Return the names that claim a place up to `seq`; `names` are in order."""
    return names[: bisect_right(names, seq, key=lambda name: _rank(log, name))]


def _rank(log: str, name: str) -> int:
    return seq if (seq := place(log, name)) >= 0 else sys.maxsize


def place(log: str, name: str) -> int:
    """Return the place in the chain that a name claims, or -1 if it is not the name of a segment of this log."""
    match = _name_in(log).fullmatch(name)
    return int(match[1]) if match else -1


@functools.lru_cache(maxsize=8)
def _name_in(log: str) -> re.Pattern[str]:
    """Return the pattern of the names of a log's segments."""
    within = r"dt=\d{4}-\d{2}-\d{2}/(\d{12})-[0-9a-f]{16}"
    return re.compile(re.escape(prefix(log)) + within + re.escape(SUFFIX), re.ASCII)
