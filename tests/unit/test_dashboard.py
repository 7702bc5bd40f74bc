"""The dashboard is one that Grafana can show: each panel has its place, its words and its queries."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest

DASHBOARD: Final = json.loads(
    (Path(__file__).parents[2] / "charts" / "curfew" / "monitoring" / "dashboard.json").read_text()
)
PANELS: Final[list[dict[str, Any]]] = DASHBOARD["panels"]
SHOWN: Final = [panel for panel in PANELS if panel["type"] != "row"]


def test_no_two_panels_are_in_the_same_place() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    assert [(a["title"], b["title"]) for a, b in combinations(PANELS, 2) if cells(a) & cells(b)] == []
    assert max(x for panel in PANELS for x, _ in cells(panel)) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("panel", SHOWN, ids=[panel["title"] for panel in SHOWN])
def test_each_panel_says_what_it_shows_and_asks_the_prometheus_that_was_chosen(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == ["A", "B", "C"][: len(letters)] != []


def test_the_variables_are_those_that_queries_use() -> None:
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}

    assert names == {"datasource", "namespace"}
    assert "$namespace" in json.dumps(PANELS)
