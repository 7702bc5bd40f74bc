"""The rules as promtool sees them: well written, and each alert fires when it has to, and is silent otherwise."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.integration.chart.helm import one, rendered
from tests.integration.installed import CHART
from tools.servers.build import binary
from tools.servers.cluster import run_command

CHECKOUT: Final = CHART.parents[1]
TESTS: Final = CHECKOUT / "tests" / "rules"


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool; what it finds is in the answer."""
    command = [str(binary("promtool")), *map(str, arguments)]
    return run_command(command, os.environ, stdin=None, check=False, timeout=300)


def test_the_rules_are_well_written() -> None:
    """Those of the files, without anything that promtool only warns of."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted((CHART / "monitoring").glob("*.yaml")))

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_chart_makes_of_them_are_rules_too(tmp_path: Path) -> None:
    manifests = rendered("--set", "monitoring.rules.enabled=true", "--set", "monitor.enabled=true")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(one(manifests, "PrometheusRule")["spec"]))

    done = promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("which", ["operator", "monitor", "days"])
def test_each_alert_fires_when_it_has_to(which: str) -> None:
    done = promtool("test", "rules", TESTS / f"{which}.yaml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_never_fires_is_found(tmp_path: Path) -> None:
    """So that what passes above was looked at."""
    for part in ("charts/curfew/monitoring", "tests/rules"):
        shutil.copytree(CHECKOUT / part, tmp_path / part)
    rules = tmp_path / "charts/curfew/monitoring/operator.yaml"
    rules.write_text(rules.read_text().replace("expr: curfew_past_expiry > 0", "expr: curfew_past_expiry > 9"))

    done = promtool("test", "rules", "--run=past its end", tmp_path / "tests/rules/operator.yaml")
    assert done.returncode != 0
    assert "CurfewAccessPastItsEnd" in done.stdout + done.stderr
