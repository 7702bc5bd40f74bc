"""Tables are bounded, their rest is summed, and people and programs see the same."""

import pytest

from curfew.evidence.stats.groups import cut, wait_table
from curfew.evidence.stats.table import Cell, CellKind, StatsColumn, StatsTable, percent
from curfew.evidence.stats.waits import WaitParts

NAME = StatsColumn("name", "name", CellKind.TEXT)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "\N{EN DASH}"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10**9, "0.1 %"),
        (10**9 - 1, 10**9, "99.9 %"),
        (1, 3, "33.3 %"),
    ],
)
def test_a_share_is_none_or_all_only_if_it_is(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


def test_the_largest_rows_stay_and_equal_ones_are_in_the_order_of_their_names() -> None:
    rows: list[tuple[Cell, ...]] = [("c", 1, (1, 4)), ("b", 3, (3, 4)), ("a", 1, (1, 4)), ("d", 0, (0, 9))]

    shown, others, rest = cut(rows, 2, by=lambda row: int(str(row[1])), numbers=(1, 2))

    assert [row[0] for row in shown] == ["b", "a"]
    assert (others, rest) == (2, (None, 1, (1, 13)))


def test_policies_that_wait_only_for_the_wanted_start_come_last() -> None:
    waits = {"late start": [WaitParts(start_time=10**9)], "stuck": [WaitParts(nobody_looked=60_000)]}

    assert [row[0] for row in wait_table("x", "X", NAME, waits, most=5).rows] == ["stuck", "late start"]


def test_people_and_programs_see_the_same() -> None:
    waits = {"b": [WaitParts(1000, 500, 250, 250)], "a": [WaitParts(nobody_looked=61_000)], "c": [WaitParts()]}
    table = wait_table("x", "X", NAME, waits, most=1)

    assert table.texts() == [
        ("a", "1", "1 min 1 s", "1 min 1 s", "1 min 1 s", "100 %", "0 %", "0 %", "0 %"),
        ("2 others", "2", "0 ms", "2 s", "2 s", "50.0 %", "25.0 %", "12.5 %", "12.5 %"),
    ]
    assert table.to_json()["rows"] == [
        {
            "name": "a",
            "requests": 1,
            "p50_ms": 61_000,
            "p90_ms": 61_000,
            "worst_ms": 61_000,
            "nobody_looked_ms": 61_000,
            "other_stages_ms": 0,
            "record_or_rules_ms": 0,
            "start_time_ms": 0,
        }
    ]
    assert table.to_json()["others"]["rows"] == 2
    assert table.to_json()["others"]["other_stages_ms"] == 500


def test_a_share_that_follows_from_numbers_is_for_people_alone() -> None:
    columns = (NAME, StatsColumn("part", "part"), StatsColumn("share", "share", CellKind.SHARE))
    table = StatsTable("x", "X", columns, [("", 1, (1, 2))])

    assert table.texts() == [("\N{EN DASH}", "1", "50.0 %")]
    assert table.to_json() == {"rows": [{"name": "", "part": 1}]}
