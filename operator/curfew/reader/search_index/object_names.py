"""The record that an index keeps of the names of a log's objects: a later search sees that they are still the same."""

import hashlib
import json
from collections.abc import Sequence
from itertools import groupby

from curfew.audit.beginning import Beginning
from curfew.audit.segment import partition
from curfew.audit.witness import Witness


def digest(names: Sequence[str]) -> str:
    """Return a hash of the names of each partition, so that whole partitions can be removed. `names` are in order."""
    return json.dumps(_by_partition(names))


def are_still_there(digested: str, names: Sequence[str], since: Witness, beginning: Beginning | None) -> bool:
    """Whether the names up to a witness are those that were digested, except those before a log's beginning.

    `names` are in order, and none is from before the beginning. In the partition in which the log begins, it is only
    checked that no place is empty and none is taken twice.
    """
    then, now = json.loads(digested), _by_partition(names)
    if beginning is None:
        return bool(then == now)
    first = partition(since.head.log, beginning.head.next_day)
    then, now = ({day: hash_ for day, hash_ in one.items() if day > first} for one in (then, now))
    return bool(then == now) and len(names) == since.head.seq - beginning.head.seq


def _by_partition(names: Sequence[str]) -> dict[str, str]:
    parts = groupby(sorted(names), key=lambda name: name.rpartition("/")[0] + "/")
    return {part: hashlib.sha256("\n".join(some).encode()).hexdigest() for part, some in parts}
