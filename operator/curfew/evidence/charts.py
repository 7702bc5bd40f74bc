"""Charts as SVG text: bars with axes, labels and a title that a screen reader reads. Dark on white, and legible in grey.

Labels are escaped here. The caller must make invisible characters in labels visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

INK, FAINT, BAR, ALERT = "#1a1a1a", "#d0d5db", "#2f5d8a", "#b3261e"
_FONT = 11  # the size of labels, in the units of the view box

Bars = Sequence[tuple[str, int]]
"""Labels and values, in the order in which they are drawn."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A chart's name, what its values count, and its size in the units of its view box."""

    title: str
    unit: str
    width: int = 680
    height: int = 220


def columns(frame: Frame, bars: Bars, *, alert: str = "") -> str:
    """Draw upright bars. The bar labelled `alert` is marked by colour and by hatching."""
    left, right, top, bottom = 52, 8, 18, 46
    inner, tall = frame.width - left - right, frame.height - top - bottom
    peak = _round_up(max((value for _, value in bars), default=0))
    slot = inner / max(1, len(bars))
    every = max(1, -(-len(bars) * 46 // inner))  # columns per label, so that labels do not touch
    parts = []
    for tick in _ticks(peak):
        y = top + tall - tall * tick / peak
        parts.append(_line(left, y, frame.width - right, y, FAINT))
        parts.append(_text(left - 6, y + 4, f"{tick:,}", "end"))
    for place, (label, value) in enumerate(bars):
        x, height = left + slot * place, tall * value / peak
        middle = x + slot / 2
        if value:
            parts.append(
                _bar(x + slot * 0.14, top + tall - height, slot * 0.72, height, f"{label}: {value:,}", label == alert)
            )
        if value and slot > 24:
            parts.append(_text(middle, top + tall - height - 4, f"{value:,}", "middle"))
        if place % every == 0:
            parts.append(_text(middle, top + tall + 16, label, "middle"))
    parts.append(_line(left, top + tall, frame.width - right, top + tall, INK))
    parts.append(_text(left + inner / 2, frame.height - 8, frame.unit, "middle"))
    return _svg(frame, bars, [_HATCH, *parts] if alert else parts)


def rows(frame: Frame, bars: Bars) -> str:
    """Draw horizontal bars, one below the other: for names, which are long. The height follows from their number."""
    left, right, line = 250, 56, 24
    height = line * max(1, len(bars)) + 26
    inner = frame.width - left - right
    peak = max((value for _, value in bars), default=0) or 1
    parts = []
    for place, (label, value) in enumerate(bars):
        y, width = line * place + 4, inner * value / peak
        parts.append(_text(left - 8, y + 13, _cut(label, 38), "end"))
        parts.append(_bar(left, y, width, line - 8, f"{label}: {value:,}", is_alert=False))
        parts.append(_text(left + width + 6, y + 13, f"{value:,}", "start"))
    parts.append(_line(left, 0, left, height - 24, INK))
    parts.append(_text(left, height - 6, frame.unit, "start"))
    return _svg(Frame(frame.title, frame.unit, frame.width, height), bars, parts)


def _svg(frame: Frame, bars: Bars, parts: Sequence[str]) -> str:
    told = "; ".join(f"{label}: {value:,}" for label, value in bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'font-size="{_FONT}" fill="{INK}"><title>{escape(frame.title)}</title>'
        f"<desc>{escape(frame.unit)}. {escape(told)}</desc>"
        f"{''.join(parts)}</svg>"
    )


_HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="6" height="6" fill="{ALERT}"/><line x1="0" y1="0" x2="0" y2="6" stroke="#fff" stroke-width="2"/>'
    "</pattern></defs>"
)


def _bar(x: float, y: float, width: float, height: float, told: str, is_alert: bool) -> str:
    height, y = (max(height, 1.5), min(y, y + height - 1.5)) if height < 1.5 else (height, y)  # 1 of 10,000 is visible
    fill = "url(#hatch)" if is_alert else BAR
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1.5):.1f}" height="{height:.1f}" fill="{fill}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _round_up(value: int) -> int:
    """Return the end of an axis: the next 1, 2 or 5 times a power of ten, and at least 5."""
    size = 1
    while True:
        for factor in (5, 10, 20):
            if value <= factor * size:
                return factor * size
        size *= 10


def _ticks(peak: int) -> range:
    """Return where an axis has its lines: five steps if they are whole numbers, otherwise four."""
    return range(0, peak + 1, peak // (5 if peak % 5 == 0 else 4))
