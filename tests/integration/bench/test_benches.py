"""Each bench measures what it says, in a tiny run; its bounds are meant for a large one on an idle machine."""

import math
from pathlib import Path

import pytest

from bench import search, session
from bench.command import BENCHES
from bench.plan import Plan
from tests.support.scale import soaks

FIGURES = {
    "verify": 3,
    "append": 3,
    "receipt": 3,
    "start": 1,
    "search": 2,
    "session": 3,
    "intake": 6,
    "monitored": 7,
    "lives": 20,
    "age": 4,
}

TRIED = [name for name in BENCHES if name not in ("monitored", "lives", "age") or soaks()]
"""One takes three minutes, as no grant is shorter than one; tests/integration/monitor/test_apart.py holds what it shows.

Two start servers of their own; test_lives.py tries the first in small.
"""


def test_what_each_bench_yields_is_known() -> None:
    assert FIGURES.keys() == BENCHES.keys()


@pytest.mark.parametrize("name", TRIED)
def test_a_bench_measures(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, measure = BENCHES[name]
    for often in (session, search):
        monkeypatch.setattr(often, "AGAIN", 1)

    figures = list(measure(Plan(tmp_path, records=400, seconds=0.5, cache=tmp_path / "cache")))

    assert len(figures) == FIGURES[name]
    for figure in figures:
        assert figure.bench == name
        assert math.isfinite(figure.value)
        assert figure.value > 0
        assert figure.against
