"""Charts have a bar for each hour and weekday, in a unit that gives short numbers, and escape what people wrote."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from curfew.audit.record import PolicyRef
from curfew.audit.timespan import ALWAYS
from curfew.evidence.stats.book import StatsBook
from curfew.evidence.stats.figures import RequestStats
from curfew.evidence.stats.pictures import pictures
from tests.support.quarter import company, tell

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def timed_out_after(wait: timedelta, policy: str = "debug") -> RequestStats:
    book, story = StatsBook(ALWAYS), replace(company().story(NOON), policy=PolicyRef(policy, "uid", 1))
    for event, at in (("request.created", NOON), ("request.accepted", NOON), ("request.timed_out", NOON + wait)):
        book.take(tell(event, at, story)[1])
    return book.stats(UTC, None)


def bars(svg: str) -> dict[str, str]:
    """Return the values by their labels, as a screen reader reads them."""
    (told,) = re.findall(r"<desc>[^.]*\. (.*?)</desc>", svg)
    return dict(one.rsplit(": ", 1) for one in told.split("; "))


def test_each_hour_and_each_weekday_has_a_bar() -> None:
    drawn = pictures(timed_out_after(timedelta(minutes=90)))

    assert bars(drawn["wait_by_hour"]) == {f"{hour:02}": "90" if hour == 12 else "0" for hour in range(24)}
    assert bars(drawn["wait_by_weekday"]) == {
        day: "90" if day == "Mon" else "0" for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    }
    assert bars(drawn["waited_for"])["nobody had looked"] == "90"


def test_the_unit_follows_from_the_longest_wait() -> None:
    for wait, unit in (
        (timedelta(seconds=999), "seconds"),
        (timedelta(minutes=999), "minutes"),
        (timedelta(days=9), "hours"),
    ):
        assert unit in pictures(timed_out_after(wait))["wait_by_weekday"]


def test_names_are_text() -> None:
    svg = pictures(timed_out_after(timedelta(minutes=1), policy="<script>alert(1)</script>\u202e"))["wait_by_policy"]

    assert "<script" not in svg
    assert "\u202e" not in svg
    ET.fromstring(svg)  # noqa: S314  made by us


def test_nothing_is_drawn_of_nothing_without_an_error() -> None:
    assert all("<svg" in svg for svg in pictures(StatsBook(ALWAYS).stats(UTC, None)).values())
