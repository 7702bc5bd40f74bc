"""Which test shows on real servers that an event of the catalogue is emitted, and whether its log did hold it.

Every event is here: `tests/unit/audit/test_conformance.py` sees to it. A test that is named here fails unless the logs that its
module read hold the event; so a part of the tests can be run alone, and is held to its own part.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from curfew.audit.record import Record
from tests.support.ocsf import validate

_COURSES: Final = "operator/test_lifecycle.py::test_each_step_is_in_the_log_once_and_in_order"
_POLICIES: Final = "operator/test_policies.py::test_what_becomes_of_a_policy_is_recorded"
_LOCKS: Final = "operator/test_locks.py::test_what_locks_did_is_in_the_log_once"
_GLASS: Final = "operator/test_roles.py::test_the_glass_is_broken_at_once_and_reviewed_afterwards"
_SESSIONS: Final = "monitor/test_scripted_sessions.py::test_both_logs_verify_and_hold_nothing_twice"
_ALERTS: Final = "monitor/test_alerts.py::test_both_logs_verify_and_hold_every_alert_once"
_RESPONSES: Final = "monitor/test_alerts.py::test_a_person_resolves_an_alert_and_silences_others"
_OUTAGES: Final = "operator/test_outages.py::test_everything_is_recorded_once_when_the_bucket_is_back"
_NOTIFICATIONS: Final = "monitor/test_notifications.py"
_FACTS: Final = "monitor/test_facts.py"
_GUARDS: Final = "operator/test_enforcement.py::test_nothing_is_granted_while_a_policy_is_out_of_force"

SHOWN_BY: Final[Mapping[str, str]] = {
    "request.created": _COURSES,
    "request.accepted": _COURSES,
    "request.rejected": _COURSES,
    "request.cancelled": _COURSES,
    "request.timed_out": _COURSES,
    "request.deleted": _COURSES,
    "request.closed": _COURSES,
    "request.outbox_altered": "operator/test_statuses.py::test_a_forged_outbox_is_neither_signed_nor_in_anybodys_way",
    "request.rejections_counted": "operator/test_counting.py::test_a_flood_makes_few_records_and_one_exact_count",
    "review.submitted": _COURSES,
    "review.approved": _COURSES,
    "review.denied": _COURSES,
    "review.auto_approved": _COURSES,
    "review.refused": "operator/test_lifecycle.py::test_an_approval_after_the_time_is_up_is_refused_whoever_was_slow",
    "review.break_glass_invoked": _GLASS,
    "review.overdue": _GLASS,
    "grant.intended": _COURSES,
    "grant.activated": _COURSES,
    "grant.activation_failed": "operator/test_roles.py::test_a_role_that_is_edited_before_the_grant_grants_nothing",
    "grant.expired": _COURSES,
    "grant.revoked": _COURSES,
    "grant.binding_removed": "operator/test_rules.py::test_a_binding_that_somebody_deletes_ends_the_grant",
    "grant.removal_failed": "operator/test_outages.py::test_the_operator_goes_on_when_the_api_server_is_back",
    "grant.drifted": "operator/test_rules.py::test_a_drifted_binding_is_removed_and_reported",
    "grant.orphan_removed": "operator/test_rules.py::test_a_binding_that_nobody_asked_for_is_removed_and_reported",
    "grant.role_changed": "operator/test_roles.py::test_a_role_that_is_edited_during_a_grant_ends_it",
    "lock.created": _LOCKS,
    "lock.changed": _LOCKS,
    "lock.lifted": _LOCKS,
    "policy.created": _POLICIES,
    "policy.updated": _POLICIES,
    "policy.weakened": _POLICIES,
    "policy.deleted": _POLICIES,
    "enforcement.lost": _GUARDS,
    "enforcement.restored": _GUARDS,
    "audit.opened": _OUTAGES,
    "audit.leader_changed": "operator/test_replicas.py::test_each_leader_begins_with_a_segment_that_names_it",
    "audit.sink_failed": _OUTAGES,
    "audit.sink_recovered": _OUTAGES,
    "audit.attested": _OUTAGES,
    "audit.key_rotated": "operator/test_keys.py::test_a_key_is_exchanged_and_the_log_goes_on",
    "audit.verification_failed": "trail/test_attestation.py::test_a_segment_that_is_hidden_by_a_delete_is_noticed",
    "audit.cluster_set_back": "operator/test_set_back.py::test_a_restore_is_in_the_log_and_nothing_is_told_twice",
    "audit.stories_open": "trail/test_trail_on_a_bucket.py::test_a_story_of_last_month_is_known_after_a_start",
    "audit.begins_at": "trail/test_cut_at_its_beginning.py::test_a_log_that_is_cut_where_it_says_verifies_and_is_read",
    "audit.writer_changed": "trail/test_trail_on_a_bucket.py::test_two_writers_on_one_bucket_write_one_chain",
    "call.read": _SESSIONS,
    "call.created": _SESSIONS,
    "call.updated": _SESSIONS,
    "call.deleted": _SESSIONS,
    "call.connected": _SESSIONS,
    "stream.opened": _SESSIONS,
    "call.refused": _SESSIONS,
    "call.failed": _SESSIONS,
    "call.simulated": _SESSIONS,
    "call.unsettled": _SESSIONS,
    "session.assessed": _SESSIONS,
    "session.remains_gone": _SESSIONS,
    "coverage.confirmed": _SESSIONS,
    "coverage.lost": _SESSIONS,
    "alert.audit_id_reused": _SESSIONS,
    "alert.used_after_end": _SESSIONS,
    "alert.stream_open_at_end": _SESSIONS,
    "alert.binding_name_reused": _SESSIONS,
    "session.pod_deleted": "monitor/test_leftovers.py::test_connections_that_outlast_a_grant_are_cut_by_deleting_their_pods",
    "alert.pod_not_deleted": "monitor/test_leftovers.py::test_without_the_right_nothing_is_deleted_and_an_alert_names_it",
    "alert.raised": _ALERTS,
    "alert.resolved": _RESPONSES,
    "alert.silenced": _RESPONSES,
    "alert.silence_ended": _RESPONSES,
    "detection.checked": _ALERTS,
    "detection.configured": _ALERTS,
    "notification.sent": f"{_NOTIFICATIONS}::test_people_are_told_of_a_request_from_its_beginning_to_its_end",
    "notification.dropped": f"{_NOTIFICATIONS}::test_what_no_receiver_will_take_is_given_up_and_counted",
    "decision.refused": f"{_FACTS}::test_a_decision_about_ones_own_request_is_noticed",
    "binding.found_outside": f"{_FACTS}::test_a_binding_that_is_no_grant_is_found_used_and_gone",
    "binding.gone_outside": f"{_FACTS}::test_a_binding_that_is_no_grant_is_found_used_and_gone",
    "role.used_outside": f"{_FACTS}::test_a_binding_that_is_no_grant_is_found_used_and_gone",
    "guard.changed": f"{_FACTS}::test_whoever_takes_a_guard_away_is_in_the_record",
    "person.seen": f"{_FACTS}::test_a_decision_about_ones_own_request_is_noticed",
    "external.called": "monitor/test_other_systems.py::test_lines_of_a_database_are_told_beside_the_calls_of_the_cluster",
}
"""By event: the test, from this folder."""

_read: Final[defaultdict[str, set[str]]] = defaultdict(set)  # by module: the events that its logs held
_valid: Final[set[str]] = set()  # the ids of the records that were looked at: logs are read again and again


def was_read(records: Iterable[Record]) -> None:
    """Note, for the module whose test runs, what a log held; each record has to be what OCSF and the catalogue say."""
    events = _read[_module(os.environ["PYTEST_CURRENT_TEST"])]
    for record in records:
        if record.id not in _valid:
            validate(record)
            _valid.add(record.id)
        events.add(record.event)


def missing(test: str) -> list[str]:
    """Return the events that a test, by its id, is to show and that no log of its module has held."""
    shown = {event for event, where in SHOWN_BY.items() if test.partition("[")[0].endswith(f"integration/{where}")}
    return sorted(shown - _read[_module(test)])


def _module(test: str) -> str:
    return test.partition("::")[0]
