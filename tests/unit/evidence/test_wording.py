"""How numbers are written."""

from datetime import timedelta

import pytest

from curfew.audit.wording import duration
from curfew.evidence.tables import to_csv
from curfew.evidence.wording import share


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.018, "18 ms"),
        (1.5, "1.5 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (90_061, "1 d 1 h"),
        (-90, "-1 min 30 s"),
    ],
)
def test_a_duration_says_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_a_share_is_all_only_when_it_is_all() -> None:
    assert share(100_000, 100_000) == "100 %"
    assert share(99_999, 100_000) == "99.99 %"
    assert share(1, 3) == "33.33 %"
    assert share(0, 0) == "\N{EN DASH}"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_cell_cannot_be_a_formula(text: str) -> None:
    assert to_csv(["reason"], [{"reason": text}]).splitlines()[1].lstrip('"').startswith("'")
