"""Numbers of the operator for Prometheus."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest

from curfew.adapters.telemetry.bounded import MOST_POLICIES, MOST_STAGES, OTHER, BoundedLabels
from curfew.adapters.telemetry.metrics import LogMetrics

LEADER_ONLY = frozenset(
    f"curfew_{name}"
    for name in (
        "enforced",
        "outbox_oldest_seconds",
        "outbox_records",
        "pending_oldest_seconds",
        "requests",
        "sweeper_installed",
        "sweeper_last_success_timestamp_seconds",
        "sweeper_overdue",
        "worm_attested",
        "worm_attested_timestamp_seconds",
    )
)
"""Metrics that only the replica that leads shows: the others do not look, or would be counted twice."""

PEOPLE_BUCKETS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0)
"""Seconds, for the work of people."""


class Telemetry(LogMetrics):
    """All metrics of one operator."""

    def __init__(self) -> None:
        super().__init__()
        self._policies, self._stages = BoundedLabels(MOST_POLICIES), BoundedLabels(MOST_STAGES)
        self._requests = self._gauge("requests", "AccessRequests watched.", "namespace", "policy", "phase")
        self._transitions = self._counter("transitions", "Events in the lives of requests.", "event")
        self._warnings = self._counter("warnings", "Warnings reported as Kubernetes Events.", "reason")
        self._pending = self._gauge(
            "pending_oldest_seconds", "Age of the oldest request that waits for people.", "namespace", "policy"
        )
        self._first_review = self._histogram(
            "time_to_first_review_seconds",
            "From a request's creation to the first approval or denial, if people decide.",
            PEOPLE_BUCKETS,
            "namespace",
            "policy",
        )
        self._stage = self._histogram(
            "time_to_stage_seconds",
            "From a request's creation until a stage had its approvals.",
            PEOPLE_BUCKETS,
            "namespace",
            "policy",
            "stage",
        )
        self._decision = self._histogram(
            "time_to_decision_seconds",
            "From a request's creation to the denial or the last approval, if people decide.",
            PEOPLE_BUCKETS,
            "namespace",
            "policy",
        )
        self._activation = self._histogram(
            "activation_seconds",
            "From the last approval seen, or from notBefore if that is later, until the binding is made.",
        )
        self._lateness = self._histogram(
            "revocation_lateness_seconds", "From the instant access should have ended to the binding's removal."
        )
        self._latest = self._gauge("revocation_lateness_max_seconds", "The worst lateness since the start.")
        self._worst = 0.0
        self._past_expiry = self._gauge("past_expiry", "Bindings that exist although their end has passed.")
        self._outbox = self._gauge(
            "outbox_records", "Records in the statuses of requests that are not known to be durable."
        )
        self._oldest = self._gauge("outbox_oldest_seconds", "Age of the oldest of these records.")
        self._anchored = self._gauge(
            "audit_anchored_records", "Size of the log in the newest checkpoint on the ConfigMap."
        )
        self._not_anchored = self._counter_of(
            "audit_anchor_failures",
            "Checkpoints that could not be put on the ConfigMap.",
            "reason",
            ("Ahead", "Missing", "Refused", "Unavailable"),
        )
        self._forwarded = self._counter("audit_forwarded", "Records sent on to a collector or to standard output.")
        self._not_forwarded = self._counter_of(
            "audit_forward_dropped", "Records never sent on; the log holds them.", "reason", ("QueueFull", "Refused")
        )
        self._forward_waiting = self._gauge("audit_forward_queue_records", "Records that wait to be sent on.")
        self._forward_lag = self._gauge(
            "audit_forward_lag_seconds", "How long the oldest record that waits to be sent on has been durable."
        )
        self._clock_ahead = self._gauge(
            "clock_ahead_seconds",
            "Seconds by which Curfew's clock is ahead of the API server's, at least; below 0, it is behind.",
        )
        self._sweeper_installed = self._gauge("sweeper_installed", "1 while the sweeper's CronJob is there, else 0.")
        self._sweeper_success = self._gauge(
            "sweeper_last_success_timestamp_seconds", "When the sweeper last succeeded; 0 if no success is known."
        )
        self._sweeper_overdue = self._gauge("sweeper_overdue", "1 while the sweeper has not succeeded for too long.")
        self._rejections_counted = self._counter(
            "rejections_counted", "AccessRequests refused without records of their own; one record holds their number."
        )
        self._deleted = self._counter("finished_deleted", "Finished AccessRequests deleted after finished.keepFor.")
        self._not_deleted = self._counter(
            "finished_deletions_refused",
            "Namespaces in which the API server does not let Curfew delete finished requests.",
        )
        self._enforced = self._gauge("enforced", "1 while an admission policy was found in force, else 0.", "policy")
        self._locks_known = self._gauge(
            "locks_known", "1 while Curfew knows which AccessLocks there are, else 0: then nothing is granted."
        )
        self._locks = self._gauge("locks", "AccessLocks in force, by what they lock.", "scope")
        self._dropped = self._counter_of(
            "events_dropped",
            "Kubernetes Events that Curfew gave up writing.",
            "reason",
            ("QueueFull", "Refused", "Superseded", "Unavailable"),
        )
        self._errors = self._counter_of(
            "reconcile_errors", "Failed passes over a request; each is repeated.", "kind", ("Unavailable", "Unreadable")
        )
        self._queue = self._gauge("queue_depth", "Requests and policies that wait for their turn.")
        self._leader = self._gauge("leader", "1 while this replica leads: it grants and writes the log. Else 0.")
        self._leads = False

    def render(self) -> tuple[str, bytes]:
        """Return the content type and the text for Prometheus."""
        if self._leads:
            return super().render()
        shown = (family for family in self.registry.collect() if family.name not in LEADER_ONLY)
        return CONTENT_TYPE_LATEST, generate_latest(_Families(shown))

    def set_leader(self, *, leads: bool) -> None:
        """Set whether this replica leads."""
        self._leads = leads
        self._leader.set(int(leads))

    def set_phases(self, requests: Mapping[tuple[str, str, str], int]) -> None:
        """Set how many requests there are by namespace, policy and phase. Series not in `requests` are removed.

        Requests under a policy that does not exist have "" as their namespace and policy.
        """
        self._requests.clear()
        for (namespace, policy, phase), count in requests.items():
            self._requests.labels(*self._named(namespace, policy), phase).inc(count)

    def set_pending(self, oldest: Mapping[tuple[str, str], float]) -> None:
        """Set by namespace and policy how many seconds the oldest request has waited for people."""
        self._pending.clear()
        ages: dict[tuple[str, ...], float] = {}
        for policy, age in oldest.items():
            labels = self._named(*policy)
            ages[labels] = max(age, ages.get(labels, 0.0))
        for labels, age in ages.items():
            self._pending.labels(*labels).set(age)

    def _named(self, namespace: str, policy: str) -> tuple[str, ...]:
        return self._policies.of(namespace, policy) if policy else (OTHER, OTHER)

    def transition(self, event: str) -> None:
        """Count an event of the lifecycle, such as "grant"."""
        self._transitions.labels(event).inc()

    def warned(self, reason: str) -> None:
        """Count a warning, such as "OutboxAltered" or "OrphanRemoved"."""
        self._warnings.labels(reason).inc()

    def expect(self, namespace: str, policy: str, stages: Iterable[str]) -> None:
        """Let what people do under a policy be counted from 0: to Prometheus, a series that is new has not increased."""
        self._first_review.labels(*self._named(namespace, policy))
        self._decision.labels(*self._named(namespace, policy))
        for stage in stages:
            self._stage.labels(*self._stages.of(namespace, policy, stage))

    def first_reviewed(self, namespace: str, policy: str, seconds: float) -> None:
        """Record how long after its creation a request had its first approval or denial."""
        self._first_review.labels(*self._named(namespace, policy)).observe(seconds)

    def stage_filled(self, namespace: str, policy: str, stage: str, seconds: float) -> None:
        """Record how long after the creation of a request one of its stages had all its approvals."""
        self._stage.labels(*self._stages.of(namespace, policy, stage)).observe(seconds)

    def decided(self, namespace: str, policy: str, seconds: float) -> None:
        """Record how long after its creation people had decided a request."""
        self._decision.labels(*self._named(namespace, policy)).observe(seconds)

    def activated(self, seconds: float) -> None:
        """Record how long after the last approval was seen, or after its notBefore, the binding was there."""
        self._activation.observe(seconds)

    def revoked(self, late: float) -> None:
        """Record how many seconds late a binding was removed. One that was removed early is not late."""
        late = max(0.0, late)
        self._worst = max(self._worst, late)
        self._latest.set(self._worst)
        self._lateness.observe(late)

    def set_past_expiry(self, bindings: int) -> None:
        """Set how many bindings are there although their end has passed."""
        self._past_expiry.set(bindings)

    def anchored(self, size: int) -> None:
        """Set how large the log is in the checkpoint that was put on the ConfigMap."""
        self._anchored.set(size)

    def not_anchored(self, reason: str) -> None:
        """Count a checkpoint that could not be put on the ConfigMap: Unavailable, Refused, Missing or Ahead."""
        self._not_anchored.labels(reason).inc()

    def forwarded(self, records: int) -> None:
        """Count records that were forwarded."""
        self._forwarded.inc(records)

    def not_forwarded(self, records: int, reason: str) -> None:
        """Count records that will never be forwarded: QueueFull or Refused."""
        self._not_forwarded.labels(reason).inc(records)

    def set_forwarding(self, waiting: int, lag: float) -> None:
        """Set how many records wait to be forwarded, and for how many seconds the oldest has waited."""
        self._forward_waiting.set(waiting)
        self._forward_lag.set(lag)

    def set_outbox(self, records: int, oldest: float) -> None:
        """Set how many records are not yet known to be durable, and how many seconds the oldest has waited."""
        self._outbox.set(records)
        self._oldest.set(oldest)

    def enforced(self, policy: str, ok: bool) -> None:
        """Set whether one of our admission policies was found in force."""
        self._enforced.labels(policy).set(int(ok))

    def set_locks(self, in_force: Mapping[str, int], *, known: bool) -> None:
        """Set how many locks are in force, by what they lock: person, policy, namespace or everything.

        `known`: whether these are all.
        """
        self._locks_known.set(int(known))
        for scope, number in in_force.items():
            self._locks.labels(scope).set(number)

    def rejection_counted(self) -> None:
        """Count a refused request that has no records of its own."""
        self._rejections_counted.inc()

    def finished_deleted(self) -> None:
        """Count a finished request that was deleted because it was old enough."""
        self._deleted.inc()

    def finished_not_deleted(self) -> None:
        """Count a namespace in which the API server refuses to delete finished requests."""
        self._not_deleted.inc()

    def set_clock_ahead(self, seconds: float) -> None:
        """Set the least number of seconds by which our clock is ahead of the API server's; below zero it is behind."""
        self._clock_ahead.set(seconds)

    def set_sweeper(self, last: datetime | None, *, installed: bool, overdue: bool) -> None:
        """Set whether there is a sweeper, when it last succeeded, and whether that is too long ago."""
        self._sweeper_installed.set(int(installed))
        self._sweeper_success.set(last.timestamp() if last else 0)
        self._sweeper_overdue.set(int(overdue))

    def events_dropped(self, reason: str) -> None:
        """Count a dropped Kubernetes Event: QueueFull, Refused, Superseded or Unavailable."""
        self._dropped.labels(reason).inc()

    def reconcile_error(self, kind: str) -> None:
        """Count a pass that failed, by the kind of failure."""
        self._errors.labels(kind).inc()

    def set_queue_depth(self, keys: int) -> None:
        """Set how many keys wait for their turn."""
        self._queue.set(keys)


class _Families(CollectorRegistry):
    """Some families of another registry."""

    def __init__(self, shown: Iterable[Metric]) -> None:
        super().__init__()
        self._shown = shown

    def collect(self) -> Iterable[Metric]:
        return self._shown
