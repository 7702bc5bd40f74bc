"""Each bench measures what it says, in a tiny run; its bounds are meant for a large one on an idle machine."""

import math
from pathlib import Path

import pytest

from bench.command import BENCHES
from bench.plan import Plan

FIGURES = {"verify": 3, "append": 3, "receipt": 3, "start": 1, "search": 2}


@pytest.mark.parametrize("name", BENCHES)
def test_a_bench_measures(name: str, tmp_path: Path) -> None:
    _, measure = BENCHES[name]

    figures = list(measure(Plan(tmp_path, records=400, seconds=0.5, cache=tmp_path / "cache")))

    assert len(figures) == FIGURES[name]
    for figure in figures:
        assert figure.bench == name
        assert math.isfinite(figure.value)
        assert figure.value > 0
        assert figure.against
