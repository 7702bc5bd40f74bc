"""Waits by policy, by stage, by hour and by weekday: one row for each group, the longest tables cut."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from curfew.evidence.stats.table import Cell, CellKind, StatsColumn, StatsTable
from curfew.evidence.stats.waits import WaitParts, WaitSpread

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

SPREAD: Final = (
    StatsColumn("requests", "requests"),
    StatsColumn("p50", "p50", CellKind.WAIT),
    StatsColumn("p90", "p90", CellKind.WAIT),
    StatsColumn("worst", "worst", CellKind.WAIT),
)
PARTS: Final = (
    StatsColumn("nobody_looked_ms", "nobody looked", CellKind.SHARE),
    StatsColumn("other_stages_ms", "other stages", CellKind.SHARE),
    StatsColumn("record_or_rules_ms", "record, rules", CellKind.SHARE),
    StatsColumn("start_time_ms", "start time", CellKind.SHARE),
)
"""The columns of a table of waits. Parts are sums over the requests; people see them as shares of the sum of the waits."""


def grouped(things: Iterable[T], key: Callable[[T], K]) -> Mapping[K, list[T]]:
    """Return things by their key."""
    groups: dict[K, list[T]] = defaultdict(list)
    for one in things:
        groups[key(one)].append(one)
    return groups


def wait_cells(waits: Sequence[WaitParts]) -> tuple[Cell, ...]:
    """Return the cells of `SPREAD` and `PARTS`."""
    found, total = WaitSpread.of(one.whole for one in waits), WaitParts.sum(waits)
    parts = (total.nobody_looked, total.other_stages, total.record_or_rules, total.start_time)
    return (found.count, found.p50, found.p90, found.worst, *((one, total.whole) for one in parts))


def wait_table(
    name: str,
    title: str,
    first: StatsColumn,
    groups: Mapping[str, Sequence[WaitParts]],
    *,
    most: int | None = None,
    about: str = "",
) -> StatsTable:
    """Return a table of waits, a row for each group: in the order given, or if cut to `most`, the longest first.

    How long a group waits is the sum without the starts that were asked for: nobody waits for these against their will.
    """
    names = list(groups)
    if most is not None:
        sums = {one: WaitParts.sum(groups[one]) for one in names}
        names.sort(key=lambda one: (sums[one].start_time - sums[one].whole, one))
    shown, left = (names, []) if most is None else (names[:most], names[most:])
    together = [wait for one in left for wait in groups[one]]
    return StatsTable(
        name,
        title,
        (first, *SPREAD, *PARTS),
        [(one, *wait_cells(groups[one])) for one in shown],
        len(left),
        (None, *wait_cells(together)) if left else (),
        about,
    )


def cut(
    rows: Iterable[tuple[Cell, ...]], most: int, *, by: Callable[[tuple[Cell, ...]], int], numbers: Sequence[int]
) -> tuple[Sequence[tuple[Cell, ...]], int, tuple[Cell, ...]]:
    """Return the `most` largest rows, how many are left out, and one row with the sums of these at the places `numbers`."""
    ordered = sorted(rows, key=lambda row: (-by(row), *map(str, row)))
    shown, left = ordered[:most], ordered[most:]
    if not left:
        return shown, 0, ()
    sums = [_sum(row[place] for row in left) if place in numbers else None for place in range(len(left[0]))]
    return shown, len(left), tuple(sums)


def _sum(cells: Iterable[Cell]) -> Cell:
    """Return a sum of numbers, or of parts and of their wholes."""
    found = list(cells)
    pairs = [cell for cell in found if isinstance(cell, tuple)]
    if pairs:
        return sum(part for part, _ in pairs), sum(whole for _, whole in pairs)
    return sum(cell for cell in found if isinstance(cell, int))
