"""What is told of the log's store: once a change, in words, where people and machines look (promise P11)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from curfew.adapters.events import Recorder
from curfew.adapters.telemetry import Telemetry
from curfew.api.access_policy import Mode
from curfew.api.access_request import Phase
from curfew.audit.record import Record
from curfew.core.counting import TallyKey
from curfew.core.facts import Facts
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice
from curfew.core.seals import Seals
from curfew.ports import Attestation, LockEvidence
from curfew.processes.operator.known import Store
from curfew.processes.operator.reporting import Reporting
from tests.support.builders import a_policy, a_request
from tests.support.trail import a_record, a_story

TERMS = {
    "digest": "ab" * 32,
    "policy": {"name": "debug", "uid": "uid-policy", "generation": 1},
    "role": {"kind": "ClusterRole", "name": "view", "uid": "uid-role", "rulesDigest": "cd" * 32},
}
DEBUG = {"namespace": "payments", "policy": "debug"}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = Attestation(NOON, LockEvidence.STAMPED, sufficient=True, findings=())
WEAK = Attestation(NOON, LockEvidence.REFUSED, sufficient=False, findings=("The bucket b has no Object Lock.",))


@dataclass
class Posted:
    """Notes what is posted."""

    notices: list[Notice] = field(default_factory=list)

    def post(self, notice: Notice) -> None:
        """Note it."""
        self.notices.append(notice)


@pytest.fixture
def posted() -> Posted:
    """Return a notebook."""
    return Posted()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics at nothing."""
    return Telemetry()


@pytest.fixture
def reporting(posted: Posted, telemetry: Telemetry) -> Reporting:
    """Return what tells."""
    return Reporting(cast("Recorder", posted), telemetry)


def later(attestation: Attestation, minutes: int) -> Attestation:
    """Return the same, found later."""
    at = attestation.at + timedelta(minutes=minutes)
    return Attestation(at, attestation.evidence, attestation.sufficient, attestation.findings)


def is_in_no_log(record: Record) -> bool:
    """Return that the log does not hold a record."""
    return False


def test_a_store_that_is_proved_is_no_news_for_people(
    reporting: Reporting, posted: Posted, telemetry: Telemetry
) -> None:
    reporting.attested(GOOD, "curfew-system")

    assert posted.notices == []
    assert telemetry.registry.get_sample_value("curfew_worm_attested", {"evidence": "Stamped"}) == 1
    assert telemetry.registry.get_sample_value("curfew_worm_attested_timestamp_seconds") == NOON.timestamp()


def test_a_change_for_the_worse_is_told_once_and_its_return_too(
    reporting: Reporting, posted: Posted, telemetry: Telemetry
) -> None:
    for attestation in (GOOD, later(WEAK, 15), later(WEAK, 16), later(GOOD, 17), later(WEAK, 30)):
        reporting.attested(attestation, "curfew-system")

    first, second = posted.notices
    assert (first.namespace, first.type, first.reason) == ("curfew-system", "Warning", "NotWriteOnce")
    assert first.note == "The audit trail's store is not proved to be write-once: The bucket b has no Object Lock."
    assert first.key != second.key
    assert telemetry.registry.get_sample_value("curfew_worm_attested", {"evidence": "RefusedAttempt"}) == 0
    assert telemetry.registry.get_sample_value("curfew_worm_attested", {"evidence": "Stamped"}) is None


def test_a_log_that_is_not_as_it_was_written_is_told(
    reporting: Reporting, posted: Posted, telemetry: Telemetry
) -> None:
    reporting.verification_failed(
        "The segment s was stored and is not there any more.", "curfew-system", key="s/missing"
    )

    (notice,) = posted.notices
    assert (notice.type, notice.reason, notice.regarding.kind) == ("Warning", "VerificationFailed", "Namespace")
    assert notice.note == "The segment s was stored and is not there any more."
    assert telemetry.registry.get_sample_value("curfew_audit_verification_failures_total") == 1


def facts(phase: Phase, *, now: datetime, mode: Mode = Mode.REVIEW, not_before: datetime | None = None) -> Facts:
    """Return what is known of a request of noon that was decided a minute and a quarter of a second later."""
    decided_at = NOON + timedelta(minutes=1, seconds=0.25)
    metadata = SimpleNamespace(creation_timestamp=NOON, namespace="payments", name="inc-4711", uid="uid-1")
    status = SimpleNamespace(phase=phase, terms=SimpleNamespace(mode=mode))
    spec = SimpleNamespace(not_before=not_before, policy_name="debug")
    request = SimpleNamespace(metadata=metadata, status=status, spec=spec)
    return cast("Facts", SimpleNamespace(request=request, decided_at=decided_at, now=now, counting=None))


def of_uid(body: dict[str, Any], uid: str) -> dict[str, Any]:
    """Return an object as the API server would."""
    return {**body, "metadata": {**body["metadata"], "uid": uid, "resourceVersion": "1"}}


def figure(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """Return one figure."""
    return telemetry.registry.get_sample_value(f"curfew_{name}", labels)


def test_a_grant_is_measured_from_the_decision_and_to_the_microsecond(
    reporting: Reporting, telemetry: Telemetry
) -> None:
    reporting.transition(facts(Phase.PENDING, now=NOON + timedelta(minutes=1, seconds=0.29)), Event.GRANT)

    assert figure(telemetry, "activation_seconds_sum") == pytest.approx(0.04)
    assert figure(telemetry, "time_to_decision_seconds_sum", **DEBUG) == pytest.approx(60.25)


def test_a_grant_that_waited_for_its_start_is_measured_from_there(reporting: Reporting, telemetry: Telemetry) -> None:
    start = NOON + timedelta(hours=1)
    reporting.transition(facts(Phase.PENDING, now=start - timedelta(minutes=59), not_before=start), Event.APPROVE)
    reporting.transition(facts(Phase.APPROVED, now=start + timedelta(seconds=0.1), not_before=start), Event.GRANT)

    assert figure(telemetry, "activation_seconds_sum") == pytest.approx(0.1)
    assert figure(telemetry, "time_to_decision_seconds_count", **DEBUG) == 1


@pytest.mark.parametrize(
    ("event", "mode", "count"),
    [
        (Event.DENY, Mode.REVIEW, 1),
        (Event.TIME_OUT, Mode.REVIEW, None),
        (Event.CANCEL, Mode.REVIEW, None),
        (Event.GRANT, Mode.AUTOMATIC, None),
        (Event.GRANT, Mode.BREAK_GLASS, None),
    ],
)
def test_only_what_people_decide_is_a_decision(
    reporting: Reporting, telemetry: Telemetry, event: Event, mode: Mode, count: int | None
) -> None:
    reporting.transition(facts(Phase.PENDING, now=NOON + timedelta(hours=1), mode=mode), event)

    assert figure(telemetry, "time_to_decision_seconds_count", **DEBUG) == count


def test_the_oldest_record_that_waits_is_the_first_of_an_outbox_and_ours(
    reporting: Reporting, telemetry: Telemetry
) -> None:
    seals, store = Seals(b"a signature"), Store()
    for number, minutes in enumerate((3, 5)):
        body = a_request(f"r-{number}")
        uid = f"uid-{number}"
        body["metadata"] |= {"uid": uid, "resourceVersion": "1"}
        records = [
            a_record(n, at=NOON + timedelta(minutes=minutes + n), story=a_story(uid), event="review.approved")
            for n in range(2)
        ]
        body["status"] = {"outbox": [seals.seal(uid, record) for record in records]}
        store.see_request(body)
    forged = a_request("r-forged")
    forged["metadata"] |= {"uid": "uid-forged", "resourceVersion": "1"}
    forged["status"] = {"outbox": [{"record": "{}", "seal": "0" * 64}]}
    store.see_request(forged)

    reporting.survey(store, NOON + timedelta(minutes=10), seals, is_in_no_log)
    assert figure(telemetry, "outbox_records") == 5
    assert figure(telemetry, "outbox_oldest_seconds") == 7 * 60

    reporting.survey(store, NOON + timedelta(minutes=10), seals, lambda _: True)
    assert figure(telemetry, "outbox_records") == 1  # only what is forged is in no log
    assert figure(telemetry, "outbox_oldest_seconds") == 0

    reporting.survey(Store(), NOON + timedelta(minutes=10), None, is_in_no_log)
    assert figure(telemetry, "outbox_oldest_seconds") == 0


def test_the_oldest_request_that_waits_for_people_is_shown_by_policy(
    reporting: Reporting, telemetry: Telemetry
) -> None:
    store = Store()
    store.policies.see(of_uid(a_policy(), "uid-policy"))
    made = [
        (NOON, "Pending", "debug"),
        (NOON + timedelta(minutes=5), "Pending", "debug"),
        (NOON - timedelta(minutes=5), "Active", "debug"),
        (NOON, None, "nonsense"),
    ]
    for number, (created, phase, policy) in enumerate(made):
        body = of_uid(a_request(f"r-{number}", created=created, policyName=policy), f"uid-{number}")
        if phase is not None:
            body["status"] = {"phase": phase, "terms": TERMS}
        store.see_request(body)

    reporting.survey(store, NOON + timedelta(minutes=10), None, is_in_no_log)
    assert figure(telemetry, "pending_oldest_seconds", **DEBUG) == 600
    assert figure(telemetry, "requests", **DEBUG, phase="Pending") == 2
    assert figure(telemetry, "requests", namespace="other", policy="other", phase="New") == 1
    assert figure(telemetry, "requests", namespace="payments", policy="nonsense", phase="New") is None

    reporting.survey(Store(), NOON + timedelta(minutes=10), None, is_in_no_log)
    assert figure(telemetry, "pending_oldest_seconds", **DEBUG) is None


def test_what_people_do_under_a_policy_is_counted_from_nothing(reporting: Reporting, telemetry: Telemetry) -> None:
    """Else the first answer under each policy would never be an increase."""
    store, stages = Store(), [{"name": "owners"}, {"name": "security"}]
    store.policies.see(of_uid(a_policy(approval={"mode": "Review", "stages": stages}), "uid-debug"))
    store.policies.see(of_uid(a_policy("automatic", approval={"mode": "Automatic"}), "uid-automatic"))

    reporting.survey(store, NOON, None, is_in_no_log)
    assert figure(telemetry, "time_to_first_review_seconds_count", **DEBUG) == 0
    assert figure(telemetry, "time_to_decision_seconds_count", **DEBUG) == 0
    assert figure(telemetry, "time_to_stage_seconds_count", **DEBUG, stage="security") == 0
    assert figure(telemetry, "time_to_decision_seconds_count", namespace="payments", policy="automatic") is None


def test_a_refusal_without_records_of_its_own_is_counted_here_too(reporting: Reporting, telemetry: Telemetry) -> None:
    """Who looks at the numbers sees a flood while it is there, and not only after its hour."""
    ordinary = facts(Phase.FAILED, now=NOON)
    flood = cast("Facts", SimpleNamespace(**{**vars(ordinary), "counting": TallyKey("alice", "payments", NOON)}))
    for told in (ordinary, flood, flood):
        reporting.transition(told, Event.REJECT)

    assert figure(telemetry, "transitions_total", event="reject") == 3
    assert figure(telemetry, "rejections_counted_total") == 2
