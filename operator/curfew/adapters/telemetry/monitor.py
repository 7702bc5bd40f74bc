"""Numbers of the monitor for Prometheus."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from curfew.adapters.telemetry.metrics import LogMetrics
from curfew.api.activity import Changes
from curfew.core.activity.formats.forms import Why
from curfew.ports.intake import IntakeRefusal


class MonitorTelemetry(LogMetrics):
    """All metrics of one monitor."""

    def __init__(self) -> None:
        super().__init__()
        self._events = self._counter_of(
            "activity_events",
            "Audit events that arrived and could be read.",
            "outcome",
            ("Session", "Nobody", "Canary"),
        )
        self._refused = self._counter_of(
            "activity_events_refused", "Audit events that could not be read.", "reason", Why
        )
        self._lines = self._counter(
            "activity_lines_not_taken", "Lines of other systems that became no record.", "reason"
        )
        self._batches_refused = self._counter_of(
            "activity_batches_refused",
            "Batches of audit events that were not taken; most come again.",
            "reason",
            IntakeRefusal,
        )
        self._taken = self._histogram(
            "activity_batch_seconds", "How long batches of audit events took until they were done."
        )
        self._bytes_taken = self._counter("activity_bytes", "Bytes of audit events in batches that were taken.")
        self._held = self._gauge("activity_held_bytes", "Bytes of bodies that were received and have no answer yet.")
        self._connections = self._gauge("activity_connections", "Open connections of senders of audit events.")
        self._attributed = self._counter("activity_calls", "Calls that belong to a session.", "how", "effect")
        self._alerts = self._counter("alerts", "Alerts that were recorded.", "detector", "severity", "silenced")
        self._open_alerts = self._gauge("alerts_open", "Alerts that nothing has ended.", "severity")
        self._alert = self._histogram("alert_seconds", "From the cause of an alert until its record is durable.")
        self._detection = self._gauge("detection_up", "1 while the detectors read both logs, else 0.")
        self._detection_start = self._gauge(
            "detection_start_seconds", "How long the detectors read the logs at the start."
        )
        self._detection_unreadable = self._counter(
            "detection_unreadable", "Records that a detector could not read.", "detector"
        )
        self._detection_dropped = self._counter(
            "detection_dropped", "Findings of detectors that were dropped, because too many were waiting."
        )
        self._detection_losses: dict[str, int] = {}  # as counted so far; of dropped findings, by an empty name
        self._events_dropped = self._counter_of(
            "events_dropped",
            "Kubernetes Events that were not posted.",
            "reason",
            ("QueueFull", "Refused", "Superseded", "Unavailable"),
        )
        self._waiting = self._gauge("activity_waiting_bytes", "Bytes of audit events that arrived and are not done.")
        self._feed = self._histogram(
            "activity_feed_seconds", "From a test call until its audit event arrives: how far the feed is behind."
        )
        self._covered = self._gauge(
            "activity_covered", "1 while the feed of audit events is known to be whole, else 0."
        )
        self._covered_until = self._gauge(
            "activity_covered_until_timestamp_seconds", "Up to when the feed is known to be whole; 0 if it never was."
        )
        self._servers = self._gauge("activity_api_servers", "API servers that there should be; 0 if that is not known.")
        self._sources = self._gauge("activity_sources", "Sources of audit events that were heard in the last minutes.")
        self._following = self._gauge("activity_trail_followed", "1 while the operator's log is followed, else 0.")
        self._sessions = self._gauge("activity_sessions", "Grants that are known and not finally assessed.")
        self._verdicts = self._counter_of("activity_verdicts", "Final answers about sessions.", "changes", Changes)
        self._verdict = self._histogram("activity_verdict_seconds", "From the end of a grant until the final answer.")
        self._statuses = self._gauge("activity_statuses_waiting", "Answers that wait to be written to the requests.")
        self._not_written = self._counter_of(
            "activity_statuses_dropped",
            "Answers that were not written to their requests; the log holds them.",
            "reason",
            ("Gone", "Refused"),
        )
        self._notified = self._counter(
            "notifications", "Messages by what came of them: Sent, Dropped, or Failed for a try.", "channel", "outcome"
        )
        self._notified_after = self._histogram(
            "notification_seconds", "From when a message was due to be sent until a receiver has taken it."
        )
        self._unsent = self._gauge("notifications_waiting", "Messages that wait for their receivers.")
        self._routes = self._gauge(
            "notification_routes_ok", "1 while the routes in force are those in the file, else 0; 1 without routes."
        )
        self._routes.set(1)
        self._task_failures = self._counter(
            "task_failures", "Times that a defect ended a task of the process; it begins again.", "task"
        )

    def event(self, outcome: str, number: int = 1) -> None:
        """Count events that could be read: Session, Nobody or Canary."""
        self._events.labels(outcome).inc(number)

    def events_refused(self, reason: str, number: int) -> None:
        """Count events that could not be read, by the reason in one CamelCase word."""
        self._refused.labels(reason).inc(number)

    def lines_not_taken(self, reason: str, number: int) -> None:
        """Count lines of other systems that became no record, by the reason in one CamelCase word."""
        self._lines.labels(reason).inc(number)

    def batch_refused(self, reason: str) -> None:
        """Count a batch that was not taken, by the kind of the answer."""
        self._batches_refused.labels(reason).inc()

    def batch_taken(self, size: int, seconds: float) -> None:
        """Count a batch that was taken: its bytes, and how long that took."""
        self._bytes_taken.inc(size)
        self._taken.observe(seconds)

    def set_held(self, size: int) -> None:
        """Set how many bytes of bodies have no answer yet."""
        self._held.set(size)

    def set_connections(self, number: int) -> None:
        """Set how many senders are connected."""
        self._connections.set(number)

    def call(self, how: str, effect: str) -> None:
        """Count a call that belongs to a session."""
        self._attributed.labels(how, effect).inc()

    def alert(self, detector: str, severity: str, *, is_silenced: bool) -> None:
        """Count an alert, such as ManyRequests, with its severity: Low, Medium, High or Critical."""
        self._alerts.labels(detector, severity, str(is_silenced).lower()).inc()

    def alert_recorded(self, seconds: float) -> None:
        """Record how long it took from the cause of an alert until its record was durable."""
        self._alert.observe(max(0.0, seconds))

    def set_open_alerts(self, by_severity: Mapping[str, int]) -> None:
        """Set how many alerts are open, by their severity."""
        for severity, number in by_severity.items():
            self._open_alerts.labels(severity).set(number)

    def know_detectors(self, severities: Mapping[str, Sequence[str]]) -> None:
        """Have a number for each detector from the start: one that appears with 1 would be no increase."""
        for detector, possible in severities.items():
            for severity in possible:
                self._alerts.labels(detector, severity, "false")
            self._detection_unreadable.labels(detector)

    def know_tasks(self, names: Iterable[str]) -> None:
        """Have a number for each task from the start: one that appears with 1 would be no increase."""
        for name in names:
            self._task_failures.labels(name)

    def task_failed(self, name: str) -> None:
        """Count a defect that ended a task, by the task's name."""
        self._task_failures.labels(name).inc()

    def set_detection(self, *, ok: bool) -> None:
        """Set whether the detectors read both logs."""
        self._detection.set(int(ok))

    def detection_started(self, seconds: float) -> None:
        """Set how long the detectors read the logs at the start."""
        self._detection_start.set(seconds)

    def set_detection_losses(self, unreadable: Mapping[str, int], dropped: int) -> None:
        """Set how many records could not be read, by detector, and how many findings were dropped, since the start."""
        before = self._detection_losses
        for detector, number in unreadable.items():
            self._detection_unreadable.labels(detector).inc(number - before.get(detector, 0))
        self._detection_dropped.inc(dropped - before.get("", 0))
        self._detection_losses = {**unreadable, "": dropped}

    def event_dropped(self, reason: str) -> None:
        """Count an Event that was not posted: QueueFull, Refused, Superseded or Unavailable."""
        self._events_dropped.labels(reason).inc()

    def set_waiting(self, size: int) -> None:
        """Set how many bytes of events are not done."""
        self._waiting.set(size)

    def canary_arrived(self, seconds: float) -> None:
        """Record how long after a test call its event arrived."""
        self._feed.observe(max(0.0, seconds))

    def set_coverage(self, until: datetime | None, *, ok: bool) -> None:
        """Set whether the feed is known to be whole, and up to when."""
        self._covered.set(int(ok))
        self._covered_until.set(until.timestamp() if until is not None else 0)

    def set_sources(self, servers: int, heard: int) -> None:
        """Set how many API servers there should be, and how many sources were heard."""
        self._servers.set(servers)
        self._sources.set(heard)

    def set_following(self, ok: bool) -> None:
        """Set whether the operator's log is followed."""
        self._following.set(int(ok))

    def set_sessions(self, number: int) -> None:
        """Set how many sessions have no final answer."""
        self._sessions.set(number)

    def verdict(self, changes: str, seconds: float) -> None:
        """Count a final answer (Yes, No or Unknown), given so many seconds after the end."""
        self._verdicts.labels(changes).inc()
        self._verdict.observe(max(0.0, seconds))

    def set_statuses(self, waiting: int) -> None:
        """Set how many answers wait to be written."""
        self._statuses.set(waiting)

    def status_dropped(self, reason: str) -> None:
        """Count an answer that was not written: Gone or Refused."""
        self._not_written.labels(reason).inc()

    def notified(self, channel: str, outcome: str, number: int = 1) -> None:
        """Count messages by what came of them: Sent, Dropped, or Failed for a try. `channel` is its kind, such as Slack."""
        for possible in ("Sent", "Dropped", "Failed"):  # one that appears with 1 would be no increase
            self._notified.labels(channel, possible)
        self._notified.labels(channel, outcome).inc(number)

    def notified_after(self, seconds: float) -> None:
        """Record how long a message waited until it went out."""
        self._notified_after.observe(max(0.0, seconds))

    def set_notifications(self, waiting: int, *, ok: bool) -> None:
        """Set how many messages wait, and whether the routes in force are those in the file."""
        self._unsent.set(waiting)
        self._routes.set(int(ok))
