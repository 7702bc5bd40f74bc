"""How the page is written: from templates, with everything escaped, invisible characters written out, and long texts cut."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from jinja2 import Environment

from curfew.cli.page.scope import EVERYWHERE, PageScope
from curfew.cli.requests.telling import risks_in_words
from curfew.core.guidance.story import story
from curfew.core.guidance.times import both_ways
from curfew.core.guidance.waiting import owes_review, waits_for
from curfew.evidence.page import environment
from curfew.evidence.stats.table import percent

LONGEST: Final = 400
"""Most characters of a text that are shown; kubectl and `curfew audit` show all."""

REFRESH: Final = 15
"""Seconds between two loads of a page that refreshes."""

FILES: Final = ("style.css", "icon.svg")

VIEWS: Final = (
    ("", "Requests"),
    ("policies", "Policies"),
    ("alerts", "Alerts"),
    ("bottlenecks", "Bottlenecks"),
    ("log", "Log"),
)
"""The views that the navigation shows: address and title."""


class Viewer(NamedTuple):
    """Who looks, and where, as kubectl has it. An empty text is not known."""

    name: str
    context: str
    namespace: str


class Renderer:
    """Writes the views of one person's page."""

    def __init__(self, viewer: Viewer) -> None:
        """`viewer` stands on each view."""
        self.viewer = viewer
        self._environment = _environment()
        self.files = {name: self._environment.get_template(name).render() for name in FILES}

    def render(self, template: str, scope: PageScope, now: datetime, **more: Any) -> str:
        """Return a view as HTML."""
        where = scope.within or self.viewer.namespace
        seconds = more.pop("refresh", REFRESH if scope.refreshes else 0)
        return self._environment.get_template(f"{template}.html").render(
            viewer=self.viewer,
            scope=scope,
            now=now,
            refresh=seconds,
            where="all namespaces" if where == EVERYWHERE else f"namespace {where}" if where else "your namespace",
            **more,
        )


def _environment() -> Environment:
    made = environment("curfew.cli.page")
    made.filters |= {
        "short": lambda text: text if len(text) <= LONGEST else f"{text[:LONGEST]}… (cut here)",
        "away": lambda at, now: both_ways(at, now).partition(", ")[0],
        "clock": lambda at, now: both_ways(at, now).partition(", ")[2],
        "exact": _exact,
        "iso": lambda at: at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    made.tests |= {"owing_a_review": owes_review}
    made.globals |= {
        "VIEWS": VIEWS,
        "EVERYWHERE": EVERYWHERE,
        "VERSION": version("curfew"),
        "waits_for": waits_for,
        "story": story,
        "risks": lambda words: list(_risks(words)),
        "elapsed": _elapsed,
        "percent": percent,
    }
    return made


def _risks(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield each risk with its meaning; an unknown one has none."""
    for one in risks_in_words(words):
        word, _, why = one.partition(": ")
        yield word, why


def _exact(at: datetime, now: datetime) -> str:
    """Return an instant to the second, with the day if it is not today's in UTC."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M:%S} UTC" if at.date() == now.astimezone(UTC).date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _elapsed(begin: datetime | None, end: datetime | None, now: datetime) -> int:
    """Return how much of an interval is over, in percent."""
    if begin is None or end is None or end <= begin:
        return 100
    return min(100, max(0, round(100 * ((now - begin) / (end - begin)))))
