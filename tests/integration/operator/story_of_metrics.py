"""A story whose figures are known from elsewhere: from what people did, the API server, the bucket and the kernel."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from curfew.api.names import CHECKPOINT_CONFIG_MAP, CHECKPOINT_KEY
from curfew.api.times import format_time, parse_time
from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.people import GROUP
from tests.integration.operator.place import Asked, Place, now
from tests.support.api import succeed, until
from tests.support.operator_process import OperatorProcess
from tools.servers.ports import LOOPBACK

Metrics = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

STALE: Final = 6.0
"""Seconds: pictures of everything are taken every 5 s."""

MOST_SECONDS: Final = 40.0

AGAIN_SECONDS: Final = 0.3
"""Between two looks at all metrics."""


class Collector:
    """Takes records that are sent on, and answers as it is told to."""

    def __init__(self) -> None:
        """Take everything."""
        self.status = 200
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen."""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
            self.port = server.server_port
            Thread(target=server.serve_forever, daemon=True).start()
            yield
            server.shutdown()


def total(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the sum over all series with these labels."""
    return sum(value for (known, set_), value in metrics.items() if known == name and labels.items() <= set(set_))


def series(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Return the series of a metric by the values of their labels, in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(labels)): figure
        for (known, labels), figure in metrics.items()
        if known == name
    }


@dataclass
class Story:
    """What happened, and what was scraped."""

    operator: OperatorProcess
    cluster: Installed
    place: Place
    before: Metrics
    without_bucket: Metrics = field(default_factory=dict)
    without_collector: Metrics = field(default_factory=dict)
    with_pending: Metrics = field(default_factory=dict)
    after: Metrics = field(default_factory=dict)
    requests: list[Asked] = field(default_factory=list)
    activation: list[timedelta] = field(default_factory=list)  # at most so long
    late: tuple[timedelta, timedelta] = (timedelta(0), timedelta(0))  # at least, at most
    pending_for: timedelta = timedelta(0)  # at most so long, when it was looked at
    bucket_away: timedelta = timedelta(0)
    collector_away: timedelta = timedelta(0)  # at most so long, when it was looked at
    outbox: int = 0  # records in statuses meanwhile
    revoked_at: tuple[datetime, datetime] | None = None  # not before, not after
    looked_at: datetime | None = None
    evidence: Evidence | None = None
    checkpoint: str = ""
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def grew(self, name: str, **labels: str) -> float:
        """Return by how much a counter grew during the story."""
        return total(self.after, name, **labels) - total(self.before, name, **labels)

    @property
    def log(self) -> Evidence:
        """Return the log at the end."""
        assert self.evidence is not None
        return self.evidence

    @property
    def staged(self) -> Asked:
        """Return the request that two people had to approve, each for a stage."""
        (staged,) = (asked for asked in self.requests if asked.body["spec"]["policyName"] == "staged")
        return staged

    @property
    def automatic(self) -> Asked:
        """Return the request that nobody had to decide."""
        (automatic,) = (asked for asked in self.requests if asked.body["spec"]["policyName"] == "automatic")
        return automatic

    @property
    def granted(self) -> list[Asked]:
        """Return the requests that were granted."""
        return [asked for asked in self.requests if "grantedAt" in asked.status]


def await_nothing_is_collected(cluster: Installed) -> None:
    """Return when no request is left in a namespace that is being deleted.

    The namespaces of earlier tests go without anybody waiting for them. Where the policy goes first, a request that waits
    fails, and that would be counted.
    """

    def named(path: str, field: str, phase: str = "") -> set[str]:
        items = json.loads(succeed(cluster.api.ask("GET", path)))["items"]
        return {item["metadata"][field] for item in items if not phase or item["status"]["phase"] == phase}

    def is_so() -> bool:
        going = named("/api/v1/namespaces", "name", "Terminating")
        return not going & named(f"{GROUP}/accessrequests", "namespace")

    until(is_so, "the end of the requests of earlier tests")


async def play(
    place: Place, operator: OperatorProcess, collector: Collector, read_log: Callable[[OperatorProcess], Evidence]
) -> Story:
    """Play it, and scrape on the way."""
    story = Story(operator, place.cluster, place, await asyncio.to_thread(operator.metrics))
    await _approve_and_revoke(story)
    await _grant_without_review(story)
    await asyncio.gather(_wait_for_a_start(story), _fill_two_stages(story), _deny(story))
    await _end_late(story)
    await _lose_the_bucket(story)
    await asyncio.gather(_lose_the_collector(story, collector), _lose_the_checkpoint(story))
    await _settle(story, read_log)
    return story


async def _pending(story: Story, policy: str = "debug", **spec: Any) -> Asked:
    asked = await story.place.pending(story.place.people.alice, policy, **spec)
    story.requests.append(asked)
    return asked


async def _active(story: Story, **spec: Any) -> Asked:
    asked = await _pending(story, **spec)
    await _at_the_end_of_a_second()
    began = now()
    (await asked.decide(story.place.people.bob)).done()
    await asked.phase("Active")
    story.activation.append(now() - began)
    return asked


async def _at_the_end_of_a_second() -> None:
    """What is measured from an instant that is cut to the second is then wrong by most of one."""
    await asyncio.sleep((0.8 - now().microsecond / 1_000_000) % 1)


async def _revoke(story: Story, asked: Asked) -> None:
    (await asked.decide(story.place.people.bob, "Revoke")).done()
    await asked.phase("Revoked")


async def _approve_and_revoke(story: Story) -> None:
    asked = await _active(story)
    await _revoke(story, asked)
    await asked.closed()


async def _deny(story: Story) -> None:
    asked = await _pending(story)
    (await asked.decide(story.place.people.bob, "Deny")).done()
    await asked.closed()


async def _wait_for_a_start(story: Story) -> None:
    start = now().replace(microsecond=0) + timedelta(seconds=10)
    asked = await _pending(story, notBefore=format_time(start))
    (await asked.decide(story.place.people.bob)).done()
    await asked.phase("Active")
    story.activation.append(now() - start)
    await _revoke(story, asked)
    await asked.closed()


async def _grant_without_review(story: Story) -> None:
    began = now()
    asked = await story.place.ask(story.place.people.alice, "automatic")
    story.requests.append(asked)
    await asked.phase("Active")
    story.activation.append(now() - began)
    await _revoke(story, asked)
    await asked.closed()


async def _fill_two_stages(story: Story) -> None:
    """The second after the metrics have shown that the request waits."""
    people, namespace = story.place.people, story.place.namespace
    asked = await _pending(story, "staged")
    (await asked.decide(people.bob, stage="owners")).done()

    def is_seen(metrics: Metrics) -> bool:
        return total(metrics, "curfew_pending_oldest_seconds", namespace=namespace, policy="staged") > 0

    story.with_pending = await _until(story, is_seen)
    story.pending_for = now() - parse_time(asked.body["metadata"]["creationTimestamp"])
    began = now()
    (await asked.decide(people.dave, stage="security")).done()
    await asked.phase("Active")
    story.activation.append(now() - began)
    await _revoke(story, asked)
    await asked.closed()


async def _end_late(story: Story) -> None:
    """The process stands still when the end comes."""
    asked = await _active(story, notAfter=format_time(now().replace(microsecond=0) + timedelta(seconds=10)))
    end = asked.time("expiresAt")
    await asyncio.sleep((end - now()).total_seconds() - 0.5)
    with story.operator.paused():
        await asyncio.sleep(2.5)
        least = now() - end
    await asked.phase("Expired")
    story.late = (least, now() - end)
    await asked.closed()


async def _lose_the_bucket(story: Story) -> None:
    asked, s3 = await _active(story, duration="10m"), story.cluster.environment.s3
    await recorded(story.operator, asked)
    await asyncio.to_thread(s3.stop)
    try:
        began = now()
        await _revoke(story, asked)
        story.revoked_at = began, now()

        def is_stale(metrics: Metrics) -> bool:
            return total(metrics, "curfew_outbox_oldest_seconds") >= STALE

        story.without_bucket = await _until(story, is_stale)
        story.looked_at = now()
        story.outbox = len(asked.status["outbox"])
    finally:
        story.bucket_away = now() - story.revoked_at[1] if story.revoked_at else timedelta(0)
        await asyncio.to_thread(s3.start)
    await asked.closed(MOST_SECONDS)


async def _lose_the_collector(story: Story, collector: Collector) -> None:
    """It is away, and then it refuses what waits."""
    await _until(story, _nothing_waits)
    collector.status = 503
    began = now()
    await _deny(story)
    story.without_collector = await _until(
        story, lambda metrics: total(metrics, "curfew_audit_forward_lag_seconds") >= STALE
    )
    story.collector_away = now() - began
    collector.status = 400
    await _until(story, _nothing_waits)
    collector.status = 200


def _nothing_waits(metrics: Metrics) -> bool:
    return total(metrics, "curfew_audit_forward_queue_records") == 0


async def _lose_the_checkpoint(story: Story) -> None:
    """Its ConfigMap is deleted, and put back."""
    kubectl, about = story.cluster.kubectl, ("configmap", CHECKPOINT_CONFIG_MAP, "--namespace", SYSTEM)
    kept = json.loads(kubectl("get", *about, "--output=json").stdout)
    kept["metadata"] = {name: kept["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
    kubectl("delete", *about)
    try:
        await _deny(story)
        await _until(story, lambda metrics: total(metrics, "curfew_audit_anchor_failures_total", reason="Missing") > 0)
    finally:
        story.cluster.apply(kept)


async def _settle(story: Story, read_log: Callable[[OperatorProcess], Evidence]) -> None:
    """Look at everything at one instant: when nothing was written while it was looked at."""
    size, stored = "curfew_audit_records_total", "curfew_audit_bytes_total"
    await asyncio.gather(*(asked.closed() for asked in story.requests))
    await asyncio.sleep(STALE)
    async with asyncio.timeout(MOST_SECONDS):
        while True:
            story.after = await asyncio.to_thread(story.operator.metrics)
            story.evidence = await asyncio.to_thread(read_log, story.operator)
            shown = story.cluster.kubectl("get", "configmap", CHECKPOINT_CONFIG_MAP, "-n", SYSTEM, "-o", "json").stdout
            story.checkpoint = json.loads(shown)["data"][CHECKPOINT_KEY]
            anchored = total(story.after, "curfew_audit_anchored_records")
            again = await asyncio.to_thread(story.operator.metrics)
            # A segment without records, as a silent log has one a minute, changes only the bytes.
            is_still = total(again, stored) == total(story.after, stored)
            if is_still and total(again, size) == total(story.after, size) == anchored and _nothing_waits(story.after):
                break
            await asyncio.sleep(AGAIN_SECONDS)
    answer = await story.place.people.admin.get(
        f"/apis/events.k8s.io/v1/namespaces/{story.place.namespace}/events?limit=5000"
    )
    story.events = answer.done()["items"]


async def _until(story: Story, is_so: Callable[[Metrics], bool]) -> Metrics:
    async with asyncio.timeout(MOST_SECONDS):
        while True:
            metrics = await asyncio.to_thread(story.operator.metrics)
            if is_so(metrics):
                return metrics
            await asyncio.sleep(AGAIN_SECONDS)
