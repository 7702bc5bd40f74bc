"""A session as SVG text: lanes below each other over one axis of time. Dark on white, and legible in grey.

Marks that would fall on one place of a lane are one mark with their number, so the size does not grow with the calls.
Labels are escaped here. The caller must make invisible characters in labels visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape

from curfew.evidence.charts import ALERT, BAR, FAINT, INK
from curfew.evidence.wording import count

WIDTH, _LEFT, _RIGHT, _ROW, _TOP, _BOTTOM = 900, 150, 16, 30, 8, 40
_INNER = WIDTH - _LEFT - _RIGHT
_STEP = 3
"""The width of one place on the axis, in the units of the view box."""

PLACES = _INNER // _STEP
"""How many places an axis has."""

_TICKS = 6


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that is drawn. Both ends are aware and in UTC."""

    begin: datetime
    end: datetime

    @classmethod
    def around(cls, begin: datetime, end: datetime) -> "Axis":
        """Return an axis that shows some time before and after an interval."""
        margin = max((end - begin) / 20, timedelta(seconds=1))
        return cls(begin - margin, end + margin)

    def after(self, at: datetime, length: timedelta) -> datetime:
        """Return an instant so long after another, but at most the end of the axis; a length can be of any size."""
        return at + min(length, max(self.end - at, timedelta(0)))

    def place(self, at: datetime) -> int:
        """Return the place of an instant. One that is outside is at the nearest end."""
        length = max(self.end - self.begin, timedelta(microseconds=1))
        return min(PLACES - 1, max(0, int((at - self.begin) / length * PLACES)))


@dataclass
class Lane:
    """One row: instants, which are counted for each place, and intervals."""

    title: str
    axis: Axis
    is_alert: bool = False
    instants: dict[int, int] = field(default_factory=dict)  # the number of each place
    intervals: list[tuple[datetime, datetime, str, bool]] = field(
        default_factory=list
    )  # with a label, and if it is bad

    def mark(self, at: datetime) -> None:
        """Add an instant."""
        place = self.axis.place(at)
        self.instants[place] = self.instants.get(place, 0) + 1

    def span(self, begin: datetime, end: datetime, label: str, *, is_bad: bool = False) -> None:
        """Add an interval."""
        self.intervals.append((begin, end, label, is_bad))


def draw(title: str, axis: Axis, lanes: Sequence[Lane]) -> str:
    """Draw lanes over an axis."""
    height = _TOP + _ROW * len(lanes) + _BOTTOM
    parts, told = [_HATCH], []
    for tick in range(_TICKS + 1):
        x = _LEFT + _INNER * tick / _TICKS
        at = axis.begin + (axis.end - axis.begin) * tick / _TICKS
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{height - _BOTTOM}" stroke="{FAINT}"/>')
        anchor = "start" if tick == 0 else "end" if tick == _TICKS else "middle"
        parts.append(f'<text x="{x:.1f}" y="{height - _BOTTOM + 16}" text-anchor="{anchor}">{at:%H:%M:%S}</text>')
    for row, lane in enumerate(lanes):
        y = _TOP + _ROW * row
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 19}" text-anchor="end">{escape(lane.title)}</text>')
        parts += [_interval(lane, y, *one) for one in lane.intervals]
        parts += [_instant(lane, y, place, number) for place, number in sorted(lane.instants.items())]
        marks = sum(lane.instants.values())
        labels = [f"{label}, {begin:%H:%M:%S} to {end:%H:%M:%S}" for begin, end, label, _ in lane.intervals]
        told.append(f"{lane.title}: {'; '.join([*([str(marks)] if marks or not labels else []), *labels])}")
    day = (
        f"{axis.begin:%Y-%m-%d}"
        if axis.begin.date() == axis.end.date()
        else f"{axis.begin:%Y-%m-%d} to {axis.end:%Y-%m-%d}"
    )
    parts.append(f'<text x="{_LEFT + _INNER / 2}" y="{height - 6}" text-anchor="middle">{day}, UTC</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height}" role="img" font-size="12" '
        f'fill="{INK}"><title>{escape(title)}</title><desc>{escape(". ".join(told))}</desc>{"".join(parts)}</svg>'
    )


_HATCH = (
    '<defs><pattern id="bad" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="6" height="6" fill="#fff"/><line x1="0" y1="0" x2="0" y2="6" stroke="{ALERT}" stroke-width="4"/>'
    "</pattern></defs>"
)


def _interval(lane: Lane, y: int, begin: datetime, end: datetime, label: str, is_bad: bool) -> str:
    first, last = lane.axis.place(begin), lane.axis.place(end)
    x, width = _LEFT + first * _STEP, max(1, last - first) * _STEP
    fill = "url(#bad)" if is_bad else BAR
    return (
        f'<rect x="{x}" y="{y + 8}" width="{width}" height="14" fill="{fill}" fill-opacity="0.75">'
        f"<title>{escape(label)}</title></rect>"
    )


def _instant(lane: Lane, y: int, place: int, number: int) -> str:
    colour = ALERT if lane.is_alert else INK
    at = lane.axis.begin + (lane.axis.end - lane.axis.begin) * place / PLACES
    label = f"{count(number, lane.title.lower().rstrip('s'))}, {at:%H:%M:%S}"
    return (
        f'<rect x="{_LEFT + place * _STEP}" y="{y + 4}" width="{_STEP - 0.6:.1f}" height="22" fill="{colour}">'
        f"<title>{escape(label)}</title></rect>"
    )
