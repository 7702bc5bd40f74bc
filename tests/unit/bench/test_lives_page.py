"""The page and the picture are made from the kept runs."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.lives.drawing import LABEL, LONGEST, SCALE, WIDTH, Bar, draw
from bench.lives.page import performance_page, performance_picture
from bench.lives.results import KEPT, add_run, read_runs, seen_in

SVG = "{http://www.w3.org/2000/svg}"
MEDIANS = (16.0, 20.0, 18.0)


def a_run(slow: float) -> dict[str, Any]:
    """Return a run in which Curfew needed so many milliseconds, and the floor 10."""
    return {
        "at": datetime(2026, 11, 30, 15, tzinfo=UTC).isoformat(),
        "machine": "a machine, 2 cores",
        "versions": {"etcd": "v3.7.3"},
        "contenders": {
            "curfew": {"values": {"slow_p50_ms": slow, "calls": 9.0}, "calls": {"create rolebindings": 1.0}},
            "floor": {"values": {"slow_p50_ms": 10.0, "calls": 2.0}, "calls": {"create rolebindings": 1.0}},
        },
    }


def test_a_file_keeps_the_newest_runs(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    assert read_runs(path) == []

    for slow in (1.0, *MEDIANS):
        add_run(path, a_run(slow))

    kept = [seen_in(run)["curfew"].values["slow_p50_ms"] for run in read_runs(path)]
    assert len(kept) == KEPT
    assert kept == [*MEDIANS]


def test_the_page_has_each_run_and_the_median_ratio() -> None:
    page = performance_page([a_run(slow) for slow in MEDIANS])

    assert "| approval to access at 5/s, p50 | 16 ms | 20 ms | 18 ms | 10 ms | 1.80 x | ≤ 1.6 x |" in page
    assert "1.00 create rolebindings" in page
    assert "50/s" not in page, "what was not measured has no line"


def test_the_page_has_what_was_seen_in_an_old_cluster() -> None:
    values = {"finished": 50000.0, "active": 1000.0, "first_end_s": 2.5, "idle_percent": 0.4, "aged_mb": 140.0}
    run = a_run(16) | {"contenders": {"curfew": {"values": values | {"aged_peak_mb": 150.0}, "calls": {}}}}

    page = performance_page([a_run(16)], [run, run])

    line = "| start to first end, among 50,000 finished and 1,000 active | 2.5 s | 2.5 s | ≤ 10 s |"
    assert line in page
    assert "## In an old cluster" not in performance_page([a_run(16)])


def test_the_picture_shows_the_median_beside_what_is_to_be_reached() -> None:
    picture = ET.fromstring(performance_picture([a_run(slow) for slow in MEDIANS]))  # noqa: S314  our own

    slow, calls = picture.findall(f"{SVG}rect")
    assert (slow.get("class"), calls.get("class")) == ("missed", "met")
    assert float(slow.get("width") or 0) == round(SCALE * 18 / 16, 1)
    assert float(calls.get("width") or 0) == SCALE


def test_no_bar_leaves_the_picture_and_no_text_breaks_it() -> None:
    picture = ET.fromstring(draw("a <title>", [Bar("this & that", 1000.0, "<much>")]))  # noqa: S314  our own

    (bar,) = picture.findall(f"{SVG}rect")
    assert float(bar.get("width") or 0) == round(SCALE * LONGEST, 1)
    assert LABEL + SCALE * LONGEST < WIDTH
    assert [text.text for text in picture.findall(f"{SVG}text")][1:] == ["this & that", "<much> →"]
