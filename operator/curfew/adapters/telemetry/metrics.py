"""What the metrics of every process have in common: a registry of their own, names, buckets, and how they are shown.

Every metric begins with `curfew_`, except those of the process itself, which have their usual names. No person's name is in
any of them (promise P12).
"""

import platform
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

MACHINE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds, for the work of machines."""


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, that nothing here needs
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = self._gauge(
            "build_info", "Constant 1; the labels name the version of Curfew and of Python.", "version", "python"
        )
        build.labels(version("curfew"), platform.python_version()).set(1)

    def render(self) -> tuple[str, bytes]:
        """Return the content type and the text for Prometheus."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"curfew_{name}", help_, labels, registry=self.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"curfew_{name}", help_, labels, registry=self.registry)

    def _histogram(
        self, name: str, help_: str, buckets: tuple[float, ...] = MACHINE_BUCKETS, *labels: str
    ) -> Histogram:
        return Histogram(f"curfew_{name}", help_, labels, registry=self.registry, buckets=buckets)

    def _counter_of(self, name: str, help_: str, label: str, known: Iterable[str]) -> Counter:
        """Return a counter with one label that is at 0 for the known values: to Prometheus, a new series is no increase."""
        counter = self._counter(name, help_, label)
        for value in known:
            counter.labels(value)
        return counter


class LogMetrics(Metrics):
    """The metrics of a process that writes a log and calls the API server."""

    def __init__(self) -> None:
        super().__init__()
        self._commit = self._histogram(
            "audit_commit_seconds", "From the handover of the oldest record of a segment until the segment is durable."
        )
        self._records = self._counter("audit_records", "Records made durable.")
        self._bytes = self._counter("audit_bytes", "Bytes stored in the log.")
        self._trail = self._gauge("trail_healthy", "1 while records can be made durable, else 0.", "reason")
        self._attested = self._gauge(
            "worm_attested", "1 while the store was last proved to be write-once, else 0.", "evidence"
        )
        self._attested_at = self._gauge(
            "worm_attested_timestamp_seconds",
            "When the store last answered the check for write-once, whatever the result.",
        )
        self._discrepancies = self._counter(
            "audit_verification_failures", "Segments that did not read back as they were stored."
        )
        self._calls = self._histogram(
            "cluster_call_seconds", "Curfew's calls to the API server.", MACHINE_BUCKETS, "call", "outcome"
        )

    def committed(self, seconds: float, records: int, size: int) -> None:
        """Record that a segment is durable: how long its oldest record waited, its number of records, and its bytes."""
        self._commit.observe(seconds)
        self._records.inc(records)
        self._bytes.inc(size)

    def trail_healthy(self, reason: str, *, ok: bool) -> None:
        """Set whether records can be made durable and, if not, the reason, in one CamelCase word."""
        self._trail.clear()
        self._trail.labels(reason).set(int(ok))

    def attested(self, evidence: str, at: datetime, *, sufficient: bool) -> None:
        """Set whether the store was proved to be write-once, by what evidence, and when."""
        self._attested.clear()
        self._attested.labels(evidence).set(int(sufficient))
        self._attested_at.set(at.timestamp())

    def verification_failed(self) -> None:
        """Count a segment whose bytes are not the ones that were stored."""
        self._discrepancies.inc()

    def cluster_call(self, call: str, outcome: str, seconds: float) -> None:
        """Count one call to the API server: its name, its outcome, its duration."""
        self._calls.labels(call, outcome).observe(seconds)
