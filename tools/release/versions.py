"""Which version a release is, and what the changelog says of it. All places that name a version must name the same."""

import re
from pathlib import Path
from typing import Final

import yaml

from tools.image.origin import CHECKOUT, project
from tools.release.errors import ReleaseError

CHANGELOG: Final = CHECKOUT / "CHANGELOG.md"
CHART: Final = CHECKOUT / "charts" / "curfew"


def version() -> str:
    """Return the version. Raise `ReleaseError` if pyproject.toml and the chart do not agree on it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    named = {
        "version in pyproject.toml": str(project()["version"]),
        "version in charts/curfew/Chart.yaml": str(chart["version"]),
        "appVersion in charts/curfew/Chart.yaml": str(chart["appVersion"]),
    }
    if len(set(named.values())) > 1:
        listed = "; ".join(f"{where} is {said}" for where, said in named.items())
        raise ReleaseError(f"The versions differ: {listed}. Make them the same.")
    return named["version in pyproject.toml"]


def changes(of: str, changelog: Path = CHANGELOG) -> str:
    """Return the changelog's section of a version, or of `Unreleased`. Raise `ReleaseError` if it has none, or no date."""
    heading = r"^## Unreleased$" if of == "Unreleased" else rf"^## \[?{re.escape(of)}\]? - \d{{4}}-\d\d-\d\d$"
    found = re.search(rf"{heading}\n(.*?)(?=^## |\Z)", changelog.read_text(), re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ReleaseError(
            f"{changelog.name} has no section about {of}. Add one: ## {of} - YYYY-MM-DD, and what changes."
        )
    return found[0].strip() + "\n"
