"""What is told of the log's store: once a change, in words, where people and machines look (promise P11)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from curfew.adapters.events import Recorder
from curfew.adapters.telemetry import Telemetry
from curfew.core.notices import Notice
from curfew.ports import Attestation, Evidence
from curfew.processes.operator.reporting import Reporting

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = Attestation(NOON, Evidence.STAMPED, sufficient=True, findings=())
WEAK = Attestation(NOON, Evidence.REFUSED, sufficient=False, findings=("The bucket b has no Object Lock.",))


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
