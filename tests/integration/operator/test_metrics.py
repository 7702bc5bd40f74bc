"""Each figure of /metrics, after a story of which it is known from elsewhere what is right (promise P11)."""

import asyncio
import json
import os
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from curfew.adapters.telemetry import MonitorTelemetry, Telemetry
from curfew.api.names import CHECKPOINT_CONFIG_MAP, SWEEPER_CRON_JOB
from curfew.api.times import parse_time
from curfew.core.probes import UNTRIED
from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.stage import a_stage
from tests.integration.operator.story_of_metrics import (
    STALE,
    Collector,
    Metrics,
    Story,
    await_nothing_is_collected,
    play,
    series,
    total,
)
from tests.support.operator_process import OperatorProcess
from tools.servers.ports import LOOPBACK

Figure = Callable[[Story], None]

FIGURES: Final[dict[str, Figure]] = {}


def figure(*names: str) -> Callable[[Figure], Figure]:
    """Note that a function tells whether these metrics are right."""

    def note(check: Figure) -> Figure:
        FIGURES.update(dict.fromkeys(names, check))
        return check

    return note


@pytest.fixture(scope="module")
def story(
    cluster: Installed,
    certificates: Path,
    new_operator: Callable[..., OperatorProcess],
    read_log: Callable[[OperatorProcess], Evidence],
) -> Iterator[Story]:
    """Return the story; its operator still runs."""
    operator, collector = new_operator(), Collector()
    # It may hold the checkpoint of another test's log, which is longer and so never gives way.
    cluster.kubectl(
        "patch", "configmap", CHECKPOINT_CONFIG_MAP, "--namespace", SYSTEM, "--type=merge", "--patch", '{"data": null}'
    )

    async def played() -> Story:
        async with a_stage(cluster, certificates) as stage:
            place = await stage.place()
            await asyncio.to_thread(operator.await_ready)
            return await play(place, operator, collector, read_log)

    await_nothing_is_collected(cluster)
    with collector.running():
        operator.configure(forward={"url": f"http://{LOOPBACK}:{collector.port}/", "format": "cloudevents"})
        operator.start()
        try:
            yield asyncio.run(played())
        finally:
            operator.kill()


# --- what happened to requests ------------------------------------------------------------------------------------------


@figure("curfew_requests")
def requests(story: Story) -> None:
    """One is told of to nobody but its status while the bucket is away; what is closed is watched no longer."""

    def ours(metrics: Metrics) -> dict[tuple[str, ...], float]:
        namespace = story.place.namespace
        return {labels[1:]: n for labels, n in series(metrics, "curfew_requests").items() if labels[0] == namespace}

    assert ours(story.without_bucket) == {("Revoked", "debug"): 1}
    assert ours(story.after) == {}


@figure("curfew_transitions")
def transitions(story: Story) -> None:
    events = {event for (event,) in series(story.after, "curfew_transitions_total")}
    grew = {event: story.grew("curfew_transitions_total", event=event) for event in events}

    assert {event: n for event, n in grew.items() if n} == {
        "accept": len(story.requests),
        "approve": 1,  # of the one that waited for its start; the others were granted at once
        "grant": len(story.granted),
        "deny": 3,
        "revoke": len(story.granted) - 1,
        "expire": 1,
    }


@figure("curfew_pending_oldest_seconds")
def pending_oldest(story: Story) -> None:
    """One waited long enough to be seen; nothing waits in the end."""
    waited = total(
        story.with_pending, "curfew_pending_oldest_seconds", namespace=story.place.namespace, policy="staged"
    )
    ours = {
        labels for labels in series(story.after, "curfew_pending_oldest_seconds") if labels[0] == story.place.namespace
    }

    assert 0 < waited <= story.pending_for.total_seconds() + 1  # a creation is cut to the second
    assert ours == set()


@figure("curfew_time_to_first_review_seconds")
def time_to_first_review(story: Story) -> None:
    """One decision each: the first was the last, but for the request with two stages."""
    name, by = "curfew_time_to_first_review_seconds", {"namespace": story.place.namespace}
    staged, took = story.staged, first_answers(story)

    assert story.grew(f"{name}_count", **by) == len(took) == len(story.requests) - 1
    assert story.grew(f"{name}_count", **by, policy="staged") == 1
    assert story.grew(f"{name}_sum", **by) == pytest.approx(sum(took, timedelta()).total_seconds(), abs=0.5)
    assert story.grew(f"{name}_sum", **by, policy="staged") < story.grew(
        "curfew_time_to_decision_seconds_sum", **by, policy="staged"
    )
    assert [review["stage"] for review in staged.status["reviews"][:2]] == ["owners", "security"]


def first_answers(story: Story) -> list[timedelta]:
    """Return how long each request waited for its first answer, by its status. One is granted without any."""
    return [
        parse_time(asked.status["reviews"][0]["seenAt"]) - parse_time(asked.body["metadata"]["creationTimestamp"])
        for asked in story.requests
        if asked is not story.automatic
    ]


@figure("curfew_time_to_stage_seconds")
def time_to_stage(story: Story) -> None:
    created = parse_time(story.staged.body["metadata"]["creationTimestamp"])
    took = {
        review["stage"]: (parse_time(review["seenAt"]) - created).total_seconds()
        for review in story.staged.status["reviews"][:2]
    }

    for stage, seconds in took.items():
        by = {"namespace": story.place.namespace, "policy": "staged", "stage": stage}
        assert story.grew("curfew_time_to_stage_seconds_count", **by) == 1
        assert story.grew("curfew_time_to_stage_seconds_sum", **by) == pytest.approx(seconds, abs=0.001)


@figure("curfew_time_to_decision_seconds")
def time_to_decision(story: Story) -> None:
    by = {"namespace": story.place.namespace}
    decided = [asked for asked in story.requests if asked is not story.automatic]
    took = [
        asked.time("decidedAt" if "decidedAt" in asked.status else "endedAt")
        - parse_time(asked.body["metadata"]["creationTimestamp"])
        for asked in decided
    ]

    assert story.grew("curfew_time_to_decision_seconds_count", **by) == len(decided)
    assert story.grew("curfew_time_to_decision_seconds_sum", **by) == pytest.approx(
        sum(took, timedelta()).total_seconds(), abs=0.5
    )


@figure("curfew_activation_seconds")
def activation(story: Story) -> None:
    """The sum is less than what people had to wait, and that is measured from before the approval."""
    assert story.grew("curfew_activation_seconds_count") == len(story.granted) == len(story.activation)
    assert 0 < story.grew("curfew_activation_seconds_sum") <= sum(story.activation, timedelta()).total_seconds()


@figure("curfew_revocation_lateness_seconds", "curfew_revocation_lateness_max_seconds")
def lateness(story: Story) -> None:
    """One was late, because the process stood still; what is ended early is never late."""
    least, most = (late.total_seconds() for late in story.late)

    assert story.grew("curfew_revocation_lateness_seconds_count") == len(story.granted)
    assert least <= story.grew("curfew_revocation_lateness_seconds_sum") <= most
    assert least <= total(story.after, "curfew_revocation_lateness_max_seconds") <= most


@figure("curfew_rejections_counted")
def rejections_counted(story: Story) -> None:
    """Nobody in this story had so many requests refused that they are only counted."""
    assert total(story.after, "curfew_rejections_counted_total") == 0


@figure("curfew_finished_deleted", "curfew_finished_deletions_refused")
def finished(story: Story) -> None:
    """Nothing is old enough; `test_finished.py` has some that are."""
    assert total(story.after, "curfew_finished_deleted_total") == 0
    assert total(story.after, "curfew_finished_deletions_refused_total") == 0


@figure("curfew_past_expiry")
def past_expiry(story: Story) -> None:
    assert series(story.after, "curfew_past_expiry") == {(): 0}


@figure("curfew_warnings")
def warnings(story: Story) -> None:
    """As many as people see in the namespace."""
    seen = Counter(event["reason"] for event in story.events if event["type"] == "Warning")
    grew = {reason: story.grew("curfew_warnings_total", reason=reason) for reason in seen}

    assert grew == dict(seen)


# --- the log ------------------------------------------------------------------------------------------------------------


@figure("curfew_audit_records")
def records(story: Story) -> None:
    assert total(story.after, "curfew_audit_records_total") == len(story.log.records)


@figure("curfew_audit_bytes")
def stored(story: Story) -> None:
    assert total(story.after, "curfew_audit_bytes_total") == sum(map(len, story.log.objects.values()))


@figure("curfew_audit_commit_seconds")
def commits(story: Story) -> None:
    assert total(story.after, "curfew_audit_commit_seconds_count") == len(story.log.objects)
    assert total(story.after, "curfew_audit_commit_seconds_sum") >= story.bucket_away.total_seconds()


@figure("curfew_outbox_records", "curfew_outbox_oldest_seconds")
def outbox(story: Story) -> None:
    assert story.revoked_at is not None
    assert story.looked_at is not None
    oldest = total(story.without_bucket, "curfew_outbox_oldest_seconds")
    earliest, latest = story.revoked_at

    assert total(story.without_bucket, "curfew_outbox_records") == story.outbox > 0
    assert STALE <= oldest <= (story.looked_at - earliest).total_seconds()
    assert oldest >= (story.looked_at - latest).total_seconds() - STALE
    assert (total(story.after, "curfew_outbox_records"), total(story.after, "curfew_outbox_oldest_seconds")) == (0, 0)


@figure("curfew_trail_healthy")
def healthy(story: Story) -> None:
    assert series(story.without_bucket, "curfew_trail_healthy") == {("StoreUnavailable",): 0}
    assert series(story.after, "curfew_trail_healthy") == {("",): 1}


@figure("curfew_audit_anchored_records", "curfew_audit_anchor_failures")
def anchored(story: Story) -> None:
    assert total(story.after, "curfew_audit_anchored_records") == int(story.checkpoint.splitlines()[1])
    failures = series(story.after, "curfew_audit_anchor_failures_total")
    assert {reason for (reason,), times in failures.items() if times} == {"Missing"}


@figure("curfew_worm_attested", "curfew_worm_attested_timestamp_seconds")
def attested(story: Story) -> None:
    newest = max(record.at for record in story.log.records if record.event == "audit.attested")

    assert series(story.after, "curfew_worm_attested") == {("BucketDefault",): 1}  # versitygw shows no locks on objects
    assert abs(total(story.after, "curfew_worm_attested_timestamp_seconds") - newest.timestamp()) < 1


@figure("curfew_audit_verification_failures")
def verification(story: Story) -> None:
    assert series(story.after, "curfew_audit_verification_failures_total") == {(): 0}


@figure(
    "curfew_audit_forwarded",
    "curfew_audit_forward_dropped",
    "curfew_audit_forward_queue_records",
    "curfew_audit_forward_lag_seconds",
)
def forwarded(story: Story) -> None:
    """What waited while the collector was away was refused afterwards; everything else was taken."""
    waited = total(story.without_collector, "curfew_audit_forward_queue_records")
    dropped = series(story.after, "curfew_audit_forward_dropped_total")
    refused = {reason: number for reason, number in dropped.items() if number}

    lag = total(story.without_collector, "curfew_audit_forward_lag_seconds")
    assert STALE <= lag <= story.collector_away.total_seconds()
    assert 0 < waited <= refused["Refused",]
    assert set(refused) == {("Refused",)}
    assert total(story.after, "curfew_audit_forwarded_total") == len(story.log.records) - refused["Refused",]
    assert total(story.after, "curfew_audit_forward_lag_seconds") == 0


# --- the operator itself ------------------------------------------------------------------------------------------------


@figure("curfew_build_info")
def build(story: Story) -> None:
    assert series(story.after, "curfew_build_info") == {(platform.python_version(), version("curfew")): 1}


@figure("curfew_enforced")
def enforced(story: Story) -> None:
    """Each admission policy of the chart that grants wait for is in force."""
    shown = story.cluster.kubectl("get", "validatingadmissionpolicies", "-o", "name").stdout.split()
    names = {name.partition("/")[2] for name in shown}

    assert series(story.after, "curfew_enforced") == {
        (name,): 1 for name in names if name.startswith("curfew-") and name not in UNTRIED
    }


@figure("curfew_locks", "curfew_locks_known")
def locks(story: Story) -> None:
    """Nothing is locked; `test_locks.py` locks."""
    assert series(story.after, "curfew_locks") == {
        (scope,): 0 for scope in ("person", "policy", "namespace", "everything")
    }
    assert total(story.after, "curfew_locks_known") == 1


@figure("curfew_clock_ahead_seconds")
def clock(story: Story) -> None:
    """The API server's clock is ours, and it tells whole seconds."""
    assert -1.5 < total(story.after, "curfew_clock_ahead_seconds") < 0.5


@figure("curfew_sweeper_installed", "curfew_sweeper_last_success_timestamp_seconds", "curfew_sweeper_overdue")
def sweeper(story: Story) -> None:
    """As the CronJob shows it; no controller runs it here."""
    shown = json.loads(story.cluster.kubectl("get", "cronjob", SWEEPER_CRON_JOB, "-n", SYSTEM, "-o", "json").stdout)

    assert "lastSuccessfulTime" not in shown["status"]
    assert total(story.after, "curfew_sweeper_installed") == 1
    assert total(story.after, "curfew_sweeper_last_success_timestamp_seconds") == 0


@figure("curfew_cluster_call_seconds")
def calls(story: Story) -> None:
    name = "curfew_cluster_call_seconds_count"

    assert story.grew(name, call="create_binding", outcome="Ok") == len(story.granted)
    assert story.grew(name, call="delete_binding", outcome="Ok") == len(story.granted)


@figure("curfew_events_dropped")
def events(story: Story) -> None:
    """Events about what another test left may be refused, because its namespace is being deleted; none is lost otherwise.

    If many waited, the latest about an object was enough.
    """
    dropped = series(story.after, "curfew_events_dropped_total")
    assert {reason for (reason,), number in dropped.items() if number} <= {"Refused", "Superseded"}


@figure("curfew_reconcile_errors")
def errors(story: Story) -> None:
    """One line of the log for each."""
    failures = ("a call to the API server failed", "work on a key failed")
    told = sum(line["event"] in failures for line in story.operator.lines())

    assert total(story.after, "curfew_reconcile_errors_total") == told


@figure("curfew_leader")
def leader(story: Story) -> None:
    """It is alone, so it leads."""
    assert series(story.after, "curfew_leader") == {(): 1}


@figure("curfew_queue_depth")
def queue(story: Story) -> None:
    """Nothing waits in the end; `tests/unit/test_queue.py` has a thousand wait."""
    assert series(story.after, "curfew_queue_depth") == {(): 0}


@figure(
    "process_cpu_seconds",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)
def process(story: Story) -> None:
    """As the kernel has it."""
    pid, metrics = story.operator.pid, story.after
    limits = Path(f"/proc/{pid}/limits").read_text()
    (most,) = re.findall(r"^Max open files +(\d+)", limits, re.MULTILINE)
    resident = total(metrics, "process_resident_memory_bytes")

    assert total(metrics, "process_max_fds") == int(most)
    assert abs(total(metrics, "process_open_fds") - len(list(Path(f"/proc/{pid}/fd").iterdir()))) < 20
    assert 0 < resident <= story.operator.peak_memory()
    assert resident < total(metrics, "process_virtual_memory_bytes")
    assert abs(total(metrics, "process_start_time_seconds") - begun(pid)) < 1
    assert total(metrics, "process_cpu_seconds_total") > 0


def begun(pid: int) -> float:
    """Return when a process was started, in seconds since 1970."""
    (boot,) = re.findall(r"^btime (\d+)", Path("/proc/stat").read_text(), re.MULTILINE)
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return int(boot) + int(ticks) / os.sysconf("SC_CLK_TCK")


# --- all of them --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_the_figure_is_right(story: Story, name: str) -> None:
    FIGURES[name](story)


def test_each_metric_that_is_exposed_is_looked_at(story: Story) -> None:
    """In what was scraped, in the code, and in the pages for people."""
    scraped = {family.name for family in text_string_to_metric_families(story.operator.metrics_page())}
    known = {family.name for family in Telemetry().registry.collect()}
    told = {
        name.removesuffix("_total")
        for page in (Path("README.md"), *Path("docs").glob("*.md"))
        for name in re.findall(r"`(curfew_[a-z_]+)", page.read_text())
    }

    assert scraped == known == FIGURES.keys()
    assert told <= known | {family.name for family in MonitorTelemetry().registry.collect()}
