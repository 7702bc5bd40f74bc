"""The runs of the table that docs/performance.md shows, kept as JSON: the page is made from them and from nothing else."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench.figures import machine
from bench.lives.measuring import Seen
from curfew.api.times import format_time
from tools.installation import CHECKOUT
from tools.servers.build import binary

KEPT: Final = 3
"""How many runs are kept: the newest."""

SERVERS: Final = ("kube-apiserver", "etcd", "versitygw")

FOLDER: Final = CHECKOUT / "docs" / "performance"
RESULTS: Final = FOLDER / "results.json"
"""The kept runs of the table."""

AGES: Final = FOLDER / "ages.json"
"""The kept runs in an old cluster."""

Run = Mapping[str, Any]


def as_run(seen: Mapping[str, Seen], at: datetime) -> Run:
    """Return what was seen in a run, with what it was measured on."""
    return {
        "at": format_time(at.replace(microsecond=0)),
        "machine": machine(),
        "versions": {name: _built(name) for name in SERVERS} | {"aiohttp": version("aiohttp")},
        "contenders": {
            name: {"values": _rounded(one.values), "calls": _rounded(one.calls)} for name, one in sorted(seen.items())
        },
    }


def read_runs(path: Path) -> Sequence[Run]:
    """Return the runs in a file, the oldest first; none if there is no file."""
    runs: list[Run] = json.loads(path.read_text())["runs"] if path.exists() else []
    return runs


def add_run(path: Path, run: Run) -> None:
    """Add a run to those in a file, which keeps the newest."""
    runs = [*read_runs(path), run][-KEPT:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"runs": runs}, indent=2, ensure_ascii=False) + "\n")


def seen_in(run: Run) -> Mapping[str, Seen]:
    """Return what was seen in a run."""
    return {name: Seen(one["values"], one["calls"]) for name, one in run["contenders"].items()}


def _built(name: str) -> str:
    """Return the version of a server, which is in the name of its folder, between its own and the key of the build."""
    return binary(name).parent.name.removeprefix(f"{name}-").rpartition("-")[0]


def _rounded(values: Mapping[str, float]) -> Mapping[str, float]:
    """Return values with three digits after the point: nobody measures more."""
    return {name: round(value, 3) for name, value in values.items()}
