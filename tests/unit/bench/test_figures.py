"""A figure says what was measured, against what, and whether it keeps its bound."""

import json

import pytest

from bench.figures import Figure, amount, as_json, as_table, at_least, at_most

FAST = Figure("verify", "records a second", 61234.5, "/s", "zstd: 250,000/s", at_least(50_000))
LARGE = Figure("verify", "memory", 250.0, "MB", "100 MB for a quarter", at_most(200))
TOLD = Figure("append", "longest pause", 1.234, "ms", "a segment has 1,000 records")


@pytest.mark.parametrize(
    ("figure", "missed"),
    [
        (FAST, False),
        (LARGE, True),
        (TOLD, False),
        (Figure("a", "b", 50_000, "/s", "", at_least(50_000)), False),
        (Figure("a", "b", 49_999, "/s", "", at_least(50_000)), True),
        (Figure("a", "b", 3, "times", "", at_most(3)), False),
        (Figure("a", "b", float("nan"), "times", "", at_most(3)), True),
    ],
)
def test_a_bound_is_kept_up_to_its_limit(figure: Figure, *, missed: bool) -> None:
    assert figure.is_missed is missed


def test_the_table_says_what_was_measured_against_what_and_whether_it_is_enough() -> None:
    lines = as_table([FAST, LARGE, TOLD]).splitlines()

    assert [line.split("  ")[0] for line in lines[1:]] == ["verify", "verify", "append"]
    assert "61,234 /s" in lines[1]
    assert "≥ 50,000 /s" in lines[1]
    assert "met" in lines[1]
    assert lines[1].endswith("zstd: 250,000/s")
    assert "MISSED" in lines[2]
    assert "met" not in lines[3]
    assert "MISSED" not in lines[3]
    assert (
        len({line.index("records a second") for line in lines[1:2]} | {line.index("memory") for line in lines[2:3]})
        == 1
    )


def test_the_same_for_machines() -> None:
    told = json.loads(as_json([FAST, LARGE, TOLD]))

    assert [figure["met"] for figure in told["figures"]] == [True, False, None]
    assert told["figures"][0] == {
        "bench": "verify",
        "what": "records a second",
        "value": 61234.5,
        "unit": "/s",
        "bound": {"at_least": 50_000},
        "met": True,
        "against": "zstd: 250,000/s",
    }
    assert told["figures"][1]["bound"] == {"at_most": 200}
    assert told["figures"][2]["bound"] is None
    assert "cores, Python 3" in told["machine"]


@pytest.mark.parametrize(
    ("value", "text"), [(61234.5, "61,234 B"), (99.44, "99.4 B"), (1.2345, "1.23 B"), (0.0123, "0.0123 B"), (0, "0 B")]
)
def test_numbers_have_the_digits_that_mean_something(value: float, text: str) -> None:
    assert amount(value, "B") == text
