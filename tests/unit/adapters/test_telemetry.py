"""The numbers say what happened, and never to whom."""

import pytest

from curfew.adapters.telemetry import Telemetry
from curfew.adapters.telemetry.bounded import MOST_POLICIES, MOST_STAGES

DEBUG = {"namespace": "payments", "policy": "debug"}


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def everything(telemetry: Telemetry) -> None:
    """Tell all that can be told."""
    telemetry.set_phases({("payments", "debug", "Active"): 2})
    telemetry.transition("grant")
    telemetry.set_pending({("payments", "debug"): 40})
    telemetry.first_reviewed("payments", "debug", 20)
    telemetry.stage_filled("payments", "debug", "owners", 30)
    telemetry.decided("payments", "debug", 90)
    telemetry.activated(0.02)
    telemetry.revoked(0.004)
    telemetry.set_past_expiry(1)
    telemetry.committed(0.01, 3, 900)
    telemetry.set_outbox(4, 7)
    telemetry.trail_healthy("StoreUnavailable", ok=False)
    telemetry.enforced("curfew-request-decision", ok=False)
    telemetry.enforced("curfew-request-identity", ok=True)
    telemetry.cluster_call("create_binding", "Ok", 0.003)
    telemetry.events_dropped("QueueFull")
    telemetry.reconcile_error("Unavailable")
    telemetry.set_queue_depth(5)


def test_what_is_told_can_be_read(telemetry: Telemetry) -> None:
    everything(telemetry)
    assert value(telemetry, "curfew_requests", namespace="payments", policy="debug", phase="Active") == 2
    assert value(telemetry, "curfew_transitions_total", event="grant") == 1
    assert value(telemetry, "curfew_pending_oldest_seconds", **DEBUG) == 40
    assert value(telemetry, "curfew_time_to_first_review_seconds_sum", **DEBUG) == 20
    assert value(telemetry, "curfew_time_to_stage_seconds_sum", **DEBUG, stage="owners") == 30
    assert value(telemetry, "curfew_time_to_decision_seconds_sum", **DEBUG) == 90
    assert value(telemetry, "curfew_time_to_decision_seconds_bucket", **DEBUG, le="120.0") == 1
    assert value(telemetry, "curfew_activation_seconds_bucket", le="0.025") == 1
    assert value(telemetry, "curfew_revocation_lateness_seconds_bucket", le="0.005") == 1
    assert value(telemetry, "curfew_past_expiry") == 1
    assert value(telemetry, "curfew_audit_commit_seconds_count") == 1
    assert value(telemetry, "curfew_audit_records_total") == 3
    assert value(telemetry, "curfew_audit_bytes_total") == 900
    assert value(telemetry, "curfew_outbox_records") == 4
    assert value(telemetry, "curfew_outbox_oldest_seconds") == 7
    assert value(telemetry, "curfew_enforced", policy="curfew-request-decision") == 0
    assert value(telemetry, "curfew_enforced", policy="curfew-request-identity") == 1
    assert value(telemetry, "curfew_cluster_call_seconds_count", call="create_binding", outcome="Ok") == 1
    assert value(telemetry, "curfew_events_dropped_total", reason="QueueFull") == 1
    assert value(telemetry, "curfew_reconcile_errors_total", kind="Unavailable") == 1
    assert value(telemetry, "curfew_queue_depth") == 5


def test_no_label_could_hold_a_person(telemetry: Telemetry) -> None:
    everything(telemetry)
    labels = {label for metric in telemetry.registry.collect() for sample in metric.samples for label in sample.labels}
    assert labels == {
        "call",
        "event",
        "kind",
        "le",
        "namespace",
        "outcome",
        "phase",
        "policy",
        "python",
        "reason",
        "stage",
        "version",
    }


def test_every_name_is_ours_or_the_process_s(telemetry: Telemetry) -> None:
    everything(telemetry)
    assert all(metric.name.startswith(("curfew_", "process_")) for metric in telemetry.registry.collect())
    assert all(metric.documentation.endswith(".") for metric in telemetry.registry.collect())


def test_a_phase_that_is_empty_again_is_gone(telemetry: Telemetry) -> None:
    telemetry.set_phases({("payments", "debug", "Active"): 2})
    telemetry.set_phases({("payments", "debug", "Expired"): 2})
    assert value(telemetry, "curfew_requests", namespace="payments", policy="debug", phase="Active") is None


def test_the_worst_lateness_stays(telemetry: Telemetry) -> None:
    assert value(telemetry, "curfew_revocation_lateness_max_seconds") == 0
    for late in (-5, 2, 1):
        telemetry.revoked(late)
    assert value(telemetry, "curfew_revocation_lateness_max_seconds") == 2
    assert value(telemetry, "curfew_revocation_lateness_seconds_sum") == 3


def test_the_trail_has_one_health_at_a_time(telemetry: Telemetry) -> None:
    telemetry.trail_healthy("", ok=True)
    telemetry.trail_healthy("StoreUnavailable", ok=False)
    assert value(telemetry, "curfew_trail_healthy", reason="StoreUnavailable") == 0
    assert value(telemetry, "curfew_trail_healthy", reason="") is None


def test_prometheus_can_read_it(telemetry: Telemetry) -> None:
    content_type, text = telemetry.render()
    assert content_type.startswith("text/plain")
    assert b"curfew_build_info{" in text
    assert b'version="0.' in text
    assert b"_created" not in text


def test_two_do_not_meet() -> None:
    Telemetry()
    Telemetry()


def test_however_many_policies_there_are_only_so_many_have_series(telemetry: Telemetry) -> None:
    """The first keep theirs; all others share one, in which nothing is lost."""
    most = 10 * MOST_STAGES
    telemetry.set_phases({("payments", f"p-{number}", "Pending"): 1 for number in range(most)})
    telemetry.set_pending({("payments", f"p-{number}"): float(number) for number in range(most)})
    for number in range(most):
        telemetry.first_reviewed("payments", f"p-{number}", 1)
        telemetry.stage_filled("payments", f"p-{number}", "owners", 1)
        telemetry.decided("payments", f"p-{number}", 1)

    other = {"namespace": "other", "policy": "other"}
    assert value(telemetry, "curfew_requests", **other, phase="Pending") == most - MOST_POLICIES
    assert value(telemetry, "curfew_pending_oldest_seconds", **other) == most - 1
    assert value(telemetry, "curfew_time_to_first_review_seconds_count", **other) == most - MOST_POLICIES
    assert value(telemetry, "curfew_time_to_stage_seconds_count", **other, stage="other") == most - MOST_STAGES
    assert value(telemetry, "curfew_time_to_decision_seconds_count", **other) == most - MOST_POLICIES
    assert value(telemetry, "curfew_requests", namespace="payments", policy="p-0", phase="Pending") == 1
    for metric in telemetry.registry.collect():
        series = {tuple(label for label in sorted(s.labels.items()) if label[0] != "le") for s in metric.samples}
        assert len(series) <= MOST_STAGES + 1, metric.name


def test_a_policy_that_never_was_has_no_series_of_its_own(telemetry: Telemetry) -> None:
    telemetry.set_phases({("", "", "New"): 3})

    assert value(telemetry, "curfew_requests", namespace="other", policy="other", phase="New") == 3
