"""What the monitor's log reports: records that became durable, its health, what was proved about the bucket."""

from collections.abc import Callable, Sequence

import structlog

from curfew.adapters.telemetry import MonitorTelemetry
from curfew.audit.record import Record
from curfew.ports import Attestation
from curfew.trail import Discrepancy, Health

log = structlog.get_logger("curfew")


class ActivityObserver:
    """Counts and logs what is reported, and wakes those who wait for durable records."""

    def __init__(self, telemetry: MonitorTelemetry, durable: Callable[[Sequence[Record]], None]) -> None:
        """`durable` is called with records that have become durable."""
        self._telemetry = telemetry
        self._durable = durable

    def durable(self, records: Sequence[Record]) -> None:
        """Records became durable."""
        for record in records:
            detail = record.block.get("detail", {})
            if record.event.startswith("call."):
                self._telemetry.call(str(detail.get("how")), str(detail.get("effect")))
        self._durable(records)

    def health_changed(self, health: Health) -> None:
        """Records now become durable, or do not, or the reason has changed."""
        self._telemetry.trail_healthy(health.reason, ok=health.ok)
        (log.info if health.ok else log.warning)("the log of activity", reason=health.reason, state=health.message)

    def committed(self, seconds: float, records: int, size: int) -> None:
        """A segment was committed: its duration in seconds, its records and its stored bytes."""
        self._telemetry.committed(seconds, records, size)

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """A segment is durable. Nothing is sent on from here."""

    def attested(self, attestation: Attestation) -> None:
        """Something was proved about the bucket."""
        self._telemetry.attested(attestation.evidence, attestation.at, sufficient=attestation.sufficient)

    def verification_failed(self, discrepancy: Discrepancy) -> None:
        """The log does not read back as it was written."""
        self._telemetry.verification_failed()
        log.error("the log of activity does not read back as it was written", problem=str(discrepancy))
