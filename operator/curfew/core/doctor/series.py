"""Numbers out of the text that Prometheus reads: enough of the format for Curfew's own metrics."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_LINE: Final = re.compile(r'(\w+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)(?: .*)?', re.ASCII)
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"', re.ASCII)


class Point(NamedTuple):
    """One series and its number."""

    labels: Mapping[str, str]
    value: float


def points(text: str, name: str) -> Iterator[Point]:
    """Yield the series of a metric. A line that cannot be read is left out."""
    for line in text.splitlines():
        if not line.startswith(name) or (found := _LINE.fullmatch(line)) is None or found[1] != name:
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        yield Point(dict(_LABEL.findall(found[2] or "")), value)


def value(text: str, name: str) -> float | None:
    """Return the number of a metric without labels, or None if it is not there."""
    return next((point.value for point in points(text, name)), None)
