"""A real Prometheus scrapes a real operator and a real monitor: no query of the dashboard is empty, and each rule works."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.installed import CHART, Installed
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.stage import a_stage
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess
from tests.support.prometheus import Prometheus

MONITORING: Final = CHART / "monitoring"
RULES: Final = tuple(MONITORING / f"{name}.yaml" for name in ("operator", "monitor"))
VARIABLES: Final = {"$namespace": ".*", "$__rate_interval": "1m", "$__range": "24h"}
"""What Grafana would put in their place."""

SOON: Final = 60.0
AGAIN: Final = 0.25


def panels() -> Iterator[tuple[str, str]]:
    """Return each query of the dashboard with the title of its panel."""
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


async def until(has_happened: Callable[[], Any], what: str) -> None:
    """Return when something has happened."""
    try:
        async with asyncio.timeout(SOON):
            while not await asyncio.to_thread(has_happened):  # noqa: ASYNC110  nothing tells us
                await asyncio.sleep(AGAIN)
    except TimeoutError:
        raise AssertionError(f"it did not come to pass that {what}") from None


async def play(sessions: Sessions, prometheus: Prometheus) -> None:
    """Let there be something of everything: an access that was used and ended, answers of people, and a request that waits."""
    place = sessions.place
    counted = f'curfew_time_to_stage_seconds_count{{namespace="{place.namespace}"}}'
    # What nobody could see at 0 has not increased, for Prometheus.
    await until(lambda: len(prometheus.query(counted)) == 2, "the policies are known")
    session = await sessions.begin()
    (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map("changed"))).done()
    staged = await place.pending(place.people.carol, "staged")
    (await staged.decide(place.people.bob, stage="owners")).done()
    denied = await place.pending(place.people.carol)
    (await denied.decide(place.people.bob, "Deny")).done()
    await place.pending(place.people.carol)
    (await staged.decide(place.people.dave, stage="security")).done()
    await staged.phase("Active")
    await session.end()
    await session.final()
    verdicts = "sum(increase(curfew_activity_verdicts_total[10m]))"
    await until(lambda: prometheus.query(verdicts) > [0.0], "Prometheus has seen the final answer")


@pytest.fixture(scope="module")
def prometheus(
    cluster: Installed,
    certificates: Path,
    operator: OperatorProcess,
    monitor: MonitorProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    """Return a Prometheus that has seen something of everything."""
    folder, jobs = tmp_path_factory.mktemp("prometheus"), {"curfew": operator.port, "curfew-monitor": monitor.port}

    async def played(running: Prometheus) -> None:
        async with a_stage(cluster, certificates) as stage:
            await play(Sessions(await stage.place()), running)

    with Prometheus(folder, jobs=jobs, rules=RULES) as running:
        asyncio.run(played(running))
        yield running


def test_both_processes_are_scraped(prometheus: Prometheus) -> None:
    assert prometheus.targets() == {"curfew": "", "curfew-monitor": ""}
    assert prometheus.query("up") == [1, 1]


def test_no_query_of_the_dashboard_is_empty(prometheus: Prometheus) -> None:
    asked = list(panels())

    empty = [(title, expression) for title, expression in asked if not prometheus.query(expression)]
    assert len(asked) > 30
    assert empty == []
    assert not [expression for _, expression in asked if re.search(r"\$|vector\(", expression)]


def test_each_rule_is_evaluated_and_asks_for_what_is_there(prometheus: Prometheus) -> None:
    rules = prometheus.rules()

    assert [
        (rule["name"], rule["lastError"]) for rule in rules if rule.get("lastError") or rule["health"] != "ok"
    ] == []
    missing = [
        (rule["name"], selector)
        for rule in rules
        for selector in prometheus.selectors(rule["query"])
        if not prometheus.query(f"last_over_time({selector}[10m])")
    ]
    assert missing == []
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert recorded
    assert [name for name in recorded if not prometheus.query(name)] == []


def test_no_alert_fires_while_all_is_well(prometheus: Prometheus) -> None:
    assert prometheus.firing() == set()


def test_an_alert_fires_when_a_process_is_away(prometheus: Prometheus, monitor: MonitorProcess) -> None:
    """What is absent is seen as absent; how long that has to last is tried with promtool."""
    assert prometheus.query("absent(curfew_activity_covered)") == []
    monitor.stop()
    asyncio.run(until(lambda: prometheus.query("absent(curfew_activity_covered)"), "the monitor is missed"))
