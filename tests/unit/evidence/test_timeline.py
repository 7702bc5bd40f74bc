"""A timeline: well-formed, readable without seeing it, true to its times, and no larger for a million calls."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from curfew.evidence.timeline import PLACES, WIDTH, Axis, Lane, draw

SVG = "{http://www.w3.org/2000/svg}"
BEGIN = datetime(2026, 7, 14, 12, tzinfo=UTC)
END = BEGIN + timedelta(hours=1)
AXIS = Axis(BEGIN, END)
HOSTILE = '"><script>alert(1)</script>'


def drawn(*lanes: Lane) -> ET.Element:
    return ET.fromstring(draw("Session a", AXIS, lanes))  # noqa: S314  our own text


def marks(*lanes: Lane) -> list[float]:
    """Return where each mark begins."""
    return [float(mark.get("x", "")) for mark in drawn(*lanes).iterfind(f"{SVG}rect")]


def test_what_happened_later_is_further_to_the_right() -> None:
    lane = Lane("Reads", AXIS)
    for minutes in (50, 10, 30):
        lane.mark(BEGIN + timedelta(minutes=minutes))

    first, second, third = marks(lane)

    assert first < second < third
    assert second - first == pytest.approx(third - second, abs=4)


def test_calls_at_one_time_are_one_mark_with_their_number() -> None:
    lane = Lane("Reads", AXIS)
    for milliseconds in range(1000):
        lane.mark(BEGIN + timedelta(milliseconds=milliseconds))

    svg = draw("Session a", AXIS, [lane])

    assert len(marks(lane)) == 1
    assert "1,000 reads, 12:00:00" in svg


def test_a_million_calls_are_no_more_marks_than_places() -> None:
    lane = Lane("Reads", AXIS)
    for place in range(20_000):
        lane.mark(BEGIN + timedelta(milliseconds=180 * place))

    assert len(marks(lane)) == PLACES


def test_what_is_outside_is_at_the_edge() -> None:
    lane = Lane("Alerts", AXIS, is_alert=True)
    lane.mark(BEGIN - timedelta(days=1))
    lane.mark(END + timedelta(days=1))
    lane.span(BEGIN - timedelta(days=1), END + timedelta(days=1), "all of it")

    for mark in drawn(lane).iterfind(f"{SVG}rect"):
        assert float(mark.get("x", "")) >= 0
        assert float(mark.get("x", "")) + float(mark.get("width", "")) <= WIDTH


def test_it_says_in_words_what_it_shows() -> None:
    feed = Lane("Feed", AXIS)
    feed.span(BEGIN, BEGIN + timedelta(minutes=20), "the feed was whole")
    feed.span(BEGIN + timedelta(minutes=20), END, "not known to be whole", is_bad=True)
    reads = Lane("Reads", AXIS)
    reads.mark(BEGIN)

    told = drawn(feed, reads).findtext(f"{SVG}desc", "")

    assert "Feed: the feed was whole, 12:00:00 to 12:20:00; not known to be whole, 12:20:00 to 13:00:00" in told
    assert "Reads: 1" in told
    assert drawn(feed, reads).findtext(f"{SVG}title") == "Session a"


def test_what_is_bad_differs_by_more_than_its_colour() -> None:
    lane = Lane("Feed", AXIS)
    lane.span(BEGIN, END, "not known to be whole", is_bad=True)

    assert 'fill="url(#bad)"' in draw("Session a", AXIS, [lane])


def test_a_label_cannot_break_out() -> None:
    lane = Lane(HOSTILE, AXIS)
    lane.mark(BEGIN)
    lane.span(BEGIN, END, HOSTILE)

    svg = draw(HOSTILE, AXIS, [lane])

    assert "<script" not in svg
    ET.fromstring(svg)  # noqa: S314  our own text


def test_a_session_without_any_length_can_be_drawn() -> None:
    axis = Axis.around(BEGIN, BEGIN)
    lane = Lane("Reads", axis)
    lane.mark(BEGIN)

    ET.fromstring(draw("Session a", axis, [lane]))  # noqa: S314  our own text
    assert 0 < next(iter(lane.instants)) < PLACES - 1
