"""How much is measured, and where: what all benches are given."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.logs import Made, Shape, made
from tools.servers.progress import Progress

RECORDS, SECONDS = 1_000_000, 20.0
"""The sizes that the bounds are meant for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of a run. The bounds are meant for the default ones; in a tiny run, starting up is all there is."""

    folder: Path  # for what is written and thrown away
    records: int = RECORDS  # in the logs that are read
    seconds: float = SECONDS  # how long a rate is kept up
    cache: Path | None = None  # for the logs; None: the user's

    def log(self, records: int | None = None) -> Made:
        """Return a log of 90 days to read; in the last three, it shows a sign of life each minute that it is silent."""
        return made(Shape(records or self.records, heartbeat=60, heartbeat_days=3), self.cache)

    def progress(self, what: str) -> AbstractContextManager[Progress]:
        """Return what shows people that it goes on."""
        return Progress(what, sys.stderr)


def milliseconds(times: Sequence[float]) -> float:
    """Return the median of some times, which are in seconds, in milliseconds."""
    return median(times) * 1000
