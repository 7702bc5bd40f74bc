"""The picture of the layers in docs/architecture.md is the one that `make check` holds the imports to."""

import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import grimp

TOP: Final = Path(__file__).parents[2]
SOURCES: Final = TOP / "operator" / "curfew"
MOST_LINES: Final = 400
"""Of a file: what one sitting is enough to read."""

PAGE: Final = (TOP / "docs" / "architecture.md").read_text()


def test_the_picture_is_the_contract() -> None:
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract for contract in contracts if contract["type"] == "layers")
    assert layers["exhaustive"]
    assert layers["containers"] == ["curfew"]
    assert f"```\n{' > '.join(layers['layers'])}\n```" in PAGE


def test_each_package_is_described() -> None:
    section = PAGE.split("\n## Layers\n")[1].split("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(described) == sorted(path.parent.name for path in SOURCES.glob("*/__init__.py"))


def test_each_module_is_in_a_package() -> None:
    assert {path.name for path in SOURCES.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("curfew")
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


def test_a_file_can_be_read_in_one_sitting() -> None:
    lines = {path.relative_to(SOURCES): len(path.read_text().splitlines()) for path in SOURCES.rglob("*.py")}
    assert {path: number for path, number in lines.items() if number > MOST_LINES} == {}
