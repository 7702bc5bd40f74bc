"""One session as a page of HTML that needs nothing else: the answer, a timeline, the calls grouped, and what is left."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from curfew.api.activity import Activity
from curfew.audit.record import Story
from curfew.audit.wording import printable
from curfew.evidence.calls import CallGroup, CallGroups, SeenCall
from curfew.evidence.page import environment
from curfew.evidence.timeline import Axis, Lane, draw

CALLS_SHOWN = 500
"""The most calls that the page lists one by one. All calls are in the groups and in the timeline."""


@dataclass(frozen=True, slots=True)
class NotedAlert:
    """An alert of the monitor, and the index of its record in the log of activity."""

    index: int
    at: datetime
    event: str
    message: str


@dataclass(frozen=True, slots=True)
class SeenElsewhere:
    """What another system wrote about the session, how strongly it is tied to it, and the index of its record."""

    index: int
    at: datetime
    system: str
    strength: str  # core.activity.external.tying.Strength
    message: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A time of which something is said."""

    since: datetime
    until: datetime
    why: str


class SeenSession:
    """Takes the calls and alerts of one session, in order. Memory grows with `most` and with the alerts."""

    def __init__(self, axis: Axis, most: int = CALLS_SHOWN) -> None:
        """`most` is how many calls are kept one by one."""
        self.axis = axis
        self.calls: list[SeenCall] = []
        self.alerts: list[NotedAlert] = []
        self.elsewhere: list[SeenElsewhere] = []
        self.by_system: Counter[tuple[str, str]] = Counter()  # what other systems wrote, by system and strength
        self.number = 0
        self._most = most
        self._groups = CallGroups()
        self._lanes = {
            title: Lane(title, axis, is_alert=title == _ALERTS) for title in (*_LANES.values(), _ELSEWHERE, _ALERTS)
        }

    def take_alert(self, alert: NotedAlert) -> None:
        """Take an alert."""
        self.alerts.append(alert)
        self._lanes[_ALERTS].mark(alert.at)

    def take_elsewhere(self, one: SeenElsewhere) -> None:
        """Take what another system wrote."""
        self.by_system[one.system, one.strength] += 1
        self._lanes[_ELSEWHERE].mark(one.at)
        if len(self.elsewhere) < self._most:
            self.elsewhere.append(one)

    def take(self, call: SeenCall) -> None:
        """Take a call that has ended."""
        self.number += 1
        self._groups.take(call)
        lane = self._lanes.get(_LANES.get(call.outcome, ""))
        if lane is not None:
            lane.mark(call.at)
            if call.outcome == "Opaque" and call.lasted and len(lane.intervals) < _CONNECTIONS_DRAWN:
                lane.span(call.at, self.axis.after(call.at, call.lasted), printable(f"{call.resource} {call.name}"))
        if len(self.calls) < self._most:
            self.calls.append(call)

    @property
    def groups(self) -> tuple[CallGroup, ...]:
        """The calls, grouped."""
        return self._groups.groups

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes of the timeline that hold something."""
        return tuple(lane for lane in self._lanes.values() if lane.instants)


_CONNECTIONS_DRAWN = 100
"""The most connections whose length is drawn; of the others, the timeline shows the beginning."""

_ALERTS, _ELSEWHERE = "Alerts", "Other systems"
_LANES = {
    "Read": "Reads",
    "Changed": "Changes",
    "Unsure": "Unsure",
    "Opaque": "Connections",
    "Denied": "Refused",
    "Failed": "Failed",
    "DryRun": "Dry runs",
}
"""The lane of each outcome of a call, by `core.activity.effect.Effect`."""


@dataclass(frozen=True, slots=True)
class SessionBasis:
    """The basis of a page: both logs, with the keys that they were verified with."""

    trail: str
    activity: str
    location: str
    keys: Sequence[str]
    made_at: datetime
    version: str
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ToldSession:
    """Everything that is known of a session."""

    story: Story  # joined from the trail
    begin: datetime  # the window that the answer is about
    end: datetime
    answer: Activity  # computed from both logs
    recorded: Activity | None  # as the monitor recorded it last, in the record with this index
    recorded_in: int | None
    differs: tuple[str, ...]  # the fields in which the recorded answer differs
    holes: tuple[Interval, ...]  # the times in which the feed is not known to have been whole
    remains: tuple[str, ...]  # each as a clause
    seen: SeenSession = field(repr=False)

    @property
    def lanes(self) -> Iterator[Lane]:
        """Yield the lanes of the timeline."""
        access = Lane("Access", self.seen.axis)
        access.span(self.story.granted_at or self.begin, self.end, "the access was in force")
        feed = Lane("Feed", self.seen.axis)
        at = self.begin
        for hole in self.holes:
            if hole.since > at:
                feed.span(at, hole.since, "the feed was whole")
            feed.span(hole.since, hole.until, f"not known to be whole: {printable(hole.why)}", is_bad=True)
            at = max(at, hole.until)
        if self.end > at:
            feed.span(at, self.end, "the feed was whole")
        yield from (access, feed, *self.seen.lanes)


def render_session(told: ToldSession, basis: SessionBasis) -> str:
    """Return the page as HTML."""
    title = f"Session {told.story.request} in {told.story.namespace}"
    drawn = draw(printable(title), told.seen.axis, list(told.lanes))
    return (
        environment()
        .get_template("session.html")
        .render(
            told=told,
            story=told.story,
            answer=told.answer,
            basis=basis,
            timeline=Markup(drawn),  # noqa: S704  `draw` escapes its input
            SHOWN=CALLS_SHOWN,
        )
    )
