"""A table of numbers: bounded, and in the forms for people and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from curfew.audit.wording import duration
from curfew.evidence.wording import NONE

MOST_ROWS: Final = 20
"""Most rows of a table whose rows are names, unless more are asked for."""

Cell = str | int | None | tuple[int, int]
"""A text, a number, or a part and its whole."""


class CellKind(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    NUMBER = "number"
    WAIT = "wait"  # in milliseconds
    SHARE = "share"  # a part and its whole, each of which is also a column, or a wait


@dataclass(frozen=True, slots=True)
class StatsColumn:
    """A column: its name for programs, its heading for people, and what its values are."""

    name: str
    heading: str
    kind: CellKind = CellKind.NUMBER


@dataclass(frozen=True, slots=True)
class StatsTable:
    """A table. `rest` is one more row, for the rows that are left out; its first cell is how many these are."""

    name: str
    title: str
    columns: tuple[StatsColumn, ...]
    rows: Sequence[tuple[Cell, ...]]
    others: int = 0
    rest: tuple[Cell, ...] = ()
    about: str = ""  # a sentence on what is counted

    def to_json(self) -> dict[str, Any]:
        """Return the table for programs: waits in milliseconds, and no shares, because these follow from the rest."""
        told: dict[str, Any] = {"rows": [self._plain(row) for row in self.rows]}
        if self.others:
            told["others"] = {"rows": self.others} | self._plain(self.rest, first=1)
        return told

    def texts(self) -> list[tuple[str, ...]]:
        """Return the rows for people, without the headings; the last one is the sum of those that are left out."""
        shown = [tuple(map(_text, self.columns, row)) for row in self.rows]
        if self.others:
            named = (f"{self.others:,} others", *map(_text, self.columns[1:], self.rest[1:]))
            shown.append(named)
        return shown

    def _plain(self, row: tuple[Cell, ...], first: int = 0) -> dict[str, Any]:
        cells = list(zip(self.columns, row, strict=True))[first:]
        return {
            f"{column.name}_ms" if column.kind is CellKind.WAIT else column.name: _wait(cell)
            for column, cell in cells
            if column.kind is not CellKind.SHARE or column.name.endswith("_ms")
        }


def number(value: object) -> int:
    """Return a whole number from a cell or a record; 0 for anything else."""
    return value if type(value) is int else 0


def _wait(cell: Cell) -> Cell:
    """Return what a program reads of a cell: of a part of a wait, the part."""
    return cell[0] if isinstance(cell, tuple) else cell


def _text(column: StatsColumn, cell: Cell) -> str:
    if cell is None:
        return NONE
    match column.kind:
        case CellKind.WAIT:
            assert isinstance(cell, int)  # noqa: S101  so the table was made
            return duration(timedelta(milliseconds=cell))
        case CellKind.SHARE:
            assert isinstance(cell, tuple)  # noqa: S101  so the table was made
            return percent(*cell)
        case CellKind.NUMBER:
            return f"{cell:,}" if isinstance(cell, int) else str(cell)
        case CellKind.TEXT:
            return str(cell) or NONE


def percent(part: int, whole: int) -> str:
    """Return a part as a percentage with one digit, which is 0 or 100 only if it is none or all."""
    if not whole:
        return NONE
    if part in (0, whole):
        return "100 %" if part else "0 %"
    tenths = min(max(round(1000 * part / whole), 1), 999)
    return f"{tenths / 10:.1f} %"
