"""Draws the table as bars, in SVG for light and dark ground: each figure as a share of what is to be reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH, LABEL, HEIGHT, TOP = 860, 330, 26, 34
SCALE: Final = 220
"""Pixels of what is exactly the bound."""

LONGEST: Final = 1.8
"""Bars that would be longer end here, with an arrow."""

STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .met { fill: #2da44e } .missed { fill: #cf5c36 } .bound { stroke: #24292f; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .met { fill: #3fb950 } .missed { fill: #f0883e } .bound { stroke: #e6edf3 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure: how it compares with its bound (1: just reached; less is better), and what is written beside it."""

    label: str
    share: float
    text: str


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Return the picture. Colour is not all that tells: the bound is a line, and the words are beside each bar."""
    height = TOP + HEIGHT * len(bars) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text x="{LABEL + SCALE}" y="20" text-anchor="middle">to reach</text>',
        *(line for row, bar in enumerate(bars) for line in _bar(bar, TOP + HEIGHT * row)),
        f'<line class="bound" x1="{LABEL + SCALE}" y1="26" x2="{LABEL + SCALE}" y2="{height - 8}"/>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(bar: Bar, y: int) -> Sequence[str]:
    length = round(SCALE * min(bar.share, LONGEST), 1)
    kind = "met" if bar.share <= 1 else "missed"
    more = " →" if bar.share > LONGEST else ""
    return (
        f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{kind}" x="{LABEL}" y="{y + 4}" width="{length}" height="{HEIGHT - 10}"/>',
        f'<text x="{LABEL + max(length, SCALE) + 8}" y="{y + 16}">{escape(bar.text)}{more}</text>',
    )
