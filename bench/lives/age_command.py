"""Measures an operator that starts in an old cluster: with many requests that are over and many grants that are active."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from bench.figures import as_json, as_table, machine
from bench.lives.age import ACTIVE, FINISHED, measure_age
from bench.lives.measuring import Seen
from bench.lives.results import AGES, add_run, as_run
from bench.lives.table import SUBJECT, age_figures
from bench.process import Failed
from curfew.adapters.clock import SystemClock
from tools.servers.errors import ServersError

FAILED: Final = 3


def main(arguments: Sequence[str]) -> int:
    """Measure, print the figures and return the exit code."""
    chosen = _parse(arguments)
    _tell(f"Measuring on {machine()}:")
    try:
        values = measure_age(chosen.finished, chosen.active, _tell)
    except (Failed, ServersError) as error:
        _tell(str(error))
        return FAILED
    figures = list(age_figures(values))
    print(as_json(figures) if chosen.json else as_table(figures))
    if chosen.save:
        add_run(AGES, as_run({SUBJECT: Seen(values, {})}, SystemClock().now()))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.lives age", description=__doc__)
    parser.add_argument("--finished", type=int, default=FINISHED, help="requests that are over (%(default)s)")
    parser.add_argument("--active", type=int, default=ACTIVE, help="grants (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--save", action="store_true", help="keep the run for docs/performance.md")
    chosen = parser.parse_args(arguments)
    if chosen.active < 1 or chosen.finished < 0:
        parser.error("there is at least one grant")
    if chosen.save and (chosen.finished, chosen.active) != (FINISHED, ACTIVE):
        parser.error("only a run with the default numbers can be kept")
    return chosen


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
