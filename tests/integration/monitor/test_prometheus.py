"""A real Prometheus scrapes a real operator and a real monitor: no query of the dashboard is empty, and each rule works."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.integration.installed import CHART, Installed
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.place import Place
from tests.integration.operator.stage import a_stage
from tests.integration.operator.story_of_metrics import Collector
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess
from tests.support.prometheus import Answer, Prometheus
from tools.servers.ports import LOOPBACK

MONITORING: Final = CHART / "monitoring"
RULES: Final = tuple(MONITORING / f"{name}.yaml" for name in ("operator", "monitor"))
VARIABLES: Final = {"$namespace": ".*", "$__rate_interval": "1m", "$__range": "24h"}
"""What Grafana would put in their place."""

ALARMING: Final = 4
"""So many requests of one person within an hour raise an alert."""

FIGURES: Final[Mapping[str, float]] = {
    'curfew_requests{namespace="NAMESPACE",phase="Pending"}': ALARMING,
    'curfew_requests{namespace="NAMESPACE",phase="Active"}': 1,
    'curfew_time_to_first_review_seconds_count{namespace="NAMESPACE",policy="staged"}': 1,
    'curfew_time_to_first_review_seconds_count{namespace="NAMESPACE",policy="debug"}': 1,
    'curfew_time_to_stage_seconds_count{namespace="NAMESPACE",stage="owners"}': 1,
    'curfew_time_to_stage_seconds_count{namespace="NAMESPACE",stage="security"}': 1,
    'curfew_time_to_decision_seconds_count{namespace="NAMESPACE",policy="staged"}': 1,
    "curfew_activation_seconds_count": 2,
    "curfew_revocation_lateness_seconds_count": 1,
    'curfew_activity_verdicts_total{changes="Yes"}': 1,
    'curfew_alerts_total{detector="ManyRequests",silenced="false"}': 1,
}
"""What is known of the story."""

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
    # What nobody could see at 0 has not increased, for Prometheus: neither the operator's numbers nor the monitor's.
    await until(lambda: len(prometheus.query(counted)) == 2, "the policies are known")
    alarms = 'curfew_alerts_total{detector="ManyRequests",silenced="false"}'
    await until(lambda: prometheus.query(alarms), "the monitor's counters are known")
    session = await sessions.begin()
    (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map("changed"))).done()
    staged = await place.pending(place.people.carol, "staged", duration="1h")  # it lasts longer than the look
    (await staged.decide(place.people.bob, stage="owners")).done()
    denied = await place.pending(place.people.carol)
    (await denied.decide(place.people.bob, "Deny")).done()
    for _ in range(ALARMING):
        await place.pending(place.people.carol)
    (await staged.decide(place.people.dave, stage="security")).done()
    await staged.phase("Active")
    await session.end()
    await session.final()
    verdicts = "sum(increase(curfew_activity_verdicts_total[10m]))"
    await until(lambda: prometheus.query(verdicts) > [0.0], "Prometheus has seen the final answer")
    alerts = 'sum(increase(curfew_alerts_total{silenced="false"}[10m]))'
    await until(lambda: prometheus.query(alerts) > [0.0], "Prometheus has seen the alert about too many requests")
    told = 'sum(curfew_notifications_total{outcome="Sent"})'
    await until(lambda: prometheus.query(told) > [0.0], "Prometheus has seen what people were told")
    # Set every few seconds, with all other gauges: those of a moment before may not show every request.
    waits, active = (
        f'sum(curfew_requests{{namespace="{place.namespace}",phase="{phase}"}})' for phase in ("Pending", "Active")
    )
    as_they_are = f"{waits} == {ALARMING} and {active} == 1"
    await until(lambda: prometheus.query(as_they_are), "Prometheus has seen the requests that wait, and the active one")


@dataclass(frozen=True)
class Answered:
    """What Prometheus answered while there was something of everything."""

    targets: Mapping[str, str]
    panels: Sequence[tuple[str, str, Sequence[float]]]  # title, query and values
    rules: Sequence[Answer]
    selected: Mapping[str, Sequence[float]]  # what rules select, and its values
    recorded: Mapping[str, Sequence[float]]
    firing: Set[str]
    series: Sequence[Answer]  # the labels of each
    figures: Mapping[str, float]  # of FIGURES, as far as they are there
    people: Set[str]


def look(prometheus: Prometheus, place: Place) -> Answered:
    """Ask for everything."""
    rules = prometheus.rules()
    selectors = {selector for rule in rules for selector in prometheus.selectors(rule["query"])}
    return Answered(
        targets=prometheus.targets(),
        panels=[(title, expression, prometheus.query(expression)) for title, expression in panels()],
        rules=rules,
        selected={selector: prometheus.query(selector) for selector in selectors},
        recorded={rule["name"]: prometheus.query(rule["name"]) for rule in rules if rule["type"] == "recording"},
        firing=prometheus.firing(),
        series=prometheus.series('{__name__=~"curfew_.+"}'),
        figures={name: sum(prometheus.query(name.replace("NAMESPACE", place.namespace))) for name in FIGURES},
        people={
            person.name for person in (place.people.alice, place.people.bob, place.people.carol, place.people.dave)
        },
    )


@pytest.fixture(scope="module")
def monitor(
    new_monitor: Callable[..., MonitorProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MonitorProcess]:
    """Return a monitor that tells people what happens."""
    receiver, routes = Collector(), tmp_path_factory.mktemp("routes") / "routes.yaml"
    with receiver.running():
        route = {"name": "everything", "urls": [f"json://{LOOPBACK}:{receiver.port}/"]}
        routes.write_text(yaml.safe_dump({"routes": [route]}))
        process = new_monitor(routes=routes)
        process.start()
        try:
            process.await_ready()
            process.await_covered()
            yield process
        except BaseException:
            process.kill()
            raise
        process.stop()


@pytest.fixture(scope="module")
def prometheus(
    operator: OperatorProcess, monitor: MonitorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Return a Prometheus that scrapes both processes."""
    folder, jobs = tmp_path_factory.mktemp("prometheus"), {"curfew": operator.port, "curfew-monitor": monitor.port}
    with Prometheus(folder, jobs=jobs, rules=RULES) as running:
        yield running


@pytest.fixture(scope="module")
def seen(cluster: Installed, certificates: Path, prometheus: Prometheus) -> Answered:
    """Return what was seen."""

    async def played() -> Answered:
        async with a_stage(cluster, certificates) as stage:
            sessions = Sessions(await stage.place())
            await play(sessions, prometheus)
            return await asyncio.to_thread(look, prometheus, sessions.place)

    return asyncio.run(played())


def test_both_processes_are_scraped(seen: Answered) -> None:
    assert seen.targets == {"curfew": "", "curfew-monitor": ""}


def test_no_query_of_the_dashboard_is_empty(seen: Answered) -> None:
    assert len(seen.panels) > 30
    assert [(title, expression) for title, expression, values in seen.panels if not values] == []
    assert [expression for _, expression, _ in seen.panels if re.search(r"\$|vector\(", expression)] == []


def test_the_figures_are_those_of_the_story(seen: Answered) -> None:
    assert seen.figures == FIGURES


def test_no_label_names_anybody(seen: Answered) -> None:
    """Nor is there a label that could."""
    values = {value for labels in seen.series for value in labels.values()}
    names = {name for labels in seen.series for name in labels}

    assert len(seen.series) > 100
    assert [value for value in values if any(person in value for person in seen.people)] == []
    assert not names & {"user", "person", "requester", "actor", "name", "request", "uid"}


def test_each_rule_is_evaluated_and_asks_for_what_is_there(seen: Answered) -> None:
    assert [(rule["name"], rule.get("lastError")) for rule in seen.rules if rule["health"] != "ok"] == []
    assert seen.selected
    assert [selector for selector, values in seen.selected.items() if not values] == []
    assert seen.recorded
    assert [name for name, values in seen.recorded.items() if not values] == []


def test_no_alert_fires_while_all_is_well(seen: Answered) -> None:
    """But for those that detectors raise of high severity, which are no trouble of Curfew's."""
    assert seen.firing <= {"CurfewAlertRaised"}


def test_what_is_absent_is_missed(seen: Answered, prometheus: Prometheus, monitor: MonitorProcess) -> None:
    """How long it has to be absent is tried with promtool."""
    assert seen.targets["curfew-monitor"] == ""
    assert prometheus.query("absent(curfew_activity_covered)") == []
    monitor.stop()
    asyncio.run(until(lambda: prometheus.query("absent(curfew_activity_covered)"), "the monitor is missed"))
