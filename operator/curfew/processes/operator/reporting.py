"""Reports what happened: Events for people, metrics for machines, one log line each. Never the audit trail (promise P11)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from curfew.adapters.events import Recorder
from curfew.adapters.telemetry import Telemetry
from curfew.api.access_policy import Mode
from curfew.api.access_request import Phase
from curfew.api.times import format_time
from curfew.audit.record import Record
from curfew.core import skew
from curfew.core.bindings import Binding
from curfew.core.facts import STARTING, ClockState, EnforcementState, Facts, LocksState
from curfew.core.keys import Key, PolicyKey
from curfew.core.lifecycle import Event
from curfew.core.notices import (
    Notice,
    about_clock,
    about_enforcement,
    about_leader,
    about_locks,
    about_log,
    about_sweeper,
)
from curfew.core.reasons import Reason
from curfew.core.response_times import response_times
from curfew.core.seals import Seals
from curfew.core.sweeping import SweeperState, Sweeps
from curfew.core.trail_state import TrailReason
from curfew.ports import Attestation, ClosedRequest, ClusterError
from curfew.processes.operator.known import Store
from curfew.processes.operator.survey import take_survey
from curfew.processes.operator.unreadable import Unreadable

log = structlog.get_logger("curfew")

_DECIDES = (Event.APPROVE, Event.GRANT, Event.DENY)
"""What can happen, because people decided, to a request that waits for decisions."""


class Reporting:
    """Passes reports from the reconciler, the queue and the handlers on to Events, metrics and the log."""

    def __init__(self, recorder: Recorder, telemetry: Telemetry) -> None:
        self._recorder = recorder
        self._telemetry = telemetry
        self._attested: Attestation | None = None
        self._unread: str | None = None

    def notice(self, notice: Notice) -> None:
        """Make a Kubernetes Event for the people who watch them."""
        if notice.type == "Warning":
            self._telemetry.warned(notice.reason)
        self._recorder.post(notice)

    def transition(self, facts: Facts, event: Event) -> None:
        """Count a transition. Measure how long people took to decide, and how long the grant took after that."""
        request, status = facts.request, facts.request.status
        self._telemetry.transition(str(event))
        if event is Event.REJECT and facts.counting is not None:
            self._telemetry.rejection_counted()
        created, decided = request.metadata.creation_timestamp, facts.decided_at
        is_reviewed = status.terms is not None and status.terms.mode is Mode.REVIEW
        if event in _DECIDES and status.phase is Phase.PENDING and is_reviewed and created is not None:
            policy = PolicyKey.named_by(request)
            self._telemetry.decided(policy.namespace, policy.name, (decided - created).total_seconds())
        if event is Event.GRANT:
            begun = max(decided, request.spec.not_before or decided)
            self._telemetry.activated((facts.now - begun).total_seconds())
        log.info(
            "transition",
            transition=str(event),
            namespace=request.metadata.namespace,
            request=request.metadata.name,
            uid=request.metadata.uid,
        )

    def reviewed(self, facts: Facts) -> None:
        """Measure how long people took, if decisions that are seen for the first time bring that to an end."""
        policy, took = PolicyKey.named_by(facts.request), response_times(facts)
        if took.first_review is not None:
            self._telemetry.first_reviewed(policy.namespace, policy.name, took.first_review.total_seconds())
        for stage, after in took.stages.items():
            self._telemetry.stage_filled(policy.namespace, policy.name, stage, after.total_seconds())

    def removed(self, binding: Binding, at: datetime, reason: Reason) -> None:
        """Measure how late a binding was removed (promise P1)."""
        late = timedelta(0)
        if binding.expires_at is not None:
            late = max(timedelta(0), at - binding.expires_at)
        self._telemetry.revoked(late.total_seconds())
        log.info(
            "binding removed",
            namespace=binding.namespace,
            binding=binding.name,
            reason=str(reason),
            late_seconds=late.total_seconds(),
        )

    def failed(self, key: Key, error: Exception, delay: timedelta) -> None:
        """Report that work on a key failed and is tried again."""
        self._telemetry.reconcile_error(type(error).__name__)
        again = round(delay.total_seconds(), 3)
        if isinstance(error, ClusterError):
            log.warning("a call to the API server failed", key=str(key), problem=str(error), again_in=again)
        else:
            log.error("work on a key failed", key=str(key), problem=str(error), again_in=again, exc_info=error)

    def unreadable(self, error: Unreadable) -> None:
        """Report an object that cannot be read. It holds up nobody else. A request also shows it in its status."""
        self._telemetry.reconcile_error("Unreadable")
        log.error("an object cannot be read and is skipped", problem=str(error))

    def committed(self, seconds: float, records: int, size: int) -> None:
        """Measure a commit to the trail."""
        self._telemetry.committed(seconds, records, size)

    def trail_changed(self, *, ok: bool, reason: str, message: str) -> None:
        """Report that records do, or do not, become durable."""
        if reason != TrailReason.NOT_LEADING:
            self._telemetry.trail_healthy(reason if not ok else "", ok=ok)
        if ok:
            log.info("the trail takes records", reason=reason)
        elif reason in STARTING:
            log.info("the trail does not take records yet", reason=reason, problem=message)
        else:
            log.error(
                "the trail takes no records: nothing is granted; revocations continue", reason=reason, problem=message
            )

    def won(self, me: str, before: str, at: datetime, namespace: str) -> None:
        """Report that this replica leads from now on. `before` led before it; empty: nobody, or it said goodbye."""
        self._telemetry.set_leader(leads=True)
        log.info("this replica leads", replica=me, before=before)
        self._recorder.post(about_leader(me, before, at, namespace))

    def regained(self) -> None:
        """Report that this replica can show again that it leads."""
        log.info("this replica leads again: the Lease is renewed")

    def lost(self, now: str) -> None:
        """Report that this replica leads no more. `now` leads; empty: nobody, as far as is known."""
        self._telemetry.set_leader(leads=False)
        log.info("this replica leads no more", leader=now)

    def attested(self, attestation: Attestation, namespace: str) -> None:
        """Report whether the bucket was proved to be write-once. If it was not, make one Event for each change."""
        self._telemetry.attested(str(attestation.evidence), attestation.at, sufficient=attestation.sufficient)
        old, self._attested = self._attested, attestation
        if old is not None and (old.sufficient, old.findings) == (attestation.sufficient, attestation.findings):
            return
        said = {"evidence": str(attestation.evidence), "findings": list(attestation.findings)}
        if attestation.sufficient:
            log.info("the audit trail's store is proved to be write-once", **said)
            return
        log.error("the audit trail's store is not proved to be write-once", **said)
        note = f"The audit trail's store is not proved to be write-once: {' '.join(attestation.findings)}"
        self._recorder.post(about_log("NotWriteOnce", "Attest", note, namespace, key=format_time(attestation.at)))

    def verification_failed(self, message: str, namespace: str, *, key: str) -> None:
        """Report that a segment of the log differs from what was stored. `key` is the same for the same finding."""
        self._telemetry.verification_failed()
        log.error("the audit trail is not as it was written", problem=message)
        self._recorder.post(about_log("VerificationFailed", "ReadBack", message, namespace, key=key))

    def set_back(self, message: str, namespace: str, *, key: str) -> None:
        """Report that the cluster was set back to an earlier state."""
        log.error("the cluster was set back to an earlier state", problem=message)
        self._recorder.post(about_log("ClusterSetBack", "Compare", message, namespace, key=key))

    def enforcement_changed(self, state: EnforcementState, namespace: str) -> None:
        """Report, once per change, whether our admission policies are in force."""
        if state.ok:
            log.info("admission policies are in force", reason=state.reason)
            return
        if state.is_starting:
            log.info("admission policies are being tried", reason=state.reason, problem=state.message)
            return
        log.error(
            "admission policies are not in force: nothing is granted; revocations continue",
            reason=state.reason,
            problem=state.message,
        )
        self._recorder.post(about_enforcement(state, namespace))

    def clock_changed(self, state: ClockState, namespace: str) -> None:
        """Report, once per change, whether our clock agrees with the API server's."""
        if state.reason == skew.ClockReason.AGREES:
            log.info("the clock agrees with the API server's")
            return
        log.error("the clock does not agree with the API server's", reason=state.reason, problem=state.message)
        self._recorder.post(about_clock(state, namespace))

    def locks_changed(self, state: LocksState, namespace: str) -> None:
        """Report, once per change, whether Curfew knows which locks there are."""
        if state.ok:
            log.info("the locks are known")
        elif state.is_starting:
            log.info("the locks are not known yet")
        else:
            log.error("the locks are not known: nothing is granted; revocations continue", problem=state.message)
            self._recorder.post(about_locks(state, namespace))

    def sweeper_seen(self, state: SweeperState) -> None:
        """Set the metrics that show whether the sweeper runs."""
        installed, overdue = state.reason is not Sweeps.NOT_INSTALLED, state.reason is Sweeps.OVERDUE
        self._telemetry.set_sweeper(state.last, installed=installed, overdue=overdue)

    def sweeper_overdue(self, state: SweeperState, since: datetime, namespace: str) -> None:
        """Report an outage of the sweeper that began at `since`."""
        log.error("the sweeper does not run", problem=state.message)
        self._recorder.post(about_sweeper(state.message, since, namespace))

    def deleted(self, request: ClosedRequest) -> None:
        """Count a finished request that was deleted because it was old enough. Its story is in the log."""
        self._telemetry.finished_deleted()
        log.info("finished request deleted", namespace=request.namespace, request=request.name, uid=request.uid)

    def may_not_delete(self, namespace: str, problem: str) -> None:
        """Report a namespace where finished requests stay because the API server refuses to delete them."""
        self._telemetry.finished_not_deleted()
        log.warning(
            "finished requests stay in a namespace: Curfew may not delete them there. List the namespace in the chart's "
            "values and run helm upgrade, or delete them yourself",
            namespace=namespace,
            problem=problem,
        )

    def durable(self, records: Sequence[Record]) -> None:
        """Log the records that became durable, by event."""
        log.debug("records are durable", events=[record.event for record in records])

    def reads_along(self, problem: str | None) -> None:
        """Report whether this replica, which does not lead, could take over the log."""
        self._telemetry.trail_healthy(TrailReason.NOT_LEADING if problem else "", ok=problem is None)
        if problem != self._unread and problem is not None:
            log.info("this replica could not take over the log now", problem=problem)
        self._unread = problem

    def survey(self, store: Store, now: datetime, seals: Seals | None, is_told: Callable[[Record], bool]) -> None:
        """Set the metrics that describe the whole state: phases, access past its end, records that wait for the trail.

        The arguments are those of `take_survey`.
        """
        for policy in store.policies.all():
            if policy.spec.approval.mode is Mode.REVIEW:
                stages = [stage.name for stage in policy.spec.approval.stages]
                self._telemetry.expect(policy.metadata.namespace, policy.metadata.name, stages)
        found = take_survey(store, now, seals, is_told)
        self._telemetry.set_phases(found.phases)
        self._telemetry.set_pending(found.pending)
        self._telemetry.set_locks(store.locks.in_force(now), known=store.locks.state.ok)
        self._telemetry.set_past_expiry(found.past_expiry)
        self._telemetry.set_outbox(found.outbox, found.oldest)
