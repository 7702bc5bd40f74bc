"""Charts: well-formed, readable without seeing them, and true to their numbers."""

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from curfew.evidence.charts import Bars, Frame, columns, rows
from curfew.evidence.figures import LATE_BY, Spread, histogram

SVG = "{http://www.w3.org/2000/svg}"
FRAME = Frame("Grants by week", "weeks")
HOSTILE = '"><script>alert(1)</script>'


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own text


def heights(svg: str) -> list[float]:
    return [float(bar.get("height", "")) for bar in drawn(svg).iterfind(f"{SVG}rect")]


@pytest.mark.parametrize("bars", [[], [("a", 0)], [("a", 1), ("b", 2)], [(str(n), n) for n in range(366)]])
def test_a_chart_has_a_title_and_says_its_numbers_in_words(bars: Bars) -> None:
    for svg in (columns(FRAME, bars), rows(FRAME, bars)):
        chart = drawn(svg)

        assert chart.get("role") == "img"
        assert chart.findtext(f"{SVG}title") == "Grants by week"
        assert all(f"{label}: {value:,}" in chart.findtext(f"{SVG}desc", "") for label, value in bars)


def test_bars_are_as_high_as_their_numbers_say() -> None:
    two, ten, five = heights(columns(FRAME, [("a", 2), ("b", 10), ("c", 5)]))

    assert two / ten == pytest.approx(0.2, abs=0.01)
    assert five / ten == pytest.approx(0.5, abs=0.01)


def test_one_of_ten_thousand_can_still_be_seen_and_none_is_no_bar() -> None:
    assert len(heights(columns(FRAME, [("many", 10_000), ("one", 1), ("none", 0)]))) == 2
    assert min(heights(columns(FRAME, [("many", 10_000), ("one", 1)]))) >= 1.5


def test_bars_and_labels_stay_inside() -> None:
    for value in (1, 3, 7, 99, 12_345):
        for element in drawn(columns(FRAME, [("a", value), ("b", 1)])).iter():
            assert 0 <= float(element.get("x", 0)) <= FRAME.width
            assert 0 <= float(element.get("y", 0)) <= FRAME.height


def test_a_label_cannot_break_out() -> None:
    for svg in (columns(FRAME, [(HOSTILE, 1)]), rows(FRAME, [(HOSTILE, 1)])):
        assert "<script" not in svg
        drawn(svg)


def test_a_duration_falls_into_the_class_that_it_is_at_most() -> None:
    late = [timedelta(0), timedelta(milliseconds=10), timedelta(seconds=60), timedelta(seconds=60, milliseconds=1)]

    assert dict(histogram(late, LATE_BY)) == {
        "not late": 1,
        "up to 10 ms": 1,
        "10 to 100 ms": 0,
        "0.1 to 1 s": 0,
        "1 to 10 s": 0,
        "10 to 60 s": 1,
        "over 60 s": 1,
    }


def test_a_spread_is_by_nearest_rank() -> None:
    spread = Spread.of(timedelta(seconds=n) for n in range(1, 101))

    assert spread == Spread(100, timedelta(seconds=50), timedelta(seconds=95), timedelta(seconds=100))
    assert Spread.of([]) == Spread(0, None, None, None)
